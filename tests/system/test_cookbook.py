"""The feeds of the cookbook: each passes the system checks with models that have what it reads."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from django.db import models
from django.test.utils import isolate_apps

import neuroon_django
from neuroon_django import OrderFeed, ProductFeed
from neuroon_django.checks.feeds import _in_context
from neuroon_django.conf import conf
from neuroon_django.feeds import OrderSource, ProductSource
from tests.system.handbook import Block, blocks

PAGES = ("README.md", "feeds.md")
FEEDS = [b for b in blocks("python") if b.page in PAGES and "Feed[" in b.code]


def cookbook() -> dict[str, type[models.Model]]:
    """Return the models that the handbook's feeds are written for, in the registry that is active."""

    class Base(models.Model):
        name = models.CharField(max_length=100)
        price = models.DecimalField(max_digits=10, decimal_places=2)

        class Meta:
            app_label = "shop"
            abstract = True

        def get_absolute_url(self) -> str:
            return f"/{self.pk}/"

    class Brand(models.Model):
        name = models.CharField(max_length=100)

        class Meta:
            app_label = "shop"

    class Category(models.Model):
        name = models.CharField(max_length=100)
        parent = models.ForeignKey("self", models.CASCADE, null=True)

        class Meta:
            app_label = "shop"

    class Product(Base):
        sku, upc, ean, title, kind, structure, colour, size, price_currency = (
            models.CharField(max_length=100) for _ in range(9)
        )
        description = models.TextField()
        brand = models.ForeignKey(Brand, models.CASCADE)
        categories = models.ManyToManyField(Category)
        parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="variants")
        image, main_image = models.FileField(), models.FileField()
        is_published = models.BooleanField()
        average_rating, review_count, view_count = (models.IntegerField() for _ in range(3))
        sale_price = models.DecimalField(max_digits=10, decimal_places=2, null=True)
        sale_starts_at, sale_ends_at, published_at = (models.DateTimeField() for _ in range(3))

        class Meta:
            app_label = "shop"

    class Partner(models.Model):
        is_active = models.BooleanField()

        class Meta:
            app_label = "shop"

    class StockRecord(models.Model):
        product = models.ForeignKey(Product, models.CASCADE, related_name="stockrecords")
        partner = models.ForeignKey(Partner, models.CASCADE)
        price = models.DecimalField(max_digits=10, decimal_places=2)
        counted_at = models.DateTimeField()

        class Meta:
            app_label = "shop"

    class Translation(models.Model):
        master = models.ForeignKey(Product, models.CASCADE, related_name="translations")
        name = models.CharField(max_length=100)

        class Meta:
            app_label = "shop"

    class Book(Base):
        class Meta:
            app_label = "shop"

    class Toy(Base):
        sku = models.CharField(max_length=100)

        class Meta:
            app_label = "shop"

    class Order(models.Model):
        number, status, currency, clicks = (models.CharField(max_length=100) for _ in range(4))
        total = models.DecimalField(max_digits=10, decimal_places=2)

        class Meta:
            app_label = "shop"

    class Payment(models.Model):
        order = models.ForeignKey(Order, models.CASCADE, related_name="payments")
        status = models.CharField(max_length=100)

        class Meta:
            app_label = "shop"

    kept = (Brand, Category, Product, StockRecord, Translation, Book, Toy, Order, Payment)
    return {model.__name__: model for model in kept}


@pytest.mark.parametrize("block", FEEDS, ids=str)
@isolate_apps("tests.shop")
def test_a_feed_of_the_handbook_passes_the_checks(block: Block, monkeypatch):
    registered: list[tuple[type[models.Model], Any]] = []

    def register(model: type[models.Model]) -> Any:
        return lambda feed: registered.append((model, feed))

    shop = ModuleType("shop.models")
    vars(shop).update(cookbook())
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.models", shop)
    monkeypatch.setattr(neuroon_django, "register", register)
    given = {name: getattr(neuroon_django, name) for name in neuroon_django.__all__}
    exec(block.code, {**given, **vars(shop), "Value": models.Value})
    assert registered
    for model, feed in registered:
        assert issubclass(feed, ProductFeed | OrderFeed)
        source: Any = (ProductSource if issubclass(feed, ProductFeed) else OrderSource)(
            feed, model, conf.shop()
        )
        missing = "neuroon.E007" if issubclass(feed, OrderFeed) else ""  # excerpts of an order's feed
        assert [str(m) for m in _in_context(source) if m.id != missing] == []
