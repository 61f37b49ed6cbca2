"""Checks of `NEUROON_SHOPS`: entries that are no shops, and names in them that are no settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from neuroon_django.conf import Settings, ShopConfig, conf
from neuroon_django.feeds import registry
from neuroon_django.rules import PREFIX, settings_of
from neuroon_django.shops import ALIAS_HINT, declared_shops, is_alias

OF_A_SHOP, OF_THE_PROJECT = settings_of(ShopConfig), settings_of(Settings)


def check_shops() -> list[CheckMessage]:
    """Check the entries of `NEUROON_SHOPS`; its own type is checked as every setting's is."""
    entries = conf.SHOPS.items() if isinstance(conf.SHOPS, Mapping) else ()
    found = [message for alias, own in entries for message in _entry(alias, own)]
    return [*found, *_flat_id(), *_same_shops(), *_feeds(), *_function()]


def _entry(alias: Any, own: Any) -> Iterator[CheckMessage]:
    shown = repr(alias)[:100]
    if not is_alias(alias):
        yield Error(
            f"NEUROON_SHOPS: {shown} is no alias of a shop, which is left out.",
            hint=f"Call it by {ALIAS_HINT}.",
            id="neuroon.E013",
        )
    elif not isinstance(own, Mapping):
        yield Error(
            f'Shop "{alias}": its entry in NEUROON_SHOPS is of type {type(own).__name__}, not a dict.',
            hint=f'Set it to {{"SHOP_ID": {ShopConfig.SHOP_ID.hint.partition(",")[0]}, …}}.',
            id="neuroon.E013",
        )
    else:
        yield from (_unknown(alias, name) for name in own if name not in OF_A_SHOP)


def _unknown(alias: str, name: Any) -> CheckMessage:
    """Return the error of a name in a shop's entry that is no setting of a shop."""
    written = str(name).upper().removeprefix(PREFIX)
    near = get_close_matches(written, OF_A_SHOP, 1)
    hint = f'Did you mean "{near[0]}"?' if near else "Remove it."
    if written in OF_THE_PROJECT:
        hint = f"It is the project's: write {PREFIX}{written} = … outside NEUROON_SHOPS."
    return Error(
        f'Shop "{alias}": {repr(name)[:100]} in NEUROON_SHOPS is not a setting of a shop.',
        hint=hint,
        id="neuroon.E013",
    )


def _flat_id() -> Iterator[CheckMessage]:
    """Report a flat shop id beside several shops; other flat settings are what shops fall back to."""
    shops = declared_shops(conf.SHOPS)
    if shops and ShopConfig.SHOP_ID.written(conf):
        yield Error(
            "Both NEUROON_SHOP_ID and NEUROON_SHOPS are set: no shop has the id that is outside.",
            hint=f'Move it into its shop\'s entry, {{"{next(iter(shops))}": {{"SHOP_ID": …}}}}, with '
            "its API_KEY and STOREFRONT_URL, and remove NEUROON_SHOP_ID. "
            "What all shops share may stay outside.",
            id="neuroon.E014",
        )


def _feeds() -> Iterator[CheckMessage]:
    """Report aliases in a feed's `shops` that no shop has; such a feed is taken out of the others."""
    known = conf.shops()
    for model, feed in registry.feeds.values():
        for alias in feed.shops if isinstance(feed.shops, list | tuple) else ():
            if alias in known:
                continue
            near = get_close_matches(str(alias), known, 1)
            yield Error(
                f"{feed.__name__}: shops names {repr(alias)[:100]}, and no shop is called so.",
                hint=f'Did you mean "{near[0]}"?' if near else f"There are: {', '.join(known)}.",
                obj=model,
                id="neuroon.E019",
            )


def _function() -> Iterator[CheckMessage]:
    """Report a dotted path of `NEUROON_SHOP_FOR_REQUEST` that leads to nothing that can be called."""
    path = conf.SHOP_FOR_REQUEST
    try:
        if not path or callable(import_string(path)):
            return
        reason = "it cannot be called"
    except ImportError as error:
        reason = str(error)
    yield Error(
        f"NEUROON_SHOP_FOR_REQUEST is {path!r}: {reason}.",
        hint=f"Set it to {Settings.SHOP_FOR_REQUEST.hint}.",
        id="neuroon.E020",
    )


def _same_shops() -> Iterator[CheckMessage]:
    """Report aliases that stand for one and the same shop at Neuroon."""
    kept = {shop.identity: shop.alias for shop in conf.shops().values()}
    for alias, own in declared_shops(conf.SHOPS).items():
        shop = ShopConfig(alias, own)
        first = kept.get(shop.identity, alias)
        if shop.SHOP_ID and first != alias:
            yield Error(
                f'Shop "{alias}": its SHOP_ID is that of shop "{first}" at {shop.API_URL}; '
                "it is left out.",
                hint="Give it the id that Neuroon's dashboard shows for it, or remove it.",
                id="neuroon.E015",
            )
