"""The `NEUROON_…` settings: one typed property each, read on use, its default beside the read."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal
from urllib.parse import urlsplit

import idna
from django.conf import settings
from django.utils.encoding import iri_to_uri

from neuroon_django.api import messages

PREFIX = "NEUROON_"
DEFAULT_API_URL = "https://api.neuroon.ai"
PINNED = re.compile(r"/widget@\d[^/]*/")

try:
    VERSION = version("neuroon-django")
except PackageNotFoundError:  # run from a checkout that was not installed
    VERSION = "0.0.0"


class Secret(str):
    """A text that tracebacks, logs and debuggers show masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'sk_…'" if self else "''"


def ascii_address(url: str) -> str:
    """An address as it travels: its host as DNS knows it, the rest percent-encoded."""
    if url.isascii():
        return url
    try:
        netloc = urlsplit(url).netloc
        host, colon, port = netloc.partition(":")
        host = host if host.isascii() else idna.encode(host, uts46=True).decode()
        return str(iri_to_uri(url.replace(netloc, host + colon + port, 1)))
    except ValueError:  # a host that cannot be one; the checks tell
        return url


class Settings:
    """What the shop set, or the default. Nothing is cached, so `override_settings` works."""

    def _get(self, name: str, default: Any = None, *, unset: tuple[Any, ...] = (None, "")) -> Any:
        """A setting's value; None and an empty text, which environment variables leave, are none."""
        value = getattr(settings, PREFIX + name, default)
        return default if value in unset else value

    @property
    def SHOP_ID(self) -> str:
        return str(self._get("SHOP_ID", "")).strip()

    @property
    def API_KEY(self) -> Secret:
        return Secret(str(self._get("API_KEY", "")).strip())

    @property
    def API_URL(self) -> str:
        return ascii_address(str(self._get("API_URL", DEFAULT_API_URL)).rstrip("/"))

    @property
    def STOREFRONT_URL(self) -> str:
        return ascii_address(str(self._get("STOREFRONT_URL", "")).rstrip("/"))

    @property
    def PRODUCTS_API(self) -> Literal["auto", "plugin", "shops"]:
        value: Literal["auto", "plugin", "shops"] = self._get("PRODUCTS_API", "auto")
        return value

    @property
    def BATCH_SIZE(self) -> int:
        return max(1, min(int(self._get("BATCH_SIZE", messages.MAX_BATCH)), messages.MAX_BATCH))

    @property
    def CURRENCY(self) -> str:
        return str(self._get("CURRENCY", "USD"))

    @property
    def LANGUAGE(self) -> str:
        return str(self._get("LANGUAGE", settings.LANGUAGE_CODE))

    @property
    def RATE_LIMIT(self) -> float | None:
        value = self._get("RATE_LIMIT", 100, unset=("",))  # None is a value: unpaced
        return None if value is None else float(value)

    @property
    def IN_FLIGHT(self) -> int:
        return max(1, int(self._get("IN_FLIGHT", 1)))

    @property
    def DEBOUNCE(self) -> float:
        return float(self._get("DEBOUNCE", 2))

    @property
    def TIMEOUT(self) -> float:
        return float(self._get("TIMEOUT", 60))

    @property
    def WIDGET_TIMEOUT(self) -> float:
        return float(self._get("WIDGET_TIMEOUT", 2))

    @property
    def CACHE(self) -> str:
        return str(self._get("CACHE", "default"))

    @property
    def QUEUE(self) -> str | None:
        value: str | None = self._get("QUEUE")
        return value

    @property
    def ENABLED(self) -> bool:
        return bool(self._get("ENABLED", True))

    @property
    def AUTO_SYNC(self) -> bool:
        return bool(self._get("AUTO_SYNC", True))

    @property
    def KEEP_CLICKS(self) -> timedelta:
        value = self._get("KEEP_CLICKS", 90)
        return value if isinstance(value, timedelta) else timedelta(days=float(value))

    @property
    def USER_AGENT(self) -> str:
        host = urlsplit(self.STOREFRONT_URL).netloc
        default = f"neuroon-django/{VERSION}" + (f" (+{host})" if host else "")
        return str(self._get("USER_AGENT", default))

    @property
    def WIDGET_URL(self) -> str:
        return str(self._get("WIDGET_URL", "https://cdn.neuroon.ai/widget.js"))

    @property
    def WIDGET_INTEGRITY(self) -> str:
        return str(self._get("WIDGET_INTEGRITY", ""))

    @property
    def WIDGET_THEME(self) -> str:
        return str(self._get("WIDGET_THEME", "auto"))

    @property
    def WIDGET_POSITION(self) -> str:
        return str(self._get("WIDGET_POSITION", "inline"))

    alias = "default"

    @property
    def CONTEXT(self) -> str:
        return str(self._get("CONTEXT", ""))

    def shop(self, alias: str = "default") -> Settings:
        return self

    def shops(self) -> dict[str, Settings]:
        return {"default": self}

    @property
    def integrity(self) -> str:
        """The integrity in effect: at Neuroon's hosts, only a version's address never changes."""
        parts = urlsplit(self.WIDGET_URL)
        theirs = f".{parts.hostname}".endswith(".neuroon.ai")
        return "" if theirs and not PINNED.match(parts.path) else self.WIDGET_INTEGRITY

    @property
    def can_send(self) -> bool:
        """Whether requests may be made at all: switched on, with a shop id and a key."""
        return self.ENABLED and bool(self.SHOP_ID) and bool(self.API_KEY)

    @property
    def key_fingerprint(self) -> str:
        """Tells one key from another without being one: 16 hex digits."""
        return hashlib.sha256(b"neuroon-django:" + self.API_KEY.encode()).hexdigest()[:16]

    def client_options(self, **changes: Any) -> dict[str, Any]:
        """The arguments of `client.Client`, with some of them changed."""
        return {
            "api_url": self.API_URL,
            "shop_id": self.SHOP_ID,
            "api_key": self.API_KEY,
            "origin": self.STOREFRONT_URL,
            "user_agent": self.USER_AGENT,
            "timeout": self.TIMEOUT,
            "connections": self.IN_FLIGHT,
        } | changes


ShopConfig = Settings

NAMES = tuple(name for name in vars(Settings) if name.isupper())

conf = Settings()
