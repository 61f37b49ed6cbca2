"""The lists' actions: what they change, and at what cost."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from neuroon_django import clicks
from neuroon_django.models import Conversion, SyncedProduct
from tests.operators.admin.pages import CONVERSIONS, PRODUCTS, act
from tests.operators.test_command_sync import make_product
from tests.shop.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


def test_sync_now_sends_again_what_is_known(neuroon, flush, operator):
    make_product("A"), make_product("B")
    flush()
    neuroon.clear()
    rows = SyncedProduct.objects.filter(external_id="A")
    assert act(operator, PRODUCTS, "send_now", rows) == ["1 row is queued."]
    flush(foreground=False)
    assert [r.external_ids for r in neuroon.sync_requests] == [("A",)]


def test_retry_takes_the_rejected_only(neuroon, flush, operator):
    make_product("A")
    make_product("B", price=None)
    flush()
    assert act(operator, PRODUCTS, "retry", SyncedProduct.objects.all()) == ["1 row is queued."]
    assert SyncedProduct.objects.get(external_id="B").status == "pending"
    assert SyncedProduct.objects.get(external_id="A").status == "synced"


def test_remove_takes_out_what_neuroon_has(neuroon, flush, operator):
    make_product("A")
    make_product("B", price=None)
    flush()
    told = act(operator, PRODUCTS, "remove", SyncedProduct.objects.all())
    assert told == [
        "1 row is queued.",
        "A product comes back with its next change or scan, unless the shop unlists it.",
    ]
    flush()
    assert neuroon.products == {}
    assert SyncedProduct.objects.get(external_id="A").status == "unlisted"


def test_actions_cost_the_same_for_one_and_for_all(neuroon, flush, operator):
    for n in range(150):
        make_product(f"P-{n:03}")
    flush()
    counts = []
    for across in ("0", "1"):
        with CaptureQueriesContext(connection) as captured:
            told = act(
                operator,
                PRODUCTS,
                "send_now",
                SyncedProduct.objects.all()[:1],
                select_across=across,
                index="0",
            )
        counts.append(len(captured))
    assert told == ["150 rows are queued."]
    assert counts[0] == counts[1]


def test_conversions_are_sent_again(neuroon, flush_orders, operator):
    product = make_product("A")
    token = clicks.current.set('{"A": "search-1"}')
    order = Order.objects.create(number="1001", total=Decimal("20"), status="paid")
    order.lines.create(product=product, quantity=2, total=Decimal("20"))
    clicks.current.reset(token)
    neuroon.fault("status", status=422, endpoint="conversion")
    flush_orders()
    assert Conversion.objects.get().status == "rejected"
    assert act(operator, CONVERSIONS, "retry", Conversion.objects.all()) == ["1 row is queued."]
    flush_orders(foreground=False)
    assert list(neuroon.conversions) == ["1001"]
    assert act(operator, CONVERSIONS, "send_now", Conversion.objects.all()) == ["0 rows are queued."]
