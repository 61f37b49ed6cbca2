"""Rows of an order whose changes are the order's: a payment that pays it, say (law 13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from neuroon_django import ConversionLine, OrderFeed, clicks, muted
from tests.factories import COOKIE, recorded
from tests.shop.models import (
    Batch,
    Detail,
    House,
    Item,
    Label,
    Maker,
    Note,
    Offer,
    Order,
    OrderLine,
    Price,
    Product,
    Seller,
    Seo,
    Stock,
)

pytestmark = pytest.mark.django_db(transaction=True)


def orders(**entries: Any) -> type:
    return type("Orders", (OrderFeed,), {"order_value": 1, "is_paid": True} | entries)


@pytest.fixture
def made() -> dict[str, Any]:
    """Two orders (items here) with rows of every kind, the first one's by their names."""
    with muted():
        maker, label = Maker.objects.create(name="m"), Label.objects.create(name="l")
        first, second = (
            Item.objects.create(code=code, title=code, maker=maker, seo=Seo.objects.create(name=code))
            for code in "AB"
        )
        first.labels.add(label)
        offer = first.offers.create(name="o", seller=Seller.objects.create(name="s"))
        rows = {
            "offer": offer,
            "batch": Batch.objects.create(offer=offer, name="b"),
            "price": Price.objects.create(item=first, name="p"),
            "detail": Detail.objects.create(item=first, name="d"),
            "note": Note.objects.create(subject=first, name="n"),
            "stock": Stock.objects.create(item=first, name="s"),
        }
        other = second.offers.create(name="other")
        Batch.objects.create(offer=other, name="other")
    return {"first": first, "second": second, "other": other, "maker": maker, "label": label, **rows}


def order_ref(item: Item) -> tuple[str, str]:
    return "order:shop.item", str(item.pk)


ROWS = {
    "a row": ("offers", "offer"),
    "a row of a row": ("offers__batches", "batch"),
    "the row between": ("offers__batches", "offer"),
    "a row by another column": ("price", "price"),
    "a one-to-one row": ("detail", "detail"),
    "a generic row": ("notes", "note"),
    "a child by table": ("stocks", "stock"),
    "what it points to alone": ("seo", "seo"),
}
WRITES: dict[str, Callable[[Any], Any]] = {
    "save": lambda row: row.save(),
    "save of a field": lambda row: row.save(update_fields=["name"]),
    "delete": lambda row: row.delete(),
    "delete by queryset": lambda row: type(row).objects.filter(pk=row.pk).delete(),
    "half loaded": lambda row: type(row).objects.only("name").get(pk=row.pk).save(),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("kind", ROWS)
def test_law_13_a_row_of_one_order_alone_is_recorded_as_the_order(use_feeds, made, kind, write):
    path, name = ROWS[kind]
    use_feeds((Item, orders(depends_on=[path])))
    row = made["first"].seo if name == "seo" else made[name]
    first = order_ref(made["first"])
    WRITES[write](row)
    assert set(recorded()) == {first}


def test_law_13_a_new_row_counts(use_feeds, made):
    use_feeds((Item, orders(depends_on=["offers__batches"])))
    made["second"].offers.create(name="new")
    Batch.objects.create(offer=made["other"], name="new")
    assert recorded() == [order_ref(made["second"])] * 2


def test_law_13_a_row_that_moves_counts_for_both(use_feeds, made):
    use_feeds((Item, orders(depends_on=["offers__batches"])))
    both = {order_ref(made["first"]), order_ref(made["second"])}
    made["batch"].offer = made["other"]
    made["batch"].save()
    assert set(recorded()) == both
    made["offer"].item = made["second"]
    made["offer"].save()
    assert set(recorded()) == both


@pytest.mark.parametrize(
    ("path", "write"),
    [
        ("maker", lambda made: made["maker"].save()),
        ("labels", lambda made: made["label"].save()),
        ("labels", lambda made: made["second"].labels.add(made["label"])),
        ("offers__seller", lambda made: made["offer"].seller.save()),
        ("maker", lambda made: made["maker"].delete()),
    ],
)
def test_law_01_what_many_orders_share_is_recorded_for_none(use_feeds, made, path, write):
    """A product that is saved would name every order that it was ever sold in."""
    use_feeds((Item, orders(depends_on=[path])))
    write(made)
    assert recorded() == []


def test_law_03_what_orders_ignore(use_feeds, made):
    use_feeds((Item, orders(depends_on=["offers"], ignores=["offers__counted_at", "seen_at"])))
    made["offer"].save(update_fields=["counted_at"])
    made["first"].save(update_fields=["seen_at"])
    assert recorded() == []
    made["offer"].save(update_fields=["counted_at", "name"])
    assert recorded() == [order_ref(made["first"])]


def test_law_10_bulk_writes_of_an_orders_rows(use_feeds, made):
    rows = [Offer, "shop.Batch", Seo]
    use_feeds((Item, orders(depends_on=["offers__batches", "seo"], bulk_writes=rows)))
    Batch.objects.filter(name="b").update(name="x")
    Offer.objects.filter(name="o").update(name="x")
    Seo.objects.filter(name="A").update(name="x")
    assert recorded() == [order_ref(made["first"])] * 3
    Batch.objects.bulk_create([Batch(offer=made["other"], name="new")])
    assert recorded() == [order_ref(made["second"])]
    Batch.objects.filter(name="x").update(offer=made["other"])
    assert set(recorded()) == {order_ref(made["first"]), order_ref(made["second"])}


def test_law_16_a_row_saved_as_its_parent(use_feeds):
    use_feeds((Product, orders(depends_on=["stockrecords"])), (Maker, orders(depends_on=["items"])))
    with muted():
        house = House.objects.create(name="h")
    house.save()
    assert set(recorded()) == {("order:shop.maker", str(house.pk))}


def test_law_13_a_payment_reports_its_order(neuroon, flush_orders, use_feeds):
    """The payment is captured by a webhook; nobody saves the order itself."""

    class Checkout(OrderFeed[Order]):
        order_id, order_value = "number", "total"
        depends_on = ["lines"]  # lines that are paid one by one

        def is_paid(self, order: Order) -> bool:
            return any(line.quantity for line in order.lines.all())

        def lines(self, order: Order) -> list[ConversionLine]:
            return [ConversionLine("A", 1, line.total) for line in order.lines.all()]

    use_feeds((Order, Checkout))
    token = clicks.current.set(COOKIE)
    order = Order.objects.create(number="1001", total=20)
    clicks.current.reset(token)
    line = OrderLine.objects.create(order=order, quantity=0, total=20)
    flush_orders()
    assert not neuroon.conversions
    line.quantity = 1
    line.save()
    flush_orders()
    assert set(neuroon.conversions) == {"1001"}
