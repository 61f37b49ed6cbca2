"""What becomes of paid orders: cancelled ones, clicks of the order's own, products renamed since."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from neuroon_django import ConversionLine, clicks, clicks_of, mark_changed
from neuroon_django.clicks import Clicked
from neuroon_django.models import Conversion, SyncedProduct
from tests.delivery.test_orders import Odd
from tests.factories import make_product, pay, place
from tests.shop.models import Brand, Ebook, Order, OrderLine, Product
from tests.shop.neuroon import CatalogueFeed, CheckoutFeed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def odd(monkeypatch) -> Odd:
    return Odd(monkeypatch)


def state() -> tuple[str, str]:
    return Conversion.objects.values_list("status", "last_error").get()


def reported(neuroon) -> dict[str, list[str]]:
    """The ids of the lines of every reported order."""
    lines = {number: body["conversions"] for number, body in neuroon.conversions.items()}
    return {number: [line["productId"] for line in found] for number, found in lines.items()}


# Cancelled


def test_law_13_an_order_that_is_cancelled_before_it_was_sent_is_not_reported(
    neuroon, flush_orders, use_feeds
):
    class Checkout(CheckoutFeed):
        def is_paid(self, order: Order) -> bool:
            return order.status in ("paid", "cancelled")

        def is_cancelled(self, order: Order) -> bool:
            return order.status == "cancelled"

    use_feeds((Product, CatalogueFeed), (Order, Checkout))
    order = place(status="paid")
    with neuroon.faulty("status", status=403, endpoint="conversion"):
        flush_orders(foreground=False)
    order.status = "cancelled"
    order.save()
    flush_orders()
    assert (state(), neuroon.conversions) == (("not_attributed", "the order is cancelled"), {})
    pay(order)  # after all
    flush_orders()
    assert (state(), reported(neuroon)) == (("sent", ""), {"1001": ["A"]})
    order.status = "cancelled"
    order.save()
    flush_orders()  # Neuroon knows no way to take a report back
    assert state() == ("sent", "")
    assert len(neuroon.requests_to("conversion")) == 2


# Clicks that the shop keeps with the order

PAIRS = {"A": "own"}
KEPT = {
    "a text": json.dumps(PAIRS),
    "percent-encoded": "%7B%22A%22%3A%22own%22%7D",
    "a mapping": PAIRS,
}
NOT_KEPT = {"none": None, "empty": {}, "a list": ["A"], "a number": 3, "garbage": "\0{😀"}


@pytest.mark.parametrize("kind", KEPT)
def test_law_13_a_headless_checkout_keeps_the_clicks_with_the_order(neuroon, flush_orders, odd, kind):
    odd.answers("clicks", KEPT[kind])
    place(cookie="", status="paid")
    flush_orders()
    [line] = neuroon.conversions["1001"]["conversions"]
    assert line["searchLogId"] == "own"


@pytest.mark.parametrize("kind", NOT_KEPT)
def test_law_13_whatever_the_order_keeps_the_middlewares_clicks_count(neuroon, flush_orders, odd, kind):
    odd.answers("clicks", NOT_KEPT[kind])
    place(status="paid")
    flush_orders()
    [line] = neuroon.conversions["1001"]["conversions"]
    assert line["searchLogId"] == "search-1"


def test_law_13_an_orders_own_clicks_are_kept_until_it_is_paid(neuroon, flush_orders, use_feeds):
    class Checkout(CheckoutFeed):
        order_id = "pk"
        clicks = "number"  # a field of the order

    use_feeds((Product, CatalogueFeed), (Order, Checkout))
    order = place(number=json.dumps(PAIRS), cookie='{"A": "older", "B": "b"}')
    for _ in range(3):
        flush_orders()
    assert clicks_of(order) == {"B": "b", "A": "own"}
    row = Conversion.objects.get()
    assert (row.status, row.due_at, row.revision) == ("waiting", None, 2)
    Order.objects.update(status="paid", number="")  # no signal
    Conversion.objects.reassess(row.shop)
    flush_orders()
    [body] = neuroon.conversions.values()
    assert body["conversions"][0]["searchLogId"] == "own"


def test_law_13_more_clicks_than_a_row_holds_come_to_rest(neuroon, flush_orders, odd):
    odd.answers("clicks", {f"É{n}" * 20: "é" * 200 for n in range(600)})
    place()
    for _ in range(3):
        flush_orders()
    row = Conversion.objects.get()
    assert (row.status, row.due_at, row.revision) == ("waiting", None, 2)


# Products that are called something else by the time of the payment


@pytest.fixture
def products(flush) -> dict[str, Product]:
    """Products that Neuroon has, and so shows to shoppers."""
    made = {sku: make_product(sku) for sku in "AB"}
    flush()
    return made


def rename(product: Product, sku: str) -> None:
    product.sku = sku
    product.save()


def test_law_13_a_product_renamed_before_the_payment_counts_under_the_id_that_was_clicked(
    neuroon, flush, flush_orders, products
):
    order = place()
    flush_orders()
    rename(products["A"], "A-2")
    flush()
    pay(order)
    flush_orders()
    assert reported(neuroon) == {"1001": ["A"]}


def test_law_13_a_rename_that_a_worker_comes_to_before_the_order(
    neuroon, flush, flush_orders, products
):
    order = place()
    rename(products["A"], "A-2")
    flush()
    pay(order)
    flush_orders()
    assert reported(neuroon) == {"1001": ["A"]}


def test_law_13_of_two_products_that_swap_their_ids_the_clicked_one_counts(
    neuroon, flush, flush_orders, products
):
    clicked, other = place("clicked"), place("other")
    OrderLine.objects.filter(order=other).update(product=products["B"])
    flush_orders()
    Product.objects.filter(pk=products["A"].pk).update(sku="B")
    Product.objects.filter(pk=products["B"].pk).update(sku="A")
    mark_changed(Product.objects.all())
    flush()
    pay(clicked)
    pay(other)
    flush_orders()
    assert reported(neuroon) == {"clicked": ["A"]}
    assert Conversion.objects.get(order_id="other").status == "not_attributed"


def test_law_13_a_new_click_is_the_present_owners(neuroon, flush, flush_orders, products):
    """The id was another product's at the first click; the shopper searched again."""
    order = place()
    flush_orders()
    rename(products["A"], "A-2")
    flush()
    rename(products["B"], "A")
    flush()
    OrderLine.objects.update(product=products["B"])
    order.status = "paid"
    with_cookie(order, '{"A": "search-2"}')
    flush_orders()
    assert reported(neuroon) == {"1001": ["A"]}


def with_cookie(order: Order, cookie: str) -> None:
    with clicks.serving(None, cookie):
        order.save()


def test_law_13_a_text_that_is_yielded_is_the_id(neuroon, flush, flush_orders, odd, products):
    odd.lines(ConversionLine(product="A", quantity=1, line_total=1))
    order = place()
    flush_orders()
    rename(products["A"], "A-2")
    flush()
    rename(products["B"], "A")
    flush()
    pay(order)
    flush_orders()
    assert reported(neuroon) == {"1001": ["A"]}


def test_law_13_what_neuroon_was_never_sent_counts_by_its_id(neuroon, flush_orders):
    pay(place())
    flush_orders()
    assert not SyncedProduct.objects.exists()
    assert reported(neuroon) == {"1001": ["A"]}


OWNERS = {"A": ("shop.product", "1")}


@pytest.mark.parametrize(
    ("external_id", "name", "found"),
    [
        ("A", ("shop.product", "1"), ("A", "s")),
        ("A-2", ("shop.product", "1"), ("A", "s")),
        ("A", ("shop.product", "2"), None),
        ("A", ("shop.ebook", "9"), ("A", "s")),  # the feed moved to another model
        ("A", None, ("A", "s")),
        ("B", ("shop.product", "2"), ("B", "t")),  # nobody knew whose it was
        ("C", ("shop.product", "2"), None),
        ("", None, None),
    ],
)
def test_law_13_which_click_is_a_products(external_id, name, found):
    assert Clicked({"A": "s", "B": "t"}, OWNERS).find(external_id, name) == found


def test_law_16_a_childs_line_counts_by_its_parents_name(neuroon, flush_orders, odd):
    book = Ebook.objects.create(isbn="1", sku="A", title="Book")
    odd.lines(ConversionLine(product=book, quantity=1, line_total=1))
    place(status="paid")
    flush_orders()
    assert reported(neuroon) == {"1001": ["A"]}


# Lines


def test_law_13_lines_whose_product_has_no_feed_are_told_on_the_row(neuroon, flush_orders, odd):
    brand = Brand.objects.create(name="No product")
    lines = [ConversionLine(product=p, quantity=1, line_total=5) for p in (brand, "A")]
    note = "lines of shop.Brand are left out: yield a product that has a feed"
    odd.lines(*lines)
    place(status="paid")
    flush_orders()
    assert (state(), reported(neuroon)) == (("sent", note), {"1001": ["A"]})
    Conversion.objects.all().delete()
    odd.lines(lines[0])
    place("2", status="paid")
    flush_orders()
    assert state() == ("not_attributed", note)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (OrderLine(quantity=1), "OrderLine"),
        ({"product": "A", "quantity": 1, "line_total": 1}, "dict"),
        (("A", 1, 1), "tuple"),
        (SimpleNamespace(product="A"), "SimpleNamespace"),
        (None, "NoneType"),
    ],
)
def test_what_is_yielded_for_a_line_is_named(neuroon, flush_orders, odd, line: Any, named):
    odd.lines(line)
    place(status="paid")
    flush_orders()
    assert state() == (
        "rejected",
        f"lines: yields {named} where ConversionLine(product=…, quantity=…, line_total=…) is expected",
    )


# Amounts that know their currency


@dataclass
class Money:
    """As django-money has it."""

    amount: int
    currency: str = "EUR"


AMOUNTS = {
    "the order's": ({"order_value": Money(20), "currency": None}, Money(5), ("sent", ""), "EUR"),
    "the lines'": ({"currency": None}, Money(5, "PLN"), ("sent", ""), "PLN"),
    "the feed's as well": ({"order_value": Money(20)}, Money(5), ("sent", ""), "EUR"),
    "another than the feed's": (
        {"order_value": Money(20, "USD")},
        5,
        ("rejected", "order value is in USD, and the currency is EUR"),
        "",
    ),
    "two": (
        {"order_value": Money(20), "currency": None},
        Money(5, "USD"),
        ("rejected", "line total is in USD, and the currency is EUR"),
        "",
    ),
}


@pytest.mark.parametrize("case", AMOUNTS)
def test_money_of_orders_keeps_its_currency(neuroon, flush_orders, odd, settings, case):
    settings.NEUROON_CURRENCY = "CHF"
    answers, total, expected, currency = AMOUNTS[case]
    for name, value in answers.items():
        odd.answers(name, value)
    odd.lines(ConversionLine(product="A", quantity=1, line_total=total))
    place(status="paid")
    flush_orders()
    assert state() == expected
    assert [body["currency"] for body in neuroon.conversions.values()] == (
        [currency] if currency else []
    )
