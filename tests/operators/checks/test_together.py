"""The checks of all feeds together: who is registered, and where."""

from __future__ import annotations

import pytest

from neuroon_django import ProductFeed
from neuroon_django.feeds import registry
from neuroon_django.feeds.registry import Registration
from tests.operators.checks.checking import REQUIRED, messages
from tests.shop.models import Order, Product, Tenanted

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
