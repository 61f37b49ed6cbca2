"""The settings that a shop which talks to the sandbox is to have, as text to paste into a file."""

from __future__ import annotations

from collections.abc import Sequence

from .messages import MASK
from .state import State

OF_A_SHOP = {
    "SHOP_ID": "NEUROON_SHOP_ID",
    "API_KEY": "NEUROON_API_KEY",
    "STOREFRONT_URL": "NEUROON_STOREFRONT_URL",
}


def settings_to_paste(shops: Sequence[State], *, masked: bool = False) -> str:
    """Return the settings of one shop, or `NEUROON_SHOPS` of several, whose names are aliases.

    With `masked` the keys are not shown.
    """
    all_settings = [shop.pasted_settings() for shop in shops]
    if masked:
        all_settings = [own | {"NEUROON_API_KEY": MASK} for own in all_settings]
    flat = all_settings[0]
    if len(shops) == 1:
        return _lines(flat)
    shared = {name: value for name, value in flat.items() if name not in OF_A_SHOP.values()}
    entries = [
        f'    "{shop.name}": {{{_entry(own)}}},' for shop, own in zip(shops, all_settings, strict=True)
    ]
    return "\n".join([_lines(shared), "NEUROON_SHOPS = {", *entries, "}"])


def _lines(settings: dict[str, str]) -> str:
    return "\n".join(f'{name} = "{value}"' for name, value in settings.items())


def _entry(settings: dict[str, str]) -> str:
    return ", ".join(f'"{name}": "{settings[flat]}"' for name, flat in OF_A_SHOP.items())
