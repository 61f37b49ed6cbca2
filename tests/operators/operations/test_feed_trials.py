"""The trial of the feeds: what `neuroon_verify` says of real products and a real order."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.core.management import CommandError

from neuroon_django import ConversionLine
from neuroon_django.feeds import registry
from neuroon_django.feeds.registry import Registration
from tests.factories import make_order, make_product
from tests.operators.commands import failing, neuroon_sync, run
from tests.shop.models import Order, Product
from tests.shop.neuroon import CatalogueFeed, CheckoutFeed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _quiet(settings):
    settings.NEUROON_AUTO_SYNC = False  # no broker in the tests, and no warning of it
    settings.DEBUG = True  # nor of what is only right on a developer's machine


def neuroon_verify(**kwargs: object) -> str:
    return run("neuroon_verify", **kwargs)


class Signed(CatalogueFeed):
    turns = 0

    def image_url(self, product: Product) -> str:
        Signed.turns += 1
        return f"https://cdn.test/{product.pk}?signature={Signed.turns}"


class OnSale(CatalogueFeed):
    """Of three products the second one's sale is none."""

    def sale_price(self, product: Product) -> int:
        return 0 if product.sku == "P-1" else 1


class Greedy(CatalogueFeed):
    def brand(self, product: Product) -> str:
        return str(product.categories.filter(title__gt="").count())


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        (
            Signed,
            [
                "warning  feeds    Signed: imageUrl differs each time the product is built",
                "                  → It would be sent again and again: return the same value.",
            ],
        ),
        (
            Greedy,
            [
                "warning  feeds    Greedy: 4 queries for one product, 6 for 3",
                "                  → Name the relations that its methods read in depends_on.",
            ],
        ),
        (
            OnSale,
            [
                "warning  feeds    OnSale: product {pks[1]}: salePrice is 0",
                "                  → Return None where there is no sale.",
            ],
        ),
    ],
)
def test_a_feed_that_is_not_a_function_of_the_product(neuroon, monkeypatch, feed, expected):
    pks = [make_product(f"P-{n}").pk for n in range(3)]
    monkeypatch.setitem(registry.feeds, "shop.product", Registration(Product, feed))
    assert neuroon_verify().splitlines()[1:3] == [line.format(pks=pks) for line in expected]


class Raising(CatalogueFeed):
    def price(self, product: Product) -> Decimal:
        return product.cost


def test_a_method_that_raises_has_a_hint(neuroon, monkeypatch):
    make_product()
    monkeypatch.setitem(registry.feeds, "shop.product", Registration(Product, Raising))
    out, error = failing("neuroon_verify")
    assert (str(error), error.returncode) == ("Failed: feeds", 1)
    assert out.splitlines()[1:3] == [
        "failed   feeds    Raising: 1 of 1 listed product cannot be sent "
        "(1 × price: AttributeError: 'Product' object has no attribute 'cost')",
        "                  → Correct that method or lookup of Raising, or the products, then run: "
        "manage.py neuroon_sync --scan",
    ]


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ({}, "ok       feeds    CatalogueFeed: product "),
        (
            {3: None, 7: None},
            "warning  feeds    CatalogueFeed: 2 of 10 listed products cannot be sent (2 × no price)",
        ),
        (
            dict.fromkeys(range(10)),
            "failed   feeds    CatalogueFeed: 10 of 10 listed products cannot be sent (10 × no price)",
        ),
    ],
)
def test_ten_listed_products_are_tried_and_not_the_first_rows(neuroon, prices, told):
    for n in range(60):
        make_product(f"U-{n}", price=None, is_published=False)
    for n in range(12):
        make_product(f"P-{n}", price=prices.get(n, "10.00"))
    if told.startswith("failed"):
        out, error = failing("neuroon_verify")
        assert str(error) == "Failed: feeds"
    else:
        out = neuroon_verify()
    assert out.splitlines()[1].startswith(told)


def test_a_catalogue_of_which_nothing_is_listed(neuroon, monkeypatch):
    for n in range(3):
        make_product(f"U-{n}", is_published=False)
    assert neuroon_verify().splitlines()[1] == (
        "warning  feeds    CatalogueFeed: none of the first 3 products is listed"
    )


def test_what_is_right_for_developers_only_is_a_warning_with_its_cure(neuroon, settings):
    settings.DEBUG = False
    make_product()
    _, first, cure, *_ = neuroon_verify().splitlines()
    assert first.startswith(
        f"warning  settings NEUROON_API_URL is {neuroon.url}, which is not the live "
    )
    assert cure.strip() == '→ Set it to "https://api.neuroon.ai".'


def test_what_the_hints_of_a_feed_say_to_run_does_mend_it(neuroon, monkeypatch):
    make_product()
    with monkeypatch.context() as patch:
        patch.setitem(registry.feeds, "shop.product", Registration(Product, Raising))
        with pytest.raises(CommandError, match="price: AttributeError"):
            neuroon_sync()
    neuroon_sync("--scan")
    assert list(neuroon.products) == ["A-1"]


def test_the_latest_paid_order_is_built_as_if_a_search_had_led_to_it(neuroon):
    product = make_product()
    make_order("1000", product)
    order = make_order("1001", product, None)
    make_order("1002", status="new")  # a cart
    lines = neuroon_verify(verbosity=2).splitlines()
    body = (
        '{"orderId":"1001","orderValue":20.00,"currency":"EUR","conversions":'
        '[{"productId":"A-1","searchLogId":"search","quantity":1,"lineTotal":20.00}]}'
    )
    assert lines[3] == (f"ok       feeds    CheckoutFeed: order {order.pk} built, {len(body)} bytes")
    assert lines[4] == body
    assert neuroon.conversions == {}


class BrokenLines(CheckoutFeed):
    def lines(self, order: Order) -> Iterator[ConversionLine]:
        for line in order.lines.all():
            yield ConversionLine(line.product, line.amount, line.total)


class BrokenPaid(CheckoutFeed):
    def is_paid(self, order: Order) -> bool:
        return order.paid_at is not None


class BrokenValue(CheckoutFeed):
    def order_value(self, order: Order) -> str:
        return "twenty"


@pytest.mark.parametrize(
    ("feed", "reason"),
    [
        (BrokenLines, "lines: AttributeError: 'OrderLine' object has no attribute 'amount'"),
        (BrokenPaid, "is paid: AttributeError: 'Order' object has no attribute 'paid_at'"),
        (BrokenValue, "order value: 'twenty' is not a number"),
    ],
)
def test_an_order_feed_that_cannot_say_what_is_asked(neuroon, monkeypatch, feed, reason):
    order = make_order("1001", make_product())
    monkeypatch.setitem(registry.feeds, "shop.order", Registration(Order, feed))
    name = feed.__name__
    assert neuroon_verify().splitlines()[2:4] == [
        f"warning  feeds    {name}: shop.order {order.pk}: {reason}",
        f"                  → Correct that method or lookup of {name}, or the order, then run: "
        "manage.py neuroon_sync --retry",
    ]


def test_an_order_of_which_no_line_is_reported(neuroon):
    make_product()
    order = make_order("1001", None)
    assert neuroon_verify().splitlines()[2:4] == [
        f"warning  feeds    CheckoutFeed: no line of order {order.pk} is reported",
        "                  → lines() must yield ConversionLine with a product of a feed and a "
        "quantity.",
    ]


def test_the_payload_with_verbosity(neuroon):
    product = make_product()
    assert neuroon_verify(verbosity=2).splitlines()[2] == (
        '{"externalId":"A-1","name":"Product A-1","price":10.00,"currency":"EUR",'
        f'"url":"https://mystore.com/p/{product.pk}/"}}'
    )
