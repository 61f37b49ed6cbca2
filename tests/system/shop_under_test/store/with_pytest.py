"""The shop's tests that pytest alone runs, with the fixture of neuroon-django."""

from __future__ import annotations

from store.models import Product


def test_the_fixture(neuroon_outbox) -> None:
    Product.objects.create(sku="A", name="Shoe")
    Product.objects.create(sku="", name="Sock")
    assert list(neuroon_outbox.products) == ["A"]
    assert list(neuroon_outbox.rejected.values()) == ["no external id"]
