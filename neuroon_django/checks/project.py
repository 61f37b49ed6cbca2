"""Checks of what surrounds the app: middleware, Celery, feeds at all; and of a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string

from neuroon_django.checks.entries import may_be_null
from neuroon_django.checks.settings import each_shop, is_local, is_written
from neuroon_django.conf import DEFAULT_API_URL, ShopConfig, conf
from neuroon_django.feeds import registry
from neuroon_django.feeds.source import format_error
from neuroon_django.operations.problems import NO_FEED
from neuroon_django.recording.publishing import FRAMEWORK_TASKS, task_backend
from neuroon_django.rules import is_address
from neuroon_django.schedules import beat_schedule

MIDDLEWARE = "neuroon_django.middleware.ClickAttributionMiddleware"

FILE_SCHEDULER = "celery.beat:PersistentScheduler"  # Celery's own, which reads the settings alone


@register("neuroon")
def check_project(**kwargs: Any) -> list[CheckMessage]:
    """Check what is missing around the app, as long as it is switched on."""
    if not conf.ENABLED:
        return []
    currencies = [message for shop, where in each_shop() for message in _currency(shop, where)]
    return [*_feeds(), *currencies, *_middleware(), *_workers()]


def _feeds() -> Iterator[CheckMessage]:
    if not registry.products():
        yield Warning(f"{NO_FEED.text}.", hint=NO_FEED.cure, id="neuroon.W004")


def _currency(shop: ShopConfig, where: str) -> Iterator[CheckMessage]:
    """Report feeds whose currency nobody chose, or which may give none."""
    if is_written(ShopConfig.CURRENCY.written(shop)):
        return
    for source in registry.sources(shop).values():
        entry = source.compiled.get("currency")
        if entry is None or may_be_null(source, entry.path):
            has = "has no currency" if entry is None else f'may find no currency by "{entry.path}"'
            yield Warning(
                f"{where}{source.name} {has}, and NEUROON_CURRENCY is not set: "
                f"{shop.CURRENCY} is sent.",
                hint='Set NEUROON_CURRENCY = "EUR", or currency = Value("EUR") in the feed.',
                obj=type(source.feed),
                id="neuroon.W005",
            )


def _middleware() -> Iterator[CheckMessage]:
    keeping = list(filter(_keeps_clicks, settings.MIDDLEWARE))
    if len(keeping) > 1:
        yield Warning(
            f"MIDDLEWARE keeps the shoppers' clicks {len(keeping)} times: {', '.join(keeping)}.",
            hint="Remove all but one; until then clicks are kept only if each of them allows it.",
            id="neuroon.W017",
        )
    if registry.orders() and not keeping:
        yield Warning(
            "An OrderFeed is registered, but no middleware keeps the shoppers' clicks.",
            hint=f'Add "{MIDDLEWARE}" to MIDDLEWARE, or call attribute_order().',
            id="neuroon.W006",
        )


def _keeps_clicks(path: str) -> bool:
    """Return whether a dotted path leads to the middleware, or to a shop's subclass of it."""
    try:
        middleware = import_string(path)
    except ImportError:
        return False
    return isinstance(middleware, type) and issubclass(middleware, import_string(MIDDLEWARE))


def _workers() -> Iterator[CheckMessage]:
    """Report that a change wakes nobody, where somebody should be woken."""
    if not conf.AUTO_SYNC or conf.is_silent:  # tests have no workers
        return
    if conf.TASKS == "celery":
        yield from _celery()
    elif conf.TASKS == "django":
        yield from _framework()


def _framework() -> Iterator[CheckMessage]:
    """Report that Django's Tasks framework is missing or wrong, or that its backend has no workers."""
    try:
        import_string(f"{FRAMEWORK_TASKS}.flush_products")
    except Exception as error:  # the framework's, its backend's or the setting's own
        yield Error(
            f'NEUROON_TASKS is "django", but no task can be made: {format_error(error)}',
            hint="Django 6.0 has the framework, before it pip install django-tasks; TASKS names a "
            'backend, with NEUROON_QUEUE (or "default") among its QUEUES.',
            id="neuroon.E021",
        )
    else:
        if not task_backend().has_workers:
            yield Warning(
                "The default backend of TASKS keeps no message: no worker is woken by a change.",
                hint="Set TASKS to a backend with workers, as django-tasks-db has one; or set "
                "NEUROON_TASKS = None and run neuroon_sync --watch.",
                id="neuroon.W021",
            )


def _celery() -> Iterator[CheckMessage]:
    config = current_app.conf
    if config.task_always_eager:
        yield Warning(
            "Celery runs tasks eagerly: no worker is woken by a change.",
            hint="Run neuroon_sync from cron, or set CELERY_TASK_ALWAYS_EAGER = False.",
            id="neuroon.W007",
        )
    elif not (config.broker_url or config.broker_write_url):
        yield Warning(
            "Celery has no broker: no worker is woken by a change.",
            hint="Set CELERY_BROKER_URL and import the Celery app in the project's __init__.py "
            "(from .celery import app), or it is not read; or run neuroon_sync from cron and "
            "set NEUROON_AUTO_SYNC = False.",
            id="neuroon.W008",
        )
    else:
        yield from _beat()


@register("neuroon", deploy=True)
def check_deployment(**kwargs: Any) -> list[CheckMessage]:
    """Check for what is right on a developer's machine only."""
    if not conf.ENABLED:
        return []
    return [message for shop, where in each_shop() for message in _live_addresses(shop, where)]


def _live_addresses(shop: ShopConfig, where: str) -> Iterator[CheckMessage]:
    api_url = shop.API_URL
    if is_address(api_url) and (is_local(api_url) or "dev-api." in api_url):
        yield Warning(
            f"{where}NEUROON_API_URL is {api_url}, which is not the live service.",
            hint=f'Set it to "{DEFAULT_API_URL}".',
            id="neuroon.W009",
        )
    storefront = shop.STOREFRONT_URL
    if not (is_address(storefront) and storefront.startswith("https://")) or is_local(storefront):
        yield Warning(
            f"{where}NEUROON_STOREFRONT_URL is {storefront!r}, which shoppers cannot open.",
            hint=f"Set it to {ShopConfig.STOREFRONT_URL.hint}.",
            id="neuroon.W010",
        )


def _beat() -> Iterator[CheckMessage]:
    """Report tasks that beat does not run: they find what a lost message left, and renew the token.

    A scheduler of another kind may have them elsewhere, as in the database.
    """
    if current_app.conf.beat_scheduler != FILE_SCHEDULER:
        return
    scheduled = {entry.get("task") for entry in (current_app.conf.beat_schedule or {}).values()}
    missing = sorted({entry["task"] for entry in beat_schedule().values()} - scheduled)
    if missing:
        yield Warning(
            f"Celery beat does not run {', '.join(missing)}.",
            hint="CELERY_BEAT_SCHEDULE = neuroon_django.schedules.beat_schedule()",
            id="neuroon.W011",
        )
