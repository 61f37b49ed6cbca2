"""algoliasearch-django: indexes while a product is saved, and by `algolia_reindex`."""

from __future__ import annotations

import os
from io import StringIO
from typing import Any, ClassVar
from urllib.parse import urlsplit

from algoliasearch.http.hosts import Host, HostsCollection
from algoliasearch.search.client import SearchClientSync
from algoliasearch.search.config import SearchConfig
from algoliasearch_django import AlgoliaIndex, algolia_engine
from django.core.management import call_command

from tests.benchmarks.peers.contender import Contender
from tests.shop.models import Item, Product


class ProductIndex(AlgoliaIndex):
    custom_objectID = "sku"
    fields = (
        ("title", "name"),
        "description",
        ("search_price", "price"),
        ("get_absolute_url", "url"),
        ("search_brand", "brand"),
        ("search_categories", "categories"),
    )


class TunedProductIndex(ProductIndex):
    def get_queryset(self) -> Any:
        return Product.objects.select_related("brand").prefetch_related("categories", "stockrecords")


class ItemIndex(AlgoliaIndex):
    custom_objectID = "code"
    fields = ("title",)


class Algolia(Contender):
    """As its documentation shows it, without a word on querysets."""

    index: ClassVar[type[AlgoliaIndex]] = ProductIndex

    def set_up(self) -> None:
        """Register the indexes, with a client that asks the local server."""
        # The package reads attributes of the model's.
        Product.search_price = property(lambda self: float(self.stockrecords.all()[0].price or 0))
        Product.search_brand = property(lambda self: self.brand.name if self.brand else None)
        Product.search_categories = property(
            lambda self: [category.title for category in self.categories.all()]
        )
        server = urlsplit(os.environ["SINK"])
        hosts = HostsCollection([Host("127.0.0.1", scheme="http", port=server.port)])
        config = SearchConfig("BENCHMARK", "key")
        config.hosts = hosts
        algolia_engine.client = SearchClientSync.create_with_config(config)
        algolia_engine.register(Product, self.index)
        algolia_engine.register(Item, ItemIndex)

    def sync(self) -> None:
        """Build the index anew."""
        call_command("algolia_reindex", model=["Product"], stdout=StringIO())


class TunedAlgolia(Algolia):
    """With `select_related` and `prefetch_related`, which is the best that one can do there."""

    index = TunedProductIndex
