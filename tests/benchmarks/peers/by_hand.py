"""What a shop would write itself: nothing, a loop over instances, or one over bare columns."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from typing import Any

import requests
from django.db.models import F, Window
from django.db.models.functions import RowNumber

from tests.benchmarks.peers.contender import Contender
from tests.shop.models import Product, StockRecord

BATCH = 100


def post_all(products: Iterable[dict[str, Any]]) -> None:
    """Send products in batches of 100, one after the other."""
    url = f"{os.environ['SINK']}/api/plugin/shops/x/products/sync"
    rest = iter(products)
    with requests.Session() as session:
        while batch := list(islice(rest, BATCH)):
            body = {"syncType": "INCREMENTAL", "products": batch}
            session.post(url, json=body, headers={"X-Shop-API-Key": "sk_x"}).json()


class Bare(Contender):
    """The shop without any search: what a save and a delete cost by themselves."""


class ByHand(Contender):
    """The loop that one would write: instances with their relations, dicts, `Session.post`."""

    def sync(self) -> None:
        """Send every product; nothing is remembered."""
        products = Product.objects.select_related("brand").prefetch_related(
            "categories", "stockrecords"
        )
        post_all(map(self._payload, products.order_by("pk").iterator(chunk_size=BATCH)))

    def _payload(self, product: Product) -> dict[str, Any]:
        return {
            "externalId": product.sku,
            "name": product.title,
            "description": product.description,
            "price": float(product.stockrecords.all()[0].price or 0),
            "url": f"https://mystore.com{product.get_absolute_url()}",
            "brand": product.brand.name if product.brand else None,
            "categories": [category.title for category in product.categories.all()],
            "currency": "EUR",
        }


class Values(Contender):
    """The floor: columns without instances, relations joined by hand. Nobody writes it so."""

    def sync(self) -> None:
        """Send every product by `values_list()`, three queries in all."""
        through = Product.categories.through.objects.values_list("product_id", "category__title")
        categories: dict[int, list[str]] = {}
        for product, title in through.iterator(chunk_size=2_000):
            categories.setdefault(product, []).append(title)
        first = Window(RowNumber(), partition_by="product", order_by="pk")
        records = StockRecord.objects.annotate(n=first).filter(n=1).values_list("product", "price")
        prices = dict(records.iterator(chunk_size=2_000))
        columns = Product.objects.order_by("pk").annotate(brand_name=F("brand__name"))
        rows = columns.values_list("pk", "sku", "title", "description", "brand_name")
        post_all(
            {
                "externalId": sku,
                "name": title,
                "description": description,
                "price": float(prices[pk] or 0),
                "url": f"https://mystore.com/p/{pk}/",
                "brand": brand,
                "categories": categories.get(pk, []),
                "currency": "EUR",
            }
            for pk, sku, title, description, brand in rows.iterator(chunk_size=2_000)
        )
