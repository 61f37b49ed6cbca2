"""django-elasticsearch-dsl: indexes while a product is saved, or by a Celery task for each save."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from io import StringIO
from typing import Any

from django.core.management import call_command
from django_elasticsearch_dsl import Document, fields
from django_elasticsearch_dsl.registries import registry

from tests.benchmarks.peers.contender import Contender
from tests.shop.models import Batch, Item, Offer, Product


@registry.register_document
class ProductDocument(Document):
    title = fields.TextField()
    description = fields.TextField()
    price = fields.DoubleField()
    url = fields.TextField(attr="get_absolute_url")
    brand = fields.KeywordField()
    categories = fields.KeywordField(multi=True)

    class Index:
        name = "products"

    class Django:
        model = Product
        queryset_pagination = 1_000

    def get_queryset(self, *args: Any, **kwargs: Any) -> Any:
        found = super().get_queryset(*args, **kwargs)
        return found.select_related("brand").prefetch_related("categories", "stockrecords")

    def prepare_price(self, product: Product) -> float:
        return float(product.stockrecords.all()[0].price or 0)

    def prepare_brand(self, product: Product) -> str | None:
        return product.brand.name if product.brand else None

    def prepare_categories(self, product: Product) -> list[str]:
        return [category.title for category in product.categories.all()]


@registry.register_document
class ItemDocument(Document):
    title = fields.TextField()

    class Index:
        name = "items"

    class Django:
        model = Item
        related_models = [Offer, Batch]

    def get_instances_from_related(self, related: Offer | Batch) -> Item | None:
        return related.item if isinstance(related, Offer) else related.offer.item


class Elasticsearch(Contender):
    """Real-time, or with the processor that hands each save to Celery: the settings say which."""

    def set_up(self) -> None:
        """Configure Celery as a shop does, where there is a broker."""
        broker = os.environ.get("BROKER")
        if broker:
            from celery import Celery

            self.celery = Celery("benchmark", broker=broker)
            self.celery.set_default()

    def sync(self) -> None:
        """Index every product."""
        call_command("search_index", "--populate", models=["shop.Product"], stdout=StringIO())

    def deliver(self) -> None:
        """Let a worker of Celery's work the tasks off."""
        broker = os.environ.get("BROKER")
        if not broker:
            return
        from redis import Redis

        command = [sys.executable, "-m", "celery", "-A", "tests.benchmarks.peers.worker", "worker"]
        options = ["--pool", "solo", "-l", "ERROR", "--prefetch-multiplier", "1"]
        with (
            subprocess.Popen(
                [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as worker,
            Redis.from_url(broker) as queue,
        ):
            while queue.llen("celery") or queue.hlen("unacked"):
                time.sleep(0.1)
            worker.terminate()
