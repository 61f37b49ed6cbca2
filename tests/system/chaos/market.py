"""Several shops of one project: what differs from one to another, and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import translation

from neuroon_django.feeds import registry
from neuroon_django.feeds.registry import Registration
from neuroon_django.recording.receivers import receivers
from neuroon_django.testing import Sandbox
from tests.shop.models import Product
from tests.shop.neuroon import CatalogueFeed

OWN = {
    "es": {"LANGUAGE": "es", "CURRENCY": "EUR"},
    "uk": {"LANGUAGE": "en", "CURRENCY": "GBP"},
    "outlet": {"LANGUAGE": "es", "CURRENCY": "EUR"},
}


class MarketFeed(CatalogueFeed):
    """The catalogue in the shop's language; edits take products in and out of the outlet."""

    currency = None

    def get_queryset(self) -> QuerySet[Product]:
        products = super().get_queryset()
        there = Q(title__contains="1") | Q(sku__startswith="pillar")
        return products.filter(there) if self.shop.alias == "outlet" else products

    def name(self, product: Product) -> str:
        return f"{product.title} [{translation.get_language()}]"


def use_market() -> None:
    """Take the market's feed in place of the test shop's own."""
    registry.feeds = registry.feeds | {"shop.product": Registration(Product, MarketFeed)}
    receivers.connect()


def open_shops(neuroon: Sandbox, count: int) -> dict[str, Sandbox]:
    """Serve so many shops at a sandbox's address; return them by their aliases."""
    shops = {}
    for alias in list(OWN)[:count]:
        url = f"https://{alias}.mystore.com"
        shops[alias] = neuroon.add_shop(f"shop_{alias}", shop_url=url, verified=True)
    return shops


def settings_of(shops: Mapping[str, Sandbox]) -> dict[str, Any]:
    """Return the settings of a project with these shops."""
    entries = {
        alias: {
            "SHOP_ID": shop.shop_id,
            "API_KEY": shop.api_key,
            "STOREFRONT_URL": shop.shop_url,
            **OWN[alias],
        }
        for alias, shop in shops.items()
    }
    return {"NEUROON_SHOP_ID": "", "NEUROON_API_KEY": "", "NEUROON_SHOPS": entries}
