"""Checks of the `NEUROON_…` settings: type, range and name of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from neuroon_django.api.messages import MAX_BATCH
from neuroon_django.conf import NAMES, PREFIX, ascii_address, conf

LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - compared with, never bound to
DAYS = 3650  # that clicks may be kept

Test = Callable[[Any], bool]
Rule = tuple[Test, Any]  # a test, and what to type

WIDGET = '"https://cdn.neuroon.ai/widget@0.9.10/widget.js"'


def is_number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_text(value: Any, most: float = float("inf")) -> bool:
    return isinstance(value, str) and len(value) <= most


def is_header(value: Any) -> bool:
    """What can stand in a request's header."""
    return is_text(value) and value.isascii() and value.isprintable()


def is_address(value: Any) -> bool:
    """An absolute http(s) address without query, fragment or white space, that can travel."""
    try:
        parts = urlsplit(value) if _is_plain(value) and ascii_address(value).isascii() else None
        return bool(parts and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:
        return False


def _is_plain(value: Any) -> bool:
    return is_text(value, 255) and value.isprintable() and not set(value) & set(" ?#")


def _is_currency(value: Any) -> bool:
    return is_text(value) and re.fullmatch("[A-Z]{3}", value) is not None


def _is_age(value: Any) -> bool:
    return is_number(value / timedelta(days=1) if isinstance(value, timedelta) else value, 0, DAYS)


def _whole(least: int, most: int) -> Rule:
    example = format_lazy(gettext_lazy("a whole number from {least} to {most}"), least=least, most=most)
    return lambda v: isinstance(v, int) and is_number(v, least, most), example


def _seconds(example: float, least: float, most: float) -> Rule:
    words = gettext_lazy("{example}, in seconds, from {least} to {most}")
    return (
        lambda v: is_number(v, least, most),
        format_lazy(words, example=example, least=least, most=most),
    )


def _one_of(*values: str) -> Rule:
    *first, last = (f'"{value}"' for value in values)
    example = format_lazy(gettext_lazy("{first} or {last}"), first=", ".join(first), last=last)
    return lambda v: v in values, example


# An empty text or None is "not set".
RULES: dict[str, Rule] = {
    "SHOP_ID": (
        lambda v: is_text(v, 200),
        gettext_lazy('"shop_…", from Neuroon\'s dashboard'),
    ),
    "API_KEY": (
        lambda v: is_text(v) and is_header(v.strip()),
        gettext_lazy('"sk_…", from Neuroon\'s dashboard'),
    ),
    "API_URL": (is_address, '"https://api.neuroon.ai"'),
    "STOREFRONT_URL": (is_address, '"https://mystore.com"'),
    "PRODUCTS_API": _one_of("auto", "plugin", "shops"),
    "BATCH_SIZE": _whole(1, MAX_BATCH),
    "CURRENCY": (_is_currency, '"EUR"'),
    "LANGUAGE": (is_text, '"es"'),
    "RATE_LIMIT": (
        lambda v: is_number(v, 1, 1_000_000),
        gettext_lazy("100, the requests per minute, or None"),
    ),
    "IN_FLIGHT": _whole(1, 64),
    "DEBOUNCE": _seconds(2, 0, 3600),
    "TIMEOUT": _seconds(60, 0.1, 600),
    "WIDGET_TIMEOUT": _seconds(2, 0.1, 60),
    "CACHE": (lambda v: is_text(v) and v in settings.CACHES, gettext_lazy("a name in CACHES")),
    "QUEUE": (is_text, gettext_lazy('"neuroon", the name of a Celery queue, or None')),
    "ENABLED": (lambda v: isinstance(v, bool), gettext_lazy("True or False")),
    "AUTO_SYNC": (lambda v: isinstance(v, bool), gettext_lazy("True or False")),
    "KEEP_CLICKS": (_is_age, gettext_lazy("90, in days, or a timedelta, of ten years at most")),
    "USER_AGENT": (lambda v: is_header(v) and v == v.strip(), '"my-shop/1.0"'),
    "WIDGET_URL": (
        lambda v: is_address(v) or (_is_plain(v) and v.startswith("/")),
        '"https://cdn.neuroon.ai/widget.js"',
    ),
    "WIDGET_INTEGRITY": (is_text, '"sha384-…"'),
    "WIDGET_THEME": _one_of("auto", "light", "dark"),
    "WIDGET_POSITION": _one_of("inline", "floating"),
}


@register("neuroon")
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Every setting's value, and names that are none."""
    return [*_values(), *_names(), *_addresses(), *_widget()]


def _values() -> Iterator[CheckMessage]:
    for name, (right, example) in RULES.items():
        value = getattr(settings, PREFIX + name, None)
        if value is not None and value != "" and not right(value):
            shown = "…" if name == "API_KEY" else repr(value)[:100]
            yield Error(
                _("%(name)s is %(value)s, which is no value for it.")
                % {"name": PREFIX + name, "value": shown},
                hint=_("Set it to %s.") % example,
                id="neuroon.E001",
            )
    missing = [PREFIX + name for name in ("SHOP_ID", "API_KEY") if not getattr(conf, name)]
    if missing and conf.ENABLED:
        yield Warning(
            _("Not set: %s. Changes are recorded, nothing is sent.") % ", ".join(missing),
            hint=_("Set it from Neuroon's dashboard, or NEUROON_ENABLED = False."),
            id="neuroon.W001",
        )


def _names() -> Iterator[CheckMessage]:
    for name in sorted(dir(settings)):
        if name.startswith(PREFIX) and name.isupper() and name.removeprefix(PREFIX) not in NAMES:
            near = get_close_matches(name.removeprefix(PREFIX), NAMES, 1)
            yield Warning(
                _("%s is not a setting of neuroon-django.") % name,
                hint=_("Did you mean %s?") % (PREFIX + near[0]) if near else _("Remove it."),
                id="neuroon.W002",
            )


def _addresses() -> Iterator[CheckMessage]:
    if is_address(conf.API_URL) and is_open(conf.API_URL):
        yield Error(
            _("NEUROON_API_URL is %s: the API key would travel unencrypted.") % conf.API_URL,
            hint=_("Set it to %s.") % '"https://…"',
            id="neuroon.E002",
        )
    if not conf.STOREFRONT_URL and conf.can_send:
        yield Warning(
            _("NEUROON_STOREFRONT_URL is not set: relative addresses and the domain stay unknown."),
            hint=_("Set it to %s.") % RULES["STOREFRONT_URL"][1],
            id="neuroon.W003",
        )


def _widget() -> Iterator[CheckMessage]:
    """An address at Neuroon that moves takes no integrity: the tags leave it out."""
    if conf.WIDGET_INTEGRITY and is_address(conf.WIDGET_URL) and not conf.integrity:
        yield Warning(
            _("NEUROON_WIDGET_INTEGRITY is dropped: the script at %s changes.") % conf.WIDGET_URL,
            hint=_("Set NEUROON_WIDGET_URL to a version's address: %s.") % WIDGET,
            id="neuroon.W013",
        )


def is_open(url: str) -> bool:
    """Whether requests to this address travel unencrypted over a network."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_local(url)


def is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in LOCAL or host.endswith((".localhost", ".local"))
