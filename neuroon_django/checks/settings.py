"""Checks of the `NEUROON_…` settings: type, range and name of each, for each shop."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string
from django.utils.translation import get_supported_language_variant

from neuroon_django.checks.shops import check_shops
from neuroon_django.conf import NAMES, Settings, ShopConfig, conf
from neuroon_django.rules import PREFIX, Configured, Setting, is_address, settings_of

LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - compared with, never bound to
QUOTES = ('"', "'", "\N{LEFT DOUBLE QUOTATION MARK}")
PINNED_WIDGET = '"https://cdn.neuroon.ai/widget@0.9.10/widget.js"'


@register("neuroon")
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Check the values of every shop and of the project, and names that are no settings."""
    shop_messages = [message for shop, where in each_shop() for message in _shop(shop, where)]
    project = _values(conf, settings_of(Settings))
    return [*shop_messages, *project, *check_shops(), *_context(), *_names()]


def each_shop() -> Iterator[tuple[ShopConfig, str]]:
    """Yield each shop with what a message about it begins with: its alias where there are several."""
    shops = conf.shops()
    for alias, shop in shops.items():
        yield shop, f'Shop "{alias}": ' if len(shops) > 1 else ""


def _shop(shop: ShopConfig, where: str) -> Iterator[CheckMessage]:
    """Check what belongs to one shop."""
    yield from _values(shop, settings_of(ShopConfig), where)
    yield from _quotes(shop, where)
    yield from _credentials(shop, where)
    yield from _addresses(shop, where)
    yield from _language(shop, where)
    yield from _widget(shop, where)


def _values(
    config: Configured, declared: dict[str, Setting[Any]], where: str = ""
) -> Iterator[CheckMessage]:
    """Report each written value that its setting's rule refuses; a key is not shown."""
    for setting in declared.values():
        value = setting.written(config)
        if is_written(value) and not setting.rule(value):
            yield Error(
                f"{where}{setting.flat} is {setting.shown(value)}, which is no value for it.",
                hint=f"Set it to {setting.hint}.",
                id="neuroon.E001",
            )


def is_written(value: Any) -> bool:
    """Return whether a setting's value is one; None and an empty text are "not set"."""
    return value is not None and value != ""


def _credentials(shop: ShopConfig, where: str) -> Iterator[CheckMessage]:
    needed = ShopConfig.SHOP_ID, ShopConfig.API_KEY
    missing = [setting.flat for setting in needed if not is_written(setting.written(shop))]
    if missing and conf.ENABLED:
        yield Warning(
            f"{where}Not set: {', '.join(missing)}. Changes are recorded, nothing is sent.",
            hint="Set it from Neuroon's dashboard, or NEUROON_ENABLED = False.",
            id="neuroon.W001",
        )


def _quotes(shop: ShopConfig, where: str) -> Iterator[CheckMessage]:
    """Report texts that came with their quotes, as files of environment variables give them."""
    for setting in settings_of(ShopConfig).values():
        value = setting.written(shop)
        if isinstance(value, str) and value.strip()[:1] in QUOTES and value.strip():
            yield Error(
                f"{where}{setting.flat} begins with a quotation mark, which is part of its value.",
                hint="Remove the quotes around it in the file that sets it.",
                id="neuroon.E001",
            )


def _addresses(shop: ShopConfig, where: str) -> Iterator[CheckMessage]:
    if is_address(shop.API_URL) and is_unencrypted(shop.API_URL):
        yield Error(
            f"{where}NEUROON_API_URL is {shop.API_URL}: the API key would travel unencrypted.",
            hint='Set it to "https://…".',
            id="neuroon.E002",
        )
    yield from _storefront(shop, where)
    if not is_written(ShopConfig.STOREFRONT_URL.written(shop)) and shop.can_send:
        yield Warning(
            f"{where}NEUROON_STOREFRONT_URL is not set: "
            "relative addresses and the domain stay unknown.",
            hint=f"Set it to {ShopConfig.STOREFRONT_URL.hint}.",
            id="neuroon.W003",
        )


def _storefront(shop: ShopConfig, where: str) -> Iterator[CheckMessage]:
    """Report a storefront that is more than a site's address: Neuroon compares it with its own."""
    parts = urlsplit(shop.STOREFRONT_URL) if is_address(shop.STOREFRONT_URL) else urlsplit("")
    site = f"{parts.scheme}://{parts.netloc.lower()}"
    if parts.netloc and site != shop.STOREFRONT_URL:
        yield Warning(
            f"{where}NEUROON_STOREFRONT_URL is {shop.STOREFRONT_URL}: "
            "a path or capital letters make it another address than the domain's.",
            hint=f'Set it to "{site}", the address alone, as in Neuroon\'s dashboard.',
            id="neuroon.W018",
        )


def is_unencrypted(url: str) -> bool:
    """Return whether requests to this address travel unencrypted over a network."""
    return urlsplit(url).scheme == "http" and not is_local(url)


def is_local(url: str) -> bool:
    """Return whether an address is one of this machine."""
    host = urlsplit(url).hostname or ""
    return host in LOCAL or host.endswith((".localhost", ".local"))


def _language(shop: ShopConfig, where: str) -> Iterator[CheckMessage]:
    """Report a language that Django cannot serve; LANGUAGE_CODE itself is Django's to check."""
    written = ShopConfig.LANGUAGE.written(shop)
    if not isinstance(written, str) or not written or written in dict(settings.LANGUAGES):
        return
    try:
        get_supported_language_variant(written)
    except LookupError:
        yield Warning(
            f"{where}NEUROON_LANGUAGE is {repr(written)[:100]}, which is not in LANGUAGES.",
            hint="Set it to a language of LANGUAGES, or add it there.",
            id="neuroon.W016",
        )


def _widget(shop: ShopConfig, where: str) -> Iterator[CheckMessage]:
    """Report an integrity that the tags leave out, since the script at that address changes."""
    if shop.WIDGET_INTEGRITY and is_address(shop.WIDGET_URL) and not shop.integrity:
        yield Warning(
            f"{where}NEUROON_WIDGET_INTEGRITY is dropped: the script at {shop.WIDGET_URL} changes.",
            hint=f"Set NEUROON_WIDGET_URL to a version's address: {PINNED_WIDGET}.",
            id="neuroon.W013",
        )


def _context() -> Iterator[CheckMessage]:
    """Report a context manager that cannot be imported, and a module that is missing inside it."""
    path = conf.CONTEXT
    hint = "Set it to the dotted path of a context manager that takes no arguments."
    try:
        if path:
            import_string(path)
    except ImportError as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and not f"{path}.".startswith(f"{missing}."):
            hint = f"Install {missing}, or correct the import of it there."
        message = f"NEUROON_CONTEXT is {path!r}: {type(error).__name__}: {error}."
        yield Error(message, hint=hint, id="neuroon.E017")


def _names() -> Iterator[CheckMessage]:
    """Report `NEUROON_…` names that are no setting."""
    for flat in sorted(dir(settings)):
        name = flat.removeprefix(PREFIX)
        if not flat.startswith(PREFIX) or not flat.isupper() or name in NAMES:
            continue
        near = get_close_matches(name, NAMES, 1)
        yield Warning(
            f"{flat} is not a setting of neuroon-django.",
            hint=f"Did you mean {PREFIX}{near[0]}?" if near else "Remove it.",
            id="neuroon.W002",
        )
