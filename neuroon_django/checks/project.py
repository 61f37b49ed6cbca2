"""Checks of what surrounds the app: middleware, Celery, feeds at all; and of a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from neuroon_django.checks.settings import is_address, is_local
from neuroon_django.conf import PREFIX, conf
from neuroon_django.feeds import registry
from neuroon_django.schedules import beat_schedule

MIDDLEWARE = "neuroon_django.middleware.ClickAttributionMiddleware"


@register("neuroon")
def check_project(**kwargs: Any) -> list[CheckMessage]:
    """What is missing around the app, as long as it is switched on."""
    return [*_feeds(), *_middleware(), *_workers()] if conf.ENABLED else []


def _feeds() -> Iterator[CheckMessage]:
    if not registry.products():
        yield Warning(
            _("No product feed is registered: nothing reaches Neuroon."),
            hint=_("Write <app>/neuroon.py with a ProductFeed and @register(Product)."),
            id="neuroon.W004",
        )
    if getattr(settings, f"{PREFIX}CURRENCY", None) in (None, ""):
        for feed in [*registry.products(), *registry.orders()]:
            if getattr(feed, "currency", None) is None:
                yield Warning(
                    _("%(feed)s has no currency, and NEUROON_CURRENCY is not set: %(default)s is sent.")
                    % {"feed": type(feed).__name__, "default": conf.CURRENCY},
                    hint=_('Set NEUROON_CURRENCY = "EUR", or currency = Value("EUR") in the feed.'),
                    obj=type(feed),
                    id="neuroon.W005",
                )


def _middleware() -> Iterator[CheckMessage]:
    if registry.orders() and not any(map(_is_ours, settings.MIDDLEWARE)):
        yield Warning(
            _("An OrderFeed is registered, but no middleware keeps the shoppers' clicks."),
            hint=_('Add "%s" to MIDDLEWARE, or call attribute_order().') % MIDDLEWARE,
            id="neuroon.W006",
        )


def _is_ours(path: str) -> bool:
    """The middleware itself, or a shop's subclass of it."""
    try:
        found = import_string(path)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, import_string(MIDDLEWARE))


def _workers() -> Iterator[CheckMessage]:
    if not conf.AUTO_SYNC:
        return
    config = current_app.conf
    if config.task_always_eager:
        yield Warning(
            _("Celery runs tasks eagerly: no worker is woken by a change."),
            hint=_("Run neuroon_sync from cron, or set CELERY_TASK_ALWAYS_EAGER = False."),
            id="neuroon.W007",
        )
    elif not (config.broker_url or config.broker_write_url):
        yield Warning(
            _("Celery has no broker: no worker is woken by a change."),
            hint=_(
                "Set CELERY_BROKER_URL and import the Celery app in the project's __init__.py "
                "(from .celery import app), or it is not read; or run neuroon_sync from cron and "
                "set NEUROON_AUTO_SYNC = False."
            ),
            id="neuroon.W008",
        )


@register("neuroon", deploy=True)
def check_deployment(**kwargs: Any) -> list[CheckMessage]:
    """What is right on a developer's machine only."""
    return [*_deployed_addresses(), *_beat()] if conf.ENABLED else []


def _deployed_addresses() -> Iterator[CheckMessage]:
    if is_address(conf.API_URL) and (is_local(conf.API_URL) or "dev-api." in conf.API_URL):
        yield Warning(
            _("NEUROON_API_URL is %s, which is not the live service.") % conf.API_URL,
            hint=_("Set it to %s.") % '"https://api.neuroon.ai"',
            id="neuroon.W009",
        )
    address = conf.STOREFRONT_URL
    if not (is_address(address) and address.startswith("https://")) or is_local(address):
        yield Warning(
            _("NEUROON_STOREFRONT_URL is %r, which shoppers cannot open.") % address,
            hint=_("Set it to %s.") % '"https://mystore.com"',
            id="neuroon.W010",
        )


def _beat() -> Iterator[CheckMessage]:
    """A sweep finds what a lost message left behind, and replaces the token in time."""
    planned = {entry.get("task") for entry in (current_app.conf.beat_schedule or {}).values()}
    missing = sorted({entry["task"] for entry in beat_schedule().values()} - planned)
    if missing:
        yield Warning(
            _("Celery beat does not run %s.") % ", ".join(missing),
            hint=_("CELERY_BEAT_SCHEDULE = neuroon_django.schedules.beat_schedule()"),
            id="neuroon.W011",
        )
