"""What a shop's own tests get: the outbox, and the proof against a query per product."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db.models import Value
from django.test import TestCase

from neuroon_django import get_widget_token, mark_changed
from neuroon_django.conf import conf
from neuroon_django.models import Change, ShopState, SyncedProduct
from neuroon_django.testing import assert_feed_queries, neuroon_outbox
from tests.factories import make_order, make_product, pay
from tests.shop.models import Brand, Maker, Product
from tests.shop.neuroon import CatalogueFeed


@pytest.fixture(autouse=True)
def _off(settings) -> None:
    """As a shop would run its tests."""
    settings.NEUROON_ENABLED = False


@pytest.mark.django_db
def test_law_17_the_outbox_turns_the_app_on_inside_its_context_only():
    make_product("BEFORE")
    with neuroon_outbox() as outbox:
        product = make_product("A", brand=Brand.objects.create(name="Acme"))
    make_product("AFTER")
    assert outbox.products == {
        "A": {
            "externalId": "A",
            "name": "Product A",
            "price": Decimal("10.00"),
            "currency": "EUR",
            "url": f"https://mystore.com/p/{product.pk}/",
            "brand": "Acme",
            "brands": ["Acme"],
        }
    }
    assert outbox.changes == [("shop.brand", str(product.brand_id)), ("shop.product", str(product.pk))]
    assert (outbox.rejected, outbox.unlisted) == ({}, [])
    assert not SyncedProduct.objects.exists()
    assert not ShopState.objects.exists()


@pytest.mark.django_db
def test_the_outbox_follows_relations_and_tells_what_would_not_be_sent():
    brand = Brand.objects.create(name="Acme")
    make_product("A", brand=brand)
    make_product("B")
    bad = Product.objects.create(sku="BAD", title="Bad", brand=brand)
    Product.objects.create(sku="OFF", title="Off", brand=brand, is_published=False)
    with neuroon_outbox() as outbox:
        brand.name = "Acme 2"
        brand.save()
        assert {k: v["brand"] for k, v in outbox.products.items()} == {"A": "Acme 2"}
        gone = bad.pk
        assert outbox.rejected == {"BAD": "no price"}
        bad.delete()
    assert outbox.unlisted == [f"shop.product {gone}", "OFF"]
    with neuroon_outbox() as second:
        pass
    assert second.changes == []
    assert Change.objects.exists()


@pytest.mark.django_db
def test_a_query_per_product_is_seen(use_feeds):
    for sku in "ABC":
        make_product(sku, brand=Brand.objects.create(name=sku))
    assert_feed_queries(CatalogueFeed, 3)

    class Careless(CatalogueFeed):
        def name(self, product: Product) -> str:
            return f"{product.title} {product.stockrecords.exclude(price=1).count()}"

    use_feeds((Product, Careless))
    told = r"(?s)^6 queries for 3 products, 3 expected:\n1\. SELECT.*6\."
    with pytest.raises(AssertionError, match=told):
        assert_feed_queries(Careless, 3)
    with pytest.raises(AssertionError, match="CatalogueFeed is not registered"):
        assert_feed_queries(CatalogueFeed, 3)
    Product.objects.exclude(sku="A").delete()
    with pytest.raises(AssertionError, match="1 product"):
        assert_feed_queries(Careless, 4)


@pytest.mark.django_db
def test_a_method_of_the_model_cannot_hide_its_query(use_feeds):
    """`depends_on` left out: the query comes back for each product."""

    class Forgetful(CatalogueFeed):
        depends_on = []
        currency = Value("EUR")

    for sku in "AB":
        make_product(sku)
    use_feeds((Product, Forgetful))
    with pytest.raises(AssertionError, match="4 queries for 2 products"):
        assert_feed_queries(Forgetful, 2)


@pytest.mark.django_db
def test_marking_by_hand_shows_in_the_outbox():
    maker = Maker.objects.create(name="read by nobody")
    product = make_product("A")
    with neuroon_outbox() as outbox:
        mark_changed(maker)
        mark_changed(product.stockrecords.all())
    assert list(outbox.products) == ["A"]


@pytest.mark.django_db
def test_the_outbox_shows_what_would_be_reported_of_orders():
    product, other = make_product("A"), make_product("B")
    with neuroon_outbox() as outbox:
        order = make_order("1001", product, status="new")
        make_order("1002", other, searched=False)
        broken = make_order("1003", product)
        broken.currency = "euros"
        broken.save()
        assert outbox.conversions == {}
        pay(order)
        assert outbox.conversions == {
            "1001": {
                "orderId": "1001",
                "orderValue": Decimal("20.00"),
                "currency": "EUR",
                "conversions": [
                    {
                        "productId": "A",
                        "searchLogId": "search-1",
                        "quantity": 1,
                        "lineTotal": Decimal("20.00"),
                    }
                ],
            }
        }
    assert list(outbox.rejected) == ["1003"]


@pytest.mark.django_db
def test_law_14_the_outbox_sends_nothing_even_with_a_sandbox_at_hand(neuroon):
    with neuroon_outbox() as outbox:
        make_product("A")
        assert (conf.can_send, get_widget_token()) == (False, "")
    assert (list(outbox.products), neuroon.requests) == (["A"], [])


class InATestCase(TestCase):
    """As a shop without pytest uses it."""

    def test_the_outbox_stays_open_for_the_test(self) -> None:
        outbox = self.enterContext(neuroon_outbox())
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            make_product("A")
        self.assertEqual((list(outbox.products), callbacks), (["A"], []))
