"""The checks of feeds: paths, lists, querysets and keys, by id, message and hint."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models
from django.db.models import Value
from django.db.models.functions import Upper
from django.test.utils import isolate_apps

from neuroon_django import OrderFeed, ProductFeed
from tests.operators.checks.checking import REQUIRED, messages, use_feed
from tests.shop.models import Attached, Order, Product
from tests.shop.neuroon import CatalogueFeed, CheckoutFeed

pytestmark = pytest.mark.usefixtures("quiet_project")


class Raising(CatalogueFeed):
    def get_queryset(self):
        raise RuntimeError("too early")


class Typo(CatalogueFeed):
    brand = "brand__nam"


class Constant(CatalogueFeed):
    currency = "EUR"


class Annotated(CatalogueFeed):
    name = "loud"

    def get_queryset(self):
        return super().get_queryset().annotate(loud=Upper("title"))


class Dependent(CatalogueFeed):
    depends_on = ["stockrecord"]


class DependentOnField(CatalogueFeed):
    depends_on = ["brand__name"]


class DependentOnText(CatalogueFeed):
    depends_on = "stockrecords"


class IgnoringText(CatalogueFeed):
    ignores = "views"


class Ignoring(CatalogueFeed):
    ignores = ["view", "brand__visit", "brnd__name", "xyzzy"]


class IgnoringFields(CatalogueFeed):
    ignores = ["views", "brand", "brand_id", "brand__visits", "stockrecords__quantity", "pk"]


class BulkText(CatalogueFeed):
    bulk_writes = "shop.Product"


class BulkModel(CatalogueFeed):
    bulk_writes = Product


class BulkUnknown(CatalogueFeed):
    bulk_writes = ["shop.Prodct", "Xyzzy", int, None, "shop.StockRecord", Product]


class BulkFine(CatalogueFeed):
    bulk_writes = (Product, "shop.StockRecord", "auth.User", Product.categories.through)


class Bare(ProductFeed[Product]):
    """Only what every product model is said to have, and this one has not."""


class Fine(CatalogueFeed):
    brand = "brand"
    tags = Value("a,b")
    url = "get_absolute_url"
    external_id = "pk"
    categories = "categories__parent__title"
    depends_on = ["stockrecords", "stockrecords__product__brand"]


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        (
            Raising,
            [
                (
                    "neuroon.E004",
                    "Raising: get_queryset() raises RuntimeError: too early.",
                    "It must work at start-up, without a query.",
                )
            ],
        ),
        (
            Typo,
            [
                (
                    "neuroon.E005",
                    'Typo: brand = "brand__nam": Brand has no "nam".',
                    'Did you mean name? For a constant, type brand = Value("brand__nam").',
                )
            ],
        ),
        (
            Constant,
            [
                (
                    "neuroon.E005",
                    'Constant: currency = "EUR": Product has no "EUR".',
                    'For a constant, type currency = Value("EUR").',
                )
            ],
        ),
        (
            Dependent,
            [
                (
                    "neuroon.E006",
                    'Dependent: depends_on names "stockrecord": '
                    '"stockrecord" is no relation of Product.',
                    "Did you mean stockrecords?",
                )
            ],
        ),
        (
            DependentOnField,
            [
                (
                    "neuroon.E006",
                    'DependentOnField: depends_on names "brand__name": "name" is no relation of Brand.',
                    "Its own fields need not be named.",
                )
            ],
        ),
        (
            DependentOnText,
            [
                (
                    "neuroon.E010",
                    'DependentOnText: depends_on is the text "stockrecords".',
                    'Write a list: depends_on = ["stockrecords"].',
                )
            ],
        ),
        (
            IgnoringText,
            [
                (
                    "neuroon.E010",
                    'IgnoringText: ignores is the text "views".',
                    'Write a list: ignores = ["views"].',
                )
            ],
        ),
        (
            Ignoring,
            [
                (
                    "neuroon.W014",
                    f'Ignoring: ignores names "{path}", but {model} has no "{part}".',
                    f"Did you mean {near}?" if near else "Remove it.",
                )
                for path, model, part, near in [
                    ("view", "Product", "view", "views"),
                    ("brand__visit", "Brand", "visit", "visits"),
                    ("brnd__name", "Product", "brnd", "brand"),
                    ("xyzzy", "Product", "xyzzy", ""),
                ]
            ],
        ),
        (
            BulkText,
            [
                (
                    "neuroon.E010",
                    'BulkText: bulk_writes is the text "shop.Product".',
                    'Write a list: bulk_writes = ["shop.Product"].',
                )
            ],
        ),
        (
            BulkModel,
            [
                (
                    "neuroon.E010",
                    "BulkModel: bulk_writes is Product.",
                    "Write a list: [Product].",
                )
            ],
        ),
        (
            BulkUnknown,
            [
                (
                    "neuroon.E012",
                    f"BulkUnknown: bulk_writes names {entry}, which is no model.",
                    f'Did you mean "{near}"?' if near else 'Write the model, or "app.Model".',
                )
                for entry, near in [
                    ("'shop.Prodct'", "shop.Product"),
                    ("'Xyzzy'", ""),
                    ("int", ""),
                    ("None", ""),
                ]
            ],
        ),
        (
            Bare,
            [
                (
                    "neuroon.E005",
                    'Bare: name = "name": Product has no "name".',
                    'Say what name is, such as name = "title", or a method def name(self, …).',
                ),
                (
                    "neuroon.E005",
                    'Bare: price = "price": Product has no "price".',
                    'Write price = "…", a lookup, or a method def price(self, …).',
                ),
            ],
        ),
        (Annotated, []),
        (IgnoringFields, []),
        (BulkFine, []),
        (Fine, []),
        (CheckoutFeed, []),
    ],
)
def test_feeds(monkeypatch, feed, expected):
    model = Order if issubclass(feed, OrderFeed) else Product
    use_feed(monkeypatch, model, feed)
    assert messages() == expected


def model_of(**fields: models.Field) -> type[models.Model]:
    """A model with these fields."""

    class Meta:
        app_label = "elsewhere"

    with isolate_apps("tests.shop"):
        return type("Thing", (models.Model,), fields | {"__module__": __name__, "Meta": Meta})


@pytest.mark.parametrize(
    ("field", "name", "likely"),
    [
        ("label", "name", "label"),
        ("product_name", "name", "product_name"),
        ("nme", "name", "nme"),
        ("unit_price", "price", "unit_price"),
        ("link", "url", "link"),
        ("image_url", "url", ""),
        ("filename", "price", ""),
    ],
)
def test_a_default_that_is_not_on_the_model_names_a_likely_field(monkeypatch, field, name, likely):
    use_feed(monkeypatch, model_of(**{field: models.TextField()}), ProductFeed)
    [hint] = [hint for id, said, hint in messages() if id == "neuroon.E005" and f"{name} = " in said]
    advice = f'Say what {name} is, such as {name} = "{likely}", or a method def {name}(self, …).'
    assert hint == (
        advice if likely else f'Write {name} = "…", a lookup, or a method def {name}(self, …).'
    )


@pytest.mark.parametrize(
    ("key", "fits"),
    [
        (models.CharField(primary_key=True, max_length=255), True),
        (models.CharField(primary_key=True, max_length=256), False),
        (models.TextField(primary_key=True), False),
        (models.SlugField(primary_key=True, max_length=300), False),
        (models.UUIDField(primary_key=True), True),
        (models.OneToOneField(Product, models.CASCADE, primary_key=True), True),
    ],
)
def test_a_primary_key_that_may_not_fit(monkeypatch, key, fits):
    use_feed(monkeypatch, model_of(code=key), ProductFeed)
    assert [message for message in messages() if message[0] == "neuroon.E009"] == (
        []
        if fits
        else [
            (
                "neuroon.E009",
                "ProductFeed: the primary key of Thing, code, may be longer than 255 characters.",
                "Give it max_length=255 or less: changes are recorded by it.",
            )
        ]
    )


QUERYSETS = {
    "sliced": lambda feed: Product.objects.order_by("pk")[:1000],
    "a union": lambda feed: Product.objects.filter(sku="A").union(Product.objects.filter(sku="B")),
    "less than it reads": lambda feed: Product.objects.only("sku", "title"),
}


@pytest.mark.parametrize("how", QUERYSETS)
def test_a_queryset_that_cannot_be_worked_with(monkeypatch, how):
    feed = type("Feed", (CatalogueFeed,), {"get_queryset": QUERYSETS[how]})
    use_feed(monkeypatch, Product, feed)
    [(id, message, hint)] = messages()
    assert id == "neuroon.E004"
    assert message.startswith("Feed: get_queryset() cannot be filtered and joined: ")
    assert hint.startswith("Return one without slices, unions, and only() or defer()")


def test_a_lookup_over_what_cannot_be_joined(monkeypatch):
    feed = type("Feed", (ProductFeed,), REQUIRED | {"name": "subject__name"})
    use_feed(monkeypatch, Attached, feed)
    assert messages() == [
        (
            "neuroon.W015",
            'Feed: "subject__name" takes a query per product, and "subject" is not watched.',
            "Prefetch it in get_queryset(), and call mark_changed() where it changes.",
        )
    ]


def test_a_lookup_over_what_the_shop_prefetches_itself(monkeypatch):
    def prefetched(feed):
        return Attached.objects.prefetch_related("subject")

    own = {"name": "subject__name", "get_queryset": prefetched}
    feed = type("Feed", (ProductFeed,), REQUIRED | own)
    use_feed(monkeypatch, Attached, feed)
    assert messages() == []


def test_feeds_are_checked_anew_where_feeds_or_settings_changed(monkeypatch, settings):
    """The overview asks on each view, and no change is hidden from it."""
    asked: list[str] = []

    class Counted(CatalogueFeed):
        def get_queryset(self) -> Any:
            asked.append(self.shop.LANGUAGE)
            return super().get_queryset()

    def views(times: int) -> int:
        before = len(asked)
        for _ in range(times):
            messages()
        return len(asked) - before

    use_feed(monkeypatch, Product, Counted)
    assert views(1) > 0
    assert views(3) == 0
    settings.NEUROON_LANGUAGE = "es"
    assert views(1) > 0
    assert views(3) == 0
    assert asked[-1] == "es"
    use_feed(monkeypatch, Product, type("Another", (Counted,), {"brand": "nonsense"}))
    assert "neuroon.E005" in [id for id, _message, _hint in messages()]
