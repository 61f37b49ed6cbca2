"""The main job over real sockets and real commits."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import transaction

from neuroon_django import clicks
from neuroon_django.models import Change, Conversion, SyncedProduct
from tests.factories import make_product
from tests.shop.models import Brand, Category, Order

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_saved_product_reaches_neuroon(neuroon, flush):
    product = make_product(brand=Brand.objects.create(name="Acme"))
    product.categories.add(Category.objects.create(title="Tools"))
    tally = flush()
    assert tally.stopped == ""
    assert neuroon.products == {
        "A-1": {
            "externalId": "A-1",
            "name": "Product A-1",
            "price": Decimal("10.00"),
            "currency": "EUR",
            "url": f"https://mystore.com/p/{product.pk}/",
            "categories": ["Tools"],
            "brand": "Acme",
            "brands": ["Acme"],
        }
    }
    assert SyncedProduct.objects.get().status == "synced"
    assert not Change.objects.exists()


def test_500_saves_of_50_products_in_one_transaction_are_one_request(neuroon, flush):
    products = [make_product(f"P-{n}") for n in range(50)]
    flush()
    neuroon.clear()
    with transaction.atomic():
        for round_ in range(10):
            for product in products:
                product.title = f"Round {round_}"
                product.save()
    flush()
    assert [len(request.external_ids) for request in neuroon.sync_requests] == [50]
    flush()
    assert len(neuroon.sync_requests) == 1


def test_rename_swap_delete(neuroon, flush):
    one, two, three = make_product("A"), make_product("B"), make_product("C")
    flush()
    with transaction.atomic():
        one.sku, two.sku = "B", "A"
        one.save()
        two.save()
        three.delete()
    flush()
    assert {k: v["name"] for k, v in neuroon.products.items()} == {
        "A": "Product B",
        "B": "Product A",
    }
    assert SyncedProduct.objects.count() == 2


def test_unlisted_and_back(neuroon, flush):
    product = make_product("A")
    flush()
    product.is_published = False
    product.save()
    flush()
    assert neuroon.products == {}
    assert SyncedProduct.objects.get().status == "unlisted"
    product.is_published = True
    product.save()
    flush()
    assert "A" in neuroon.products


def test_paid_order_becomes_a_conversion(neuroon, flush_orders):
    product = make_product("A")
    token = clicks.current.set('{"A": "search-1"}')
    order = Order.objects.create(number="1001", total=Decimal("20"))
    order.lines.create(product=product, quantity=2, total=Decimal("20"))
    clicks.current.reset(token)
    flush_orders()
    assert Conversion.objects.get().status == "waiting"
    order.status = "paid"
    order.save()
    flush_orders()
    assert neuroon.conversions == {
        "1001": {
            "orderId": "1001",
            "orderValue": Decimal("20.00"),
            "currency": "EUR",
            "conversions": [
                {
                    "productId": "A",
                    "searchLogId": "search-1",
                    "quantity": 2,
                    "lineTotal": Decimal("20.00"),
                }
            ],
        }
    }
    assert Conversion.objects.get().status == "sent"


def test_brand_change_reaches_its_products_only(neuroon, flush):
    acme, other = Brand.objects.create(name="Acme"), Brand.objects.create(name="Other")
    make_product("A", brand=acme)
    make_product("B", brand=other)
    flush()
    neuroon.clear()
    acme.name = "Acme 2"
    acme.save()
    flush()
    assert [r.external_ids for r in neuroon.sync_requests] == [("A",)]
    acme.delete()
    flush()
    assert "brand" not in neuroon.products["A"]


def test_one_bad_product_of_100(neuroon, flush):
    for n in range(100):
        make_product(f"P-{n}")
    neuroon.error_style = "reject"
    neuroon.reject = {"P-37": "no"}
    flush()
    assert len(neuroon.products) == 99
    row = SyncedProduct.objects.get(status="rejected")
    assert row.external_id == "P-37"
    assert len(neuroon.sync_requests) < 20
