"""What a `NEUROON_…` setting is made of: its descriptor, and the rules that its values follow.

`conf` declares the settings with them, and the system checks ask each setting for its rule and hint.
A value of None or "" means "not set" and reaches no rule.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar, overload
from urllib.parse import urlsplit

import idna
from django.conf import settings
from django.utils.encoding import iri_to_uri

logger = logging.getLogger("neuroon_django")

PREFIX = "NEUROON_"
SECRETS = ("API_KEY", "SHOPS")  # settings whose value is never shown: it is a key, or holds some

T = TypeVar("T")
Rule = Callable[[Any], bool]


class Configured(Protocol):
    """What a setting is read from: the values of its own that come before the flat settings."""

    @property
    def own(self) -> Mapping[str, Any]: ...


class Setting(Generic[T]):
    """One setting: what it is where it is not set, how it is cleaned, and which values are right.

    `default` is a value as one would write it, or a function of the `ShopConfig`. `clean` makes of a
    written value, or of the default, what the app reads. `rule` tells whether a value is right, and
    `hint` what to type instead. Values in `unset` count as not set: None and an empty text, which
    environment variables leave.

    Reading never raises, since it happens in the shop's requests and threads: a value that cannot be
    cleaned, or is not `usable` then, is logged once, and `instead` is read, which is the default
    unless given. What is usable is the rule's to say unless given: a text that is no theme hurts
    nobody. The system checks go by the rule, and by the value as it was written.
    """

    def __init__(
        self,
        default: Any,
        *,
        rule: Rule,
        hint: str,
        clean: Callable[[Any], T] = lambda value: value,
        unset: tuple[Any, ...] = (None, ""),
        usable: Rule | None = None,
        instead: Any = None,
    ) -> None:
        self.default = default
        self.clean = clean
        self.rule = rule
        self.hint = hint
        self.unset = unset
        self.usable = usable or rule
        self.instead = default if instead is None else instead
        self._reported: set[str] = set()

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.flat = PREFIX + name

    @overload
    def __get__(self, config: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, config: Configured, owner: type) -> T: ...
    def __get__(self, config: Configured | None, owner: type) -> Setting[T] | T:
        if config is None:
            return self
        value = self.written(config)
        if value in self.unset:
            return self._of(self.default, config)
        try:
            cleaned = self.clean(value)
            if self.usable(cleaned):
                return cleaned
        except Exception:  # noqa: S110 - whatever the value's own conversion raises
            pass
        self._report(value)
        return self._of(self.instead, config)

    def _of(self, default: Any, config: Configured) -> T:
        return self.clean(default(config) if callable(default) else default)

    def written(self, config: Configured) -> Any:
        """Return the value as the shop, or else the project, wrote it; None or "" if neither did."""
        value = config.own.get(self.name, "")
        return getattr(settings, self.flat, "") if value in self.unset else value

    def shown(self, value: Any) -> str:
        """Return a written value as messages show it; a key is not shown."""
        return "…" if self.name in SECRETS else repr(value)[:100]

    def _report(self, value: Any) -> None:
        """Log once per process that this value is not used."""
        shown = self.shown(value)
        if shown not in self._reported:
            self._reported.add(shown)
            logger.error("setting_ignored name=%s value=%s: set it to %s", self.flat, shown, self.hint)


def settings_of(owner: type) -> dict[str, Setting[Any]]:
    """Return the settings that a class declares, by name, in their order."""
    declared = [item for cls in reversed(owner.__mro__) for item in vars(cls).items()]
    return {name: value for name, value in declared if isinstance(value, Setting)}


def ascii_address(url: str) -> str:
    """Return an address as it travels: its host as DNS knows it, the rest percent-encoded."""
    if url.isascii():
        return url
    try:
        netloc = urlsplit(url).netloc
        host, colon, port = netloc.partition(":")
        host = host if host.isascii() else idna.encode(host, uts46=True).decode()
        return str(iri_to_uri(url.replace(netloc, host + colon + port, 1)))
    except ValueError:  # a host that cannot be one; the checks tell
        return url


def is_text(value: Any) -> bool:
    """Return whether a value is a text."""
    return isinstance(value, str)


def is_bool(value: Any) -> bool:
    """Return whether a value is True or False; 1 and "False" are neither."""
    return isinstance(value, bool)


def is_number(value: Any, least: float, most: float) -> bool:
    """Return whether a value is a number from `least` to `most`; True, inf and nan are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_header(value: Any) -> bool:
    """Return whether a value can stand in a request's header."""
    return is_text(value) and value.isascii() and value.isprintable()


def is_trimmed_header(value: Any) -> bool:
    """Return whether a value can stand in a request's header without white space around it."""
    return is_header(value) and value == value.strip()


def is_key(value: Any) -> bool:
    """Return whether a value is an API key; white space around it, as a file gives it, is cut off."""
    return is_text(value) and is_header(value.strip())


def is_address(value: Any) -> bool:
    """Return whether a value is an absolute http(s) address that can travel.

    A query, a fragment and white space are refused, and so is more than 255 characters.
    """
    return is_text(value) and _is_absolute(value)


@lru_cache(maxsize=100)
def _is_absolute(url: str) -> bool:
    """Return the same of a text; pages ask it of the same few addresses."""
    if not _is_plain(url) or not ascii_address(url).isascii():
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_parsable(value: Any) -> bool:
    """Return whether a value is a text that can be taken apart as an address, a right one or not."""
    try:
        return is_text(value) and bool(urlsplit(value))
    except ValueError:
        return False


def is_script_address(value: Any) -> bool:
    """Return whether a value is an absolute address, or one on the shop's own host ("/static/…")."""
    return is_address(value) or (_is_plain(value) and value.startswith("/"))


def _is_plain(value: Any) -> bool:
    """Return whether a value is a short text without white space, query and fragment."""
    return up_to(255)(value) and value.isprintable() and not set(value) & set(" ?#")


def is_currency(value: Any) -> bool:
    """Return whether a value looks like a currency of ISO 4217."""
    return is_text(value) and re.fullmatch("[A-Z]{3}", value) is not None


def days(value: Any) -> timedelta:
    """Return a timedelta as it is, and a number as so many days."""
    return value if isinstance(value, timedelta) else timedelta(days=float(value))


def is_age(value: Any) -> bool:
    """Return whether a value is a timedelta or a number of days, ten years at most."""
    days = value / timedelta(days=1) if isinstance(value, timedelta) else value
    return is_number(days, 0, 3650)


def up_to(most: int) -> Rule:
    """Return the rule "a text of at most so many characters"."""
    return lambda value: is_text(value) and len(value) <= most


def number(least: float, most: float) -> Rule:
    """Return the rule "a number from `least` to `most`"."""
    return lambda value: is_number(value, least, most)


def whole(least: int, most: int) -> Rule:
    """Return the rule "a whole number from `least` to `most`"."""
    return lambda value: isinstance(value, int) and is_number(value, least, most)


def or_none(rule: Rule) -> Rule:
    """Return the rule "None, or a value that another rule allows"."""
    return lambda value: value is None or rule(value)


def one_of(*values: str) -> Rule:
    """Return the rule "one of these texts"."""
    return lambda value: value in values
