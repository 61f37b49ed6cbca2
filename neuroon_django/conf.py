"""The `NEUROON_…` settings: one descriptor each, which holds default, cleaning, rule and hint.

`ShopConfig` has what belongs to one shop and is passed to whatever needs it; `conf`, of the class
`Settings`, has what belongs to the project (`project_settings`), and the project's shops. Everything
is read on use, so `override_settings` works; only which shops there are is kept, for as long as what
is written of them stays as it is. The system checks walk over the same descriptors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal
from urllib.parse import urlsplit

from django.conf import settings

from neuroon_django import environment, rules
from neuroon_django.api.messages import MAX_BATCH
from neuroon_django.exceptions import ConfigurationError
from neuroon_django.project_settings import ProjectSettings
from neuroon_django.rules import (
    Setting,
    ascii_address,
    number,
    one_of,
    or_none,
    settings_of,
    up_to,
    whole,
)
from neuroon_django.shops import declared_shops, first_of_each, is_same, written_entries

DEFAULT_ALIAS = "default"
DEFAULT_API_URL = "https://api.neuroon.ai"
PINNED = re.compile(r"/widget@\d[^/]*/")

try:
    VERSION = version("neuroon-django")
except PackageNotFoundError:  # run from a checkout that was not installed
    VERSION = "0.0.0"


class Secret(str):
    """A text whose `repr` is masked, as in tracebacks and debuggers; `str` and `format` show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'sk_…'" if self else "''"


def _address(value: str) -> str:
    return ascii_address(value.rstrip("/"))


def _user_agent(shop: ShopConfig) -> str:
    """Return the app's name and version, with the storefront's host where there is one."""
    host = urlsplit(shop.STOREFRONT_URL).netloc
    return f"neuroon-django/{VERSION}" + (f" (+{host})" if host else "")


@dataclass(frozen=True)
class ShopConfig:
    """The settings of one shop: each its own value, else the flat `NEUROON_…` setting, else a default.

    `own` holds the shop's own values by the names below. It is not hashed, since a wrong value may be
    one that cannot be, and not shown, since it may hold the key.
    """

    alias: str
    own: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    SHOP_ID = Setting("", clean=str.strip, rule=up_to(200), hint='"shop_…", from Neuroon\'s dashboard')
    API_KEY = Setting(
        "",
        clean=lambda value: Secret(str.strip(value)),
        rule=rules.is_key,
        hint='"sk_…", from Neuroon\'s dashboard',
    )
    API_URL = Setting(
        DEFAULT_API_URL,
        clean=_address,
        rule=rules.is_address,
        hint='"https://api.neuroon.ai"',
        instead="",  # a mistyped address of a test's Neuroon must not become that of the live one
    )
    STOREFRONT_URL = Setting("", clean=_address, rule=rules.is_address, hint='"https://mystore.com"')
    PRODUCTS_API = Setting[Literal["auto", "plugin", "shops"]](
        "auto", rule=one_of("auto", "plugin", "shops"), hint='"auto", "plugin" or "shops"'
    )
    BATCH_SIZE = Setting(
        MAX_BATCH,
        clean=lambda value: max(1, min(int(value), MAX_BATCH)),
        rule=whole(1, MAX_BATCH),
        hint=f"a whole number from 1 to {MAX_BATCH}",
    )
    CURRENCY = Setting[str]("USD", rule=rules.is_currency, usable=rules.is_text, hint='"EUR"')
    LANGUAGE = Setting[str](lambda shop: settings.LANGUAGE_CODE, rule=rules.is_text, hint='"es"')
    RATE_LIMIT = Setting(
        100,
        clean=lambda value: None if value is None else float(value),
        rule=or_none(number(1, 1_000_000)),
        hint="100, the requests per minute, or None",
        unset=("",),  # None is a value: unpaced
    )
    IN_FLIGHT = Setting(
        1,
        clean=lambda value: max(1, int(value)),
        rule=whole(1, 64),
        hint="a whole number from 1 to 64",
    )
    TIMEOUT = Setting(
        60,
        clean=float,
        rule=number(0.1, 600),
        usable=number(0.001, 600),
        hint="60, in seconds, from 0.1 to 600",
    )
    USER_AGENT = Setting[str](_user_agent, rule=rules.is_trimmed_header, hint='"my-shop/1.0"')
    WIDGET_TOKEN = Setting[str](
        "auto", rule=one_of("auto", "issue", "sign"), hint='"auto", "issue" or "sign"'
    )
    WIDGET_URL = Setting[str](
        "https://cdn.neuroon.ai/widget.js",
        rule=rules.is_script_address,
        usable=rules.is_parsable,
        hint='"https://cdn.neuroon.ai/widget.js"',
    )
    WIDGET_INTEGRITY = Setting[str]("", rule=rules.is_text, hint='"sha384-…"')
    WIDGET_THEME = Setting[str](
        "auto",
        rule=one_of("auto", "light", "dark"),
        usable=rules.is_text,
        hint='"auto", "light" or "dark"',
    )
    WIDGET_POSITION = Setting[str](
        "inline",
        rule=one_of("inline", "floating"),
        usable=rules.is_text,
        hint='"inline" or "floating"',
    )

    @property
    def identity(self) -> tuple[str, str]:
        """Return the shop id and the API address, which the shop's rows hang on."""
        return self.SHOP_ID, self.API_URL

    @property
    def is_silent(self) -> bool:
        """Whether tests run here that did not say where Neuroon is: nothing may leave."""
        return environment.runs_tests() and not environment.is_turned_on(self.API_URL)

    @property
    def can_send(self) -> bool:
        """Tell whether requests may be made: switched on, with id, key and address, not silent."""
        complete = bool(self.SHOP_ID and self.API_KEY and self.API_URL)
        return conf.ENABLED and complete and not self.is_silent

    @property
    def is_configured(self) -> bool:
        """Tell whether the settings name this shop, which they do no more of a former one."""
        return any(self.identity == shop.identity for shop in conf.shops().values())

    @property
    def integrity(self) -> str:
        """Return the integrity in effect: at Neuroon's hosts only a version's script never changes."""
        parts = urlsplit(self.WIDGET_URL)
        theirs = f".{parts.hostname}".endswith(".neuroon.ai")
        return "" if theirs and not PINNED.match(parts.path) else self.WIDGET_INTEGRITY

    @property
    def fingerprint(self) -> str:
        """Return the 16 hex digits that a change row names the shop by, whatever its alias is."""
        return hashlib.sha256("\n".join(self.identity).encode()).hexdigest()[:16]

    @property
    def key_fingerprint(self) -> str:
        """Return the 16 hex digits that tell one key from another without being one."""
        return hashlib.sha256(b"neuroon-django:" + self.API_KEY.encode()).hexdigest()[:16]

    def client_options(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of `api.Client` for this shop, with some of them changed."""
        return {
            "api_url": self.API_URL,
            "shop_id": self.SHOP_ID,
            "api_key": self.API_KEY,
            "origin": self.STOREFRONT_URL,
            "user_agent": self.USER_AGENT,
            "timeout": self.TIMEOUT,
            "connections": self.IN_FLIGHT,
        } | changes


class Settings(ProjectSettings):
    """The settings of the project, and its shops."""

    _kept: tuple[list[Any], dict[str, ShopConfig]] = [], {}

    @property
    def can_send(self) -> bool:
        """Tell whether requests may be made for any of the shops."""
        return any(shop.can_send for shop in self.shops().values())

    @property
    def is_silent(self) -> bool:
        """Tell whether tests run here that did not say where any of the shops' Neuroon is."""
        shops = self.shops().values()
        return environment.runs_tests() and all(shop.is_silent for shop in shops)

    def shops(self) -> dict[str, ShopConfig]:
        """Return the project's shops by alias: those of `NEUROON_SHOPS`, else the flat settings' one.

        There is always one. What cannot be a shop is left out; the system checks tell of it. The
        answer is kept with all that it depends on, since pages ask often.
        """
        flat = [getattr(settings, name, "") for name in FLAT_IDENTITY]
        written = [flat, *written_entries(self.SHOPS)]
        kept = self._kept  # read once, since threads of other settings do the same
        if not is_same(kept[0], written):
            kept = self._kept = written, self._read_shops()
        return dict(kept[1])

    def _read_shops(self) -> dict[str, ShopConfig]:
        declared = [ShopConfig(alias, own) for alias, own in declared_shops(self.SHOPS).items()]
        shops = first_of_each(declared, _written_identity) or [ShopConfig(DEFAULT_ALIAS)]
        return {shop.alias: shop for shop in shops}

    def shop(self, alias: str = "") -> ShopConfig:
        """Return one shop's settings, the first's without an alias; `ConfigurationError` for none."""
        shops = self.shops()
        if alias and alias not in shops:
            raise ConfigurationError(f'No shop is called "{alias}". There are: {", ".join(shops)}.')
        return shops[alias or next(iter(shops))]


def _written_identity(shop: ShopConfig) -> tuple[str, str]:
    """Return what is written of a shop's id and address; pages ask, and cleaning takes its time."""
    shop_id, url = ShopConfig.SHOP_ID.written(shop), ShopConfig.API_URL.written(shop)
    return str(shop_id or "").strip(), str(url or DEFAULT_API_URL).rstrip("/")


FLAT_IDENTITY = (ShopConfig.SHOP_ID.flat, ShopConfig.API_URL.flat)
NAMES = (*settings_of(ShopConfig), *settings_of(Settings))

conf = Settings()
