"""Rows and changes of models that have no feed here: they are left alone, and told (law 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models import Count, QuerySet

from neuroon_django.api.messages import digest
from neuroon_django.feeds import registry
from neuroon_django.models import Change, Conversion, ShopState, SyncedProduct
from neuroon_django.operations.remembered import remembered


def topics_of(shop: ShopState) -> set[str]:
    """Return the models whose changes concern the feeds of this process."""
    return registry.product_topics(shop.config) | registry.order_topics(shop.config)


def unknown_models(shop: ShopState) -> dict[str, int]:
    """Return how many rows and changes there are of each model without a feed here.

    No index begins with the model, since SQLite would take it for everything else: a large table is
    counted once in ten minutes.
    """
    labels = {label for _rows, known in _by_feeds(shop) for label in known}
    key = digest(",".join(sorted(labels)).encode())
    return remembered(f"unknown:{shop.pk}:{key}", lambda: _count(shop))


def _count(shop: ShopState) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for rows, known in _by_feeds(shop):
        unknown = rows.exclude(model__in=known).order_by().values_list("model")
        counts.update(dict(unknown.annotate(n=Count("pk"))))
    return dict(sorted(counts.items()))


def _by_feeds(shop: ShopState) -> Iterator[tuple[QuerySet[Any], set[str]]]:
    """Yield the rows of each table with the models that this process knows of them."""
    products, orders = registry.product_labels(shop.config), registry.order_labels(shop.config)
    yield SyncedProduct.objects.of(shop), {"", *products}
    yield Conversion.objects.of(shop), {"", *orders}
    yield Change.objects.all(), topics_of(shop)
