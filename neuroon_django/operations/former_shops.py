"""Shops that the settings name no more: their rows are kept until somebody says that they may go.

A shop id that was mistyped for a minute must not cost what is known of the right one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction

from neuroon_django.conf import conf
from neuroon_django.models import Conversion, PlannedChange, ShopState, SyncedProduct, WaitingChild

TABLES = (SyncedProduct, Conversion, WaitingChild, PlannedChange)


@dataclass(frozen=True)
class FormerShop:
    """A shop id at an API address, and how many products and orders are kept for it."""

    shop_id: str
    api_url: str
    rows: int


def former_shops() -> Iterator[FormerShop]:
    """Yield the shops that have rows and are in no setting."""
    for shop in _former():
        rows = sum(table.objects.filter(shop=shop).count() for table in (SyncedProduct, Conversion))
        if rows:
            yield FormerShop(shop.shop_id, shop.api_url, rows)


def forget_shop(shop_id: str) -> int:
    """Delete all rows of a shop that is in no setting; return how many such shops there were."""
    shops = [shop for shop in _former() if shop.shop_id == shop_id]
    for shop in shops:
        with transaction.atomic(ShopState.objects.db):
            for table in TABLES:
                rows = table.objects.filter(shop=shop)
                rows._raw_delete(rows.db)
            shop.delete()
    return len(shops)


def _former() -> list[ShopState]:
    named = {(shop.SHOP_ID, shop.API_URL) for shop in conf.shops().values()}
    return [shop for shop in ShopState.objects.all() if (shop.shop_id, shop.api_url) not in named]
