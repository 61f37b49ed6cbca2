"""What is kept for one order: shown, and forgotten when its shopper asks for it."""

from __future__ import annotations

import pytest

from neuroon_django import attribute_order, clicks_of, forget_order
from neuroon_django.models import Change, Conversion
from tests.factories import another_shop, pay, place
from tests.shop.models import Order, Product

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_clicks_of_an_order_from_its_first_save_to_its_report(neuroon, flush_orders):
    order = place(cookie='{"A":"a","B":"b"}')
    seen = [clicks_of(order)]
    flush_orders()
    seen.append(clicks_of(order))
    attribute_order(order, {"A": "later"})
    seen.append(clicks_of(order))
    pay(order)
    flush_orders()
    assert seen == [{"A": "a", "B": "b"}] * 2 + [{"B": "b", "A": "later"}]
    assert clicks_of(order) == {}


@pytest.mark.parametrize("when", ["recorded", "folded", "folded and recorded again"])
def test_law_13_an_order_is_forgotten_and_no_other(neuroon, flush_orders, when):
    order, other = place("1"), place("2")
    if when != "recorded":
        flush_orders()
    if when == "folded and recorded again":
        attribute_order(order, {"B": "b"})
    forget_order(order)
    assert (clicks_of(order), clicks_of(other)) == ({}, {"A": "search-1"})
    kept = Conversion.objects.filter(object_pk=str(order.pk))
    waiting = Change.objects.filter(model="order:shop.order", object_pk=str(order.pk))
    assert not kept.exists() and not waiting.exists()
    pay(order)
    pay(other)
    flush_orders()
    assert list(neuroon.conversions) == ["2"]


def test_law_13_an_order_is_forgotten_at_every_shop_and_while_the_app_is_off(settings):
    order = place()
    values = {"model": "shop.order", "object_pk": str(order.pk), "clicks": '{"A": "s"}'}
    Conversion.objects.create(shop=another_shop("former", "https://api"), key="k", **values)
    settings.NEUROON_ENABLED = False
    assert clicks_of(order) == {"A": "search-1"}
    forget_order(order)
    assert not Conversion.objects.exists()
    assert not Change.objects.filter(model="order:shop.order").exists()


@pytest.mark.parametrize("what", [Order(), Order(pk=10**9), Product(pk=5)], ids=repr)
def test_of_what_nothing_is_kept(what):
    order = place()
    assert clicks_of(what) == {}
    forget_order(what)
    assert clicks_of(order) == {"A": "search-1"}


def test_a_report_that_is_tried_again_of_an_order_that_is_forgotten(neuroon, flush_orders):
    order = place(status="paid")
    with neuroon.faulty("status", status=503, endpoint="conversion"):
        flush_orders(foreground=False)
    forget_order(order)
    flush_orders()
    assert not Conversion.objects.exists()
    assert neuroon.conversions == {}
