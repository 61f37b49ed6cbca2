"""Other feeds than the test shop's own, for the length of one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db.models import Model, Value

from neuroon_django import ProductFeed
from neuroon_django.delivery import fold_all
from neuroon_django.feeds import registry
from neuroon_django.models import Lane, SyncedProduct
from neuroon_django.recording.receivers import receivers
from tests.factories import current_shop
from tests.shop.models import Item


@pytest.fixture
def use_feeds() -> Iterator[Callable[..., None]]:
    """Swap the registered feeds, given as pairs of model and class, and listen to their models."""
    feeds, closed, unusable = registry.feeds, registry.closed, registry.unusable

    def swap(*pairs: tuple[type[Model], type]) -> None:
        registry.feeds, registry.closed, registry.unusable = {}, False, []
        for model, feed in pairs:
            registry.add(model, feed)
        registry.closed = True
        receivers.connect()

    yield swap
    registry.feeds, registry.closed, registry.unusable = feeds, closed, unusable
    receivers.connect()


@pytest.fixture
def use_items(use_feeds) -> Callable[..., None]:
    """Register items (or another model) with only the entries given beside the required ones."""

    def use(model: type[Model] = Item, **entries: object) -> None:
        use_feeds((model, item_feed(**entries)))

    return use


def item_feed(**entries: object) -> type:
    required = {
        "external_id": "code",
        "name": "title",
        "price": Value(1),
        "url": Value("https://mystore.com/"),
    }
    return type("ItemFeed", (ProductFeed,), required | entries)


@pytest.fixture
def looked_at() -> Callable[[], set[str]]:
    """The external ids that the recorded changes lead to, whether or not anything differs."""

    def ask() -> set[str]:
        shop = current_shop()
        fold_all(shop)
        rows = SyncedProduct.objects.of(shop).waiting().exclude(lane=Lane.DELETES)
        return set(rows.values_list("external_id", flat=True))

    return ask
