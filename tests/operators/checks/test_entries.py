"""The checks of single entries: lists, constants and signed addresses, by id, message and hint."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.db.models import Value
from django.test.utils import isolate_apps

from neuroon_django import ProductFeed
from tests.operators.checks.checking import REQUIRED, messages, use_feed
from tests.shop.models import Order, Product
from tests.shop.neuroon import CatalogueFeed, CheckoutFeed

pytestmark = pytest.mark.usefixtures("quiet_project")


def found(monkeypatch, entries: dict[str, Any], *, order: bool = False) -> list[tuple[str, str]]:
    """What is said of a feed with these entries: message and hint of each error, without its name."""
    model, base = (Order, CheckoutFeed) if order else (Product, CatalogueFeed)
    use_feed(monkeypatch, model, type("Feed", (base,), entries))
    return [(m.removeprefix("Feed: "), h) for id, m, h in messages() if id == "neuroon.E016"]


SEVERAL = [
    ("price", "stockrecords__price", False, True),
    ("name", "categories__title", False, True),
    ("in_stock", "stockrecords__quantity", False, True),
    ("image_url", "stockrecords", False, True),
    ("is_paid", "lines__quantity", True, True),
    ("order_value", "lines__total", True, True),
    ("brand", "brand__name", False, False),
    ("categories", "categories__title", False, False),
    ("tags", "categories__parent__title", False, False),
    ("changes_at", "stockrecords__price", False, False),
]


@pytest.mark.parametrize(("name", "path", "order", "is_wrong"), SEVERAL)
def test_several_values_where_one_is_expected(monkeypatch, name, path, order, is_wrong):
    said = (
        f'{name} = "{path}" leads to several values where one is expected.',
        f"Write a method def {name}(self, …) that picks one.",
    )
    assert found(monkeypatch, {name: path}, order=order) == ([said] if is_wrong else [])


CONSTANTS = [
    ("in_stock", Value("false"), "in_stock is the text 'false', which counts as true"),
    ("is_listed", Value("no"), "is_listed is the text 'no', which counts as true"),
    ("currency", Value("euro"), "currency: 'EURO' is not an ISO 4217 code"),
    ("price", Value("ten"), "price: 'ten' is not a number"),
    ("price", -1, "price: -1 is negative"),
    ("sale_price", Decimal("NaN"), "sale_price: NaN is not an amount"),
    ("rating", 6, "rating: 6 is not between 0 and 5"),
    ("sku", [1], "sku: several values where one is expected; write a method that picks one"),
    ("external_id", Value(".."), "external_id: '..' cannot stand in an address"),
    ("in_stock", False, ""),
    ("in_stock", Value(True), ""),
    ("stock_quantity", 5, ""),
    ("categories", ("a", "b"), ""),
    ("brand", Value("Acme"), ""),
    ("url", Value("/p/"), ""),
    ("sale_price", None, ""),
]


@pytest.mark.parametrize(("name", "value", "wrong"), CONSTANTS)
def test_constants(monkeypatch, name, value, wrong):
    said = [message for message, _hint in found(monkeypatch, {name: value})]
    assert said == ([f"{wrong}."] if wrong else [])


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("is_paid", Value("yes"), "is_paid is the text 'yes', which counts as true"),
        ("is_cancelled", Value("no"), "is_cancelled is the text 'no', which counts as true"),
        ("order_value", Value("much"), "order_value: 'much' is not a number"),
        ("currency", Value("€"), "currency: '€' is not an ISO 4217 code"),
        ("is_cancelled", True, ""),
    ],
)
def test_constants_of_orders(monkeypatch, name, value, wrong):
    said = [message for message, _hint in found(monkeypatch, {name: value}, order=True)]
    assert said == ([f"{wrong}."] if wrong else [])


@pytest.mark.parametrize(
    ("text", "constant"), [("false", "False"), ("No", "False"), ("true", "True"), ("yes", "True")]
)
def test_a_flag_that_is_written_as_a_text(monkeypatch, text, constant):
    use_feed(monkeypatch, Product, type("Feed", (CatalogueFeed,), {"in_stock": text}))
    assert messages() == [
        (
            "neuroon.E005",
            f'Feed: in_stock = "{text}": Product has no "{text}".',
            f"For a constant, type in_stock = {constant}.",
        )
    ]


class Amazon(FileSystemStorage):
    """As the storages of django-storages say how they make addresses."""

    querystring_auth = True
    custom_domain = None
    cloudfront_signer = None


class Signing(Amazon):
    custom_domain = "cdn.mystore.com"
    cloudfront_signer = object()


class Public(Amazon):
    querystring_auth = False


class Distributed(Amazon):
    custom_domain = "cdn.mystore.com"


class Azure(FileSystemStorage):
    expiration_secs = 3600


class Broken(FileSystemStorage):
    @property
    def querystring_auth(self) -> bool:
        raise RuntimeError("no credentials here")


STORAGES = {
    FileSystemStorage: False,
    Amazon: True,
    Signing: True,
    Public: False,
    Distributed: False,
    Azure: True,
    Broken: False,
}


@pytest.mark.parametrize("storage", STORAGES)
@isolate_apps("tests.shop")
def test_storages_that_sign_their_addresses(monkeypatch, storage):
    class Photo(models.Model):
        image = models.FileField(storage=storage())

        class Meta:
            app_label = "shop"

    feed = type("Feed", (ProductFeed,), REQUIRED | {"image_url": "image"})
    use_feed(monkeypatch, Photo, feed)
    said = (
        "neuroon.W020",
        f'Feed: image_url = "image": {storage.__name__} signs addresses, which are others each time.',
        "Images would end to show, and all products be sent again by each scan. Set "
        "querystring_auth = False, or write a method that returns a public address.",
    )
    assert [m for m in messages() if m[0] == "neuroon.W020"] == ([said] if STORAGES[storage] else [])
