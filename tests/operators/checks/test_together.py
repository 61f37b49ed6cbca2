"""The checks of all feeds together: who is registered, and where."""

from __future__ import annotations

import pytest
from django.db import connection

from neuroon_django import ProductFeed
from neuroon_django.feeds import registry
from neuroon_django.feeds.registry import Registration
from tests.operators.checks.checking import REQUIRED, messages
from tests.shop.models import Brand, Gadget, Item, Maker, Order, Product, Tenanted, Tool, Voucher

pytestmark = pytest.mark.usefixtures("quiet_project")


def test_two_feeds_for_one_model(monkeypatch):
    class Second(ProductFeed[Product]):
        pass

    monkeypatch.setattr(registry, "duplicates", [Registration(Product, Second)])
    assert messages() == [
        (
            "neuroon.E008",
            "Product has two feeds, CatalogueFeed and Second.",
            "Remove one of them; only the first is used.",
        )
    ]


def test_a_composite_primary_key(monkeypatch):
    monkeypatch.setattr(registry, "closed", False)
    monkeypatch.setattr(registry, "unusable", [])
    registry.add(Tenanted, type("Feed", (ProductFeed,), REQUIRED))
    assert messages() == [
        (
            "neuroon.E009",
            "Feed: Tenanted has a composite primary key.",
            "Register a model with a primary key of one column; this one is left out.",
        )
    ]


class Elsewhere:
    def db_for_write(self, model: type, **hints: object) -> str | None:
        return "other" if model is Order else None


def test_law_16_models_in_several_databases(settings):
    settings.DATABASE_ROUTERS = [Elsewhere()]
    assert messages() == [
        (
            "neuroon.E003",
            "The models live in several databases: neuroon_django.Change in default, "
            "shop.Product in default, shop.Order in other.",
            "Route neuroon_django to the database of the shop's models.",
        )
    ]


def test_law_06_a_database_that_commits_by_hand(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "AUTOCOMMIT", False)
    assert messages() == [
        (
            "neuroon.E018",
            'DATABASES["default"] has AUTOCOMMIT = False: nothing that the app writes would stay.',
            "Remove AUTOCOMMIT, and use ATOMIC_REQUESTS or transaction.atomic() instead.",
        )
    ]


def feed(name: str, **entries: object) -> type:
    return type(name, (ProductFeed,), REQUIRED | entries)


SAME = {
    "both at pk": ({Item: {}, Brand: {}}, "ItemFeed and BrandFeed"),
    "by the key's name": ({Item: {"external_id": "id"}, Brand: {}}, "ItemFeed and BrandFeed"),
    "three": ({Item: {}, Brand: {}, Maker: {}}, "ItemFeed and BrandFeed and MakerFeed"),
    "a child and its parent": ({Item: {}, Tool: {}}, "ItemFeed and ToolFeed"),
    "one has another id": ({Item: {"external_id": "code"}, Brand: {}}, ""),
    "a method": ({Item: {"external_id": lambda feed, item: f"I{item.pk}"}, Brand: {}}, ""),
    "a key that no other table has": ({Item: {}, Gadget: {}}, ""),
    "a key of text": ({Item: {}, Voucher: {}}, ""),
    "one feed": ({Item: {}}, ""),
}


@pytest.mark.parametrize("case", SAME)
def test_feeds_that_count_alike(use_feeds, case):
    models, names = SAME[case]
    use_feeds(*((model, feed(f"{model.__name__}Feed", **own)) for model, own in models.items()))
    found = [(message, hint) for id, message, hint in messages() if id == "neuroon.W019"]
    told = f"{names} have the primary key as their external_id: two products may have the same."
    hint = 'Let external_id name a column that differs in all of them, such as "sku".'
    assert found == ([(told, hint)] if names else [])
