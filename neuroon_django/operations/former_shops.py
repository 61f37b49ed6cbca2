"""Shops that were taken out of the settings: what is left of them, and how that is settled.

Their rows stay, since a deploy may be taken back. Their products leave Neuroon with a key, before or
after the shop is taken out; what is known of them here is forgotten without one.
"""

from __future__ import annotations

from neuroon_django.conf import ShopConfig
from neuroon_django.exceptions import ConfigurationError
from neuroon_django.models import ShopState


def former_shops() -> list[ShopState]:
    """Return the shops that no setting stands for, with `in_neuroon`, their products still there.

    `config` has their shop id and address, and the flat settings for the rest: a flat
    `NEUROON_API_KEY` that is theirs lets `syncing.remove_everything` take their products out.
    """
    shops = list(ShopState.objects.unconfigured())
    for shop in shops:
        own = {"SHOP_ID": shop.shop_id, "API_URL": shop.api_url}
        shop.config = ShopConfig(shop.shop_id, own)
    return shops


def former_shop(shop_id: str) -> ShopState:
    """Return the former shop of that id; `ConfigurationError` where there is none, or are several."""
    found = [shop for shop in former_shops() if shop.shop_id == shop_id]
    if len(found) != 1:
        known = ", ".join(str(shop) for shop in former_shops()) or "none"
        raise ConfigurationError(f'No former shop is called "{shop_id}". There are: {known}.')
    return found[0]


def forget(shop: ShopState) -> int:
    """Forget a shop that no setting stands for: its products, orders and pauses; nothing is sent.

    Returns how many products are left at Neuroon. `ConfigurationError` where the shop is configured.
    """
    left = ShopState.objects.unconfigured().filter(pk=shop.pk).first()
    if left is None:
        raise ConfigurationError(f"{shop} is in the settings; take it out first.")
    left.delete()
    return left.in_neuroon
