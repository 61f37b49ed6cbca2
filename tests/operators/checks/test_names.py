"""The checks of the names in a feed's class: missing, misspelt, or the app's own."""

from __future__ import annotations

from functools import partialmethod

import pytest

from neuroon_django import OrderFeed, ProductFeed
from neuroon_django.feeds import registry
from tests.naming import case
from tests.operators.checks.checking import REQUIRED, messages, use_feed
from tests.shop.models import Order, Product
from tests.shop.neuroon import CatalogueFeed, CheckoutFeed

pytestmark = pytest.mark.usefixtures("quiet_project")


class Empty(CatalogueFeed):
    price = None


class Misspelt(CatalogueFeed):
    imageurl = "description"

    def skus(self, product):  # a method of the shop's own
        return []


class NoLines(OrderFeed[Order]):
    order_id = "number"


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        (
            Empty,
            [
                (
                    "neuroon.E007",
                    "Empty: it does not say what price is.",
                    'Write price = "…", a lookup, or a method def price(self, …).',
                )
            ],
        ),
        (
            Misspelt,
            [("neuroon.W012", "Misspelt: nobody reads imageurl.", "Did you mean image_url?")],
        ),
        (
            NoLines,
            [
                (
                    "neuroon.E007",
                    f"NoLines: it does not say what {name} is.",
                    f'Write {name} = "…", a lookup, or a method def {name}(self, …).',
                )
                for name in ("order_value", "is_paid", "lines")
            ],
        ),
    ],
)
def test_entries_that_are_missing_or_misspelt(monkeypatch, feed, expected):
    model = Order if issubclass(feed, OrderFeed) else Product
    use_feed(monkeypatch, model, feed)
    assert messages() == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("category", "title", ("neuroon.W012", "Did you mean categories?")),
        ("image", "title", ("neuroon.W012", "Did you mean image_url?")),
        ("stock", "views", ("neuroon.W012", "Did you mean stock_quantity?")),
        ("quantity", "views", ("neuroon.W012", "Did you mean stock_quantity?")),
        ("sale", "views", ("neuroon.W012", "Did you mean sale_price?")),
        ("stock", lambda self, product: 1, None),  # a helper of the shop's own
        ("model", "title", ("neuroon.E011", "Give it another name.")),
        ("model", Order, ("neuroon.E011", "Give it another name.")),
        ("model", Product, None),
        ("shop", "title", ("neuroon.E011", "Give it another name.")),
        ("shop", lambda self, product: None, ("neuroon.E011", "Give it another name.")),
        # Names of a source, which a feed is no longer.
        ("related", lambda self, product: None, None),
        ("load", lambda self: None, None),
        ("render", lambda self, product: None, None),
        ("label", "title", None),
        ("feed", "title", None),
    ],
    ids=case,
)
def test_names_that_nobody_reads_or_the_app_uses(monkeypatch, name, value, expected):
    feed = type("Feed", (ProductFeed,), REQUIRED | {name: value})
    use_feed(monkeypatch, Product, feed)
    assert [(id, hint) for id, _message, hint in messages()] == ([expected] if expected else [])


def test_the_shops_properties_are_not_run(monkeypatch):
    def rates(feed):
        raise ValueError("relation shop_rate does not exist")

    own = {"rates": property(rates), "model": Product}
    feed = type("Feed", (ProductFeed,), REQUIRED | own)
    use_feed(monkeypatch, Product, feed)
    assert messages() == []


def test_what_orders_have_no_entry_for_is_not_advised(monkeypatch):
    feed = type("Feed", (CheckoutFeed,), {"quantity": "total"})
    use_feed(monkeypatch, Order, feed)
    assert messages() == []


@pytest.mark.parametrize(
    ("name", "method", "is_told"),
    [
        ("name", lambda self: "x", True),
        ("name", lambda self, product, shop: "x", True),
        ("name", lambda self, *, product: "x", True),
        ("brand", lambda: "x", True),
        ("extra", lambda self: {}, True),
        ("parent", lambda self: None, True),
        ("name", lambda self, product, shop=None: "x", False),
        ("name", lambda self, *products: "x", False),
        ("name", staticmethod(lambda product: "x"), False),
        ("name", staticmethod(lambda: "x"), True),
        ("name", classmethod(lambda cls, product: "x"), False),
        ("name", str, False),
        ("name", partialmethod(lambda self, kind, product: "x", "a"), False),
    ],
    ids=case,
)
def test_methods_take_the_product(monkeypatch, name, method, is_told):
    use_feed(monkeypatch, Product, type("Feed", (ProductFeed,), REQUIRED | {name: method}))
    told = f"Feed: {name}() cannot be called with the product alone."
    expected = [("neuroon.E005", told, f"Write def {name}(self, product).")]
    assert messages() == (expected if is_told else [])


def test_the_methods_of_orders_take_the_order(monkeypatch):
    feed = type("Feed", (CheckoutFeed,), {"lines": lambda self: []})
    use_feed(monkeypatch, Order, feed)
    told = "Feed: lines() cannot be called with the order alone."
    assert messages() == [("neuroon.E005", told, "Write def lines(self, order).")]


def test_a_feed_whose_init_takes_arguments_is_told(use_feeds):
    class Former(CatalogueFeed):
        def __init__(self, model):
            self.rate = 2

    use_feeds((Product, Former))
    told = "Former: __init__ takes arguments, and the app gives none."
    cure = "Remove them: self.model and self.shop are set when it is called."
    assert ("neuroon.E011", told, cure) in messages()
    assert registry.products() == []


def test_a_feeds_init_may_read_the_model_and_the_shop(use_feeds):
    class Own(CatalogueFeed):
        def __init__(self, rate=2):
            self.about = (self.model, self.shop.alias, rate)

    use_feeds((Product, Own))
    [source] = registry.products()
    assert source.feed.about == (Product, "default", 2)
    assert not [found for found in messages() if found[0].startswith("neuroon.E")]
