"""Each check by its id, its message and its hint; and that `check` really runs them."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from math import inf, nan
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.checks import run_checks
from django.db import models
from django.db.models import Value
from django.db.models.functions import Upper
from django.test.utils import isolate_apps

from neuroon_django import OrderFeed, ProductFeed
from neuroon_django.checks import project
from neuroon_django.checks.settings import RULES
from neuroon_django.conf import NAMES
from neuroon_django.feeds import registry
from neuroon_django.middleware import ClickAttributionMiddleware
from neuroon_django.schedules import beat_schedule
from tests.naming import case
from tests.shop.models import Attached, Order, Product, Tenanted
from tests.shop.neuroon import CatalogueFeed, CheckoutFeed

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def celery(monkeypatch) -> SimpleNamespace:
    """Celery's configuration, as the checks read it."""
    config = SimpleNamespace(
        broker_url="memory://",
        broker_write_url=None,
        task_always_eager=False,
        beat_schedule=beat_schedule(),
    )
    monkeypatch.setattr(project, "current_app", SimpleNamespace(conf=config))
    return config


@pytest.fixture(autouse=True)
def _quiet(settings, celery):
    """A project that no check complains of."""
    settings.NEUROON_API_URL = "https://api.neuroon.ai"


def told(*, deploy: bool = False) -> list[tuple[str, str, str]]:
    found = run_checks(tags=["neuroon"], include_deployment_checks=deploy)
    return [(m.id or "", m.msg, m.hint or "") for m in found]


def test_a_right_project_hears_nothing():
    assert told() == []
    assert told(deploy=True) == []


def test_every_setting_has_a_rule():
    assert set(RULES) == set(NAMES)


WRONG = {
    "SHOP_ID": [5, "s" * 201],
    "API_KEY": [5, "sk_ñ", "sk_\n1"],
    "API_URL": ["api.neuroon.ai", "ftp://api.neuroon.ai", "https://", 5, "https://[", "https://a:x"],
    "STOREFRONT_URL": [
        "mystore.com",
        5,
        "https://mystore.com/?a=1",
        "https://mystore.com#top",
        "https://my store.com",
        "https://mystore.com\n",
        "https://mystore.com\u00a0",
        f"https://mystore.com/{'a' * 255}",
    ],
    "PRODUCTS_API": ["both", 5],
    "BATCH_SIZE": [0, 101, "many", 1.5, True],
    "CURRENCY": ["euro", "€", 5, "EU1", "eur"],
    "LANGUAGE": [5],
    "RATE_LIMIT": [0, -1, "100", True, inf, nan],
    "IN_FLIGHT": [0, "4", 1000],
    "DEBOUNCE": [-1, "2", inf, 86_400],
    "TIMEOUT": [0, "60", "60s", inf, 3600],
    "WIDGET_TIMEOUT": [0, timedelta(seconds=2), inf, 3600],
    "CACHE": ["nowhere", 5],
    "QUEUE": [5],
    "ENABLED": ["False", 1],
    "AUTO_SYNC": ["no"],
    "KEEP_CLICKS": ["90", -1, inf, nan, 1e12, True, timedelta(days=-1), timedelta.max],
    "USER_AGENT": [5, "tienda/ñ", "shop\r\nX: 1", " shop"],
    "WIDGET_URL": ["cdn.neuroon.ai/widget.js", "/widget.js?v=1", "/my widget.js"],
    "WIDGET_INTEGRITY": [5],
    "WIDGET_THEME": ["blue"],
    "WIDGET_POSITION": ["left"],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG.items() for v in values])
def test_a_wrong_value_is_named_with_what_to_type(settings, name, value):
    setattr(settings, f"NEUROON_{name}", value)
    shown = "…" if name == "API_KEY" else repr(value)[:100]
    message = f"NEUROON_{name} is {shown}, which is no value for it."
    assert ("neuroon.E001", message, f"Set it to {RULES[name][1]}.") in told()


RIGHT = {
    "RATE_LIMIT": [None, 10, 99.5],
    "API_KEY": ["sk_1\n"],  # as a file gives it
    "KEEP_CLICKS": [timedelta(days=1), timedelta(0), 30, 0.5],
    "QUEUE": [None, "neuroon"],
    "LANGUAGE": [None, "es"],
    "DEBOUNCE": [0],
    "WIDGET_URL": ["/static/widget.js", "https://cdn.neuroon.ai/widget@0.9.10/widget.js"],
    "API_URL": ["http://127.0.0.1:8001", "http://localhost:1", "https://dev-api.neuroon.ai", None],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in RIGHT.items() for v in values])
def test_a_right_value_is_not(settings, name, value):
    setattr(settings, f"NEUROON_{name}", value)
    assert told() == []


MOVING = (
    "neuroon.W013",
    "NEUROON_WIDGET_INTEGRITY is dropped: the script at %s changes.",
    'Set NEUROON_WIDGET_URL to a version\'s address: "https://cdn.neuroon.ai/widget@0.9.10/widget.js".',
)


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        ("https://cdn.neuroon.ai/widget.js", False),
        ("https://cdn.neuroon.ai/widget@latest/widget.js", False),
        ("https://dev-cdn.neuroon.ai/widget.js", False),
        ("https://neuroon.ai/widget@/widget.js", False),
        ("https://cdn.neuroon.ai/widget@0.9.10/widget.js", True),
        ("https://cdn.neuroon.ai/widget@1/widget.js", True),
        ("https://cdn.notneuroon.ai/widget.js", True),
        ("/static/widget.js", True),
    ],
)
def test_an_integrity_needs_an_address_that_stays(settings, url, pinned):
    settings.NEUROON_WIDGET_URL = url
    assert told() == []
    settings.NEUROON_WIDGET_INTEGRITY = "sha384-x"
    id, message, hint = MOVING
    assert told() == ([] if pinned else [(id, message % url, hint)])


def test_every_setting_was_tried_wrong():
    assert set(WRONG) == set(NAMES)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"NEUROON_API_URL": "http://api.neuroon.ai"},
            (
                "neuroon.E002",
                "NEUROON_API_URL is http://api.neuroon.ai: the API key would travel unencrypted.",
                'Set it to "https://…".',
            ),
        ),
        (
            {"NEUROON_API_KEY": ""},
            (
                "neuroon.W001",
                "Not set: NEUROON_API_KEY. Changes are recorded, nothing is sent.",
                "Set it from Neuroon's dashboard, or NEUROON_ENABLED = False.",
            ),
        ),
        (
            {"NEUROON_SHOP_ID": "", "NEUROON_API_KEY": None},
            (
                "neuroon.W001",
                "Not set: NEUROON_SHOP_ID, NEUROON_API_KEY. Changes are recorded, nothing is sent.",
                "Set it from Neuroon's dashboard, or NEUROON_ENABLED = False.",
            ),
        ),
        (
            {"NEUROON_BACH_SIZE": 10},
            (
                "neuroon.W002",
                "NEUROON_BACH_SIZE is not a setting of neuroon-django.",
                "Did you mean NEUROON_BATCH_SIZE?",
            ),
        ),
        (
            {"NEUROON_XYZZY": 10},
            ("neuroon.W002", "NEUROON_XYZZY is not a setting of neuroon-django.", "Remove it."),
        ),
        (
            {"NEUROON_STOREFRONT_URL": ""},
            (
                "neuroon.W003",
                "NEUROON_STOREFRONT_URL is not set: relative addresses and the domain stay unknown.",
                'Set it to "https://mystore.com".',
            ),
        ),
        (
            {"MIDDLEWARE": []},
            (
                "neuroon.W006",
                "An OrderFeed is registered, but no middleware keeps the shoppers' clicks.",
                'Add "neuroon_django.middleware.ClickAttributionMiddleware" to MIDDLEWARE, '
                "or call attribute_order().",
            ),
        ),
    ],
)
def test_settings_together(settings, changes, expected):
    for name, value in changes.items():
        setattr(settings, name, value)
    assert told() == [expected]


class Consenting(ClickAttributionMiddleware):
    """A shop's own."""


def test_a_subclass_of_the_middleware_keeps_the_clicks(settings):
    settings.MIDDLEWARE = ["tests.operators.test_checks.nothing", "tests.operators.test_checks.told"]
    assert [id for id, _message, _hint in told()] == ["neuroon.W006"]
    settings.MIDDLEWARE = ["tests.operators.test_checks.Consenting"]
    assert told() == []


def test_switched_off_is_quiet(settings):
    settings.NEUROON_ENABLED = False
    settings.NEUROON_API_KEY = ""
    settings.MIDDLEWARE = []
    assert told(deploy=True) == []


def test_celery_that_wakes_nobody(settings, celery):
    celery.task_always_eager = True
    assert told() == [
        (
            "neuroon.W007",
            "Celery runs tasks eagerly: no worker is woken by a change.",
            "Run neuroon_sync from cron, or set CELERY_TASK_ALWAYS_EAGER = False.",
        )
    ]
    celery.task_always_eager = False
    celery.broker_url = None
    assert told() == [
        (
            "neuroon.W008",
            "Celery has no broker: no worker is woken by a change.",
            "Set CELERY_BROKER_URL and import the Celery app in the project's __init__.py "
            "(from .celery import app), or it is not read; or run neuroon_sync from cron and "
            "set NEUROON_AUTO_SYNC = False.",
        )
    ]
    settings.NEUROON_AUTO_SYNC = False
    assert told() == []


def test_deployment(settings, celery):
    settings.NEUROON_API_URL = "http://localhost:8001"
    settings.NEUROON_STOREFRONT_URL = "http://localhost:8000"
    del celery.beat_schedule["neuroon-flush-products"]
    assert told() == []
    assert told(deploy=True) == [
        (
            "neuroon.W009",
            "NEUROON_API_URL is http://localhost:8001, which is not the live service.",
            'Set it to "https://api.neuroon.ai".',
        ),
        (
            "neuroon.W010",
            "NEUROON_STOREFRONT_URL is 'http://localhost:8000', which shoppers cannot open.",
            'Set it to "https://mystore.com".',
        ),
        (
            "neuroon.W011",
            "Celery beat does not run neuroon_django.tasks.flush_products.",
            "CELERY_BEAT_SCHEDULE = neuroon_django.schedules.beat_schedule()",
        ),
    ]


@pytest.mark.parametrize("name", ["API_URL", "STOREFRONT_URL"])
def test_an_address_that_is_none_fails_no_check_of_a_deployment(settings, name):
    setattr(settings, f"NEUROON_{name}", "https://[")
    assert "neuroon.E001" in [id for id, _message, _hint in told(deploy=True)]


def test_no_product_feed(monkeypatch):
    monkeypatch.setattr(registry, "feeds", {})
    assert told() == [
        (
            "neuroon.W004",
            "No product feed is registered: nothing reaches Neuroon.",
            "Write <app>/neuroon.py with a ProductFeed and @register(Product).",
        )
    ]


class NoCurrency(CatalogueFeed):
    currency = None


@pytest.mark.parametrize("unset", [None, ""])
def test_no_currency_anywhere(settings, monkeypatch, unset):
    monkeypatch.setitem(registry.feeds, "shop.product", NoCurrency(Product))
    assert told() == []
    settings.NEUROON_CURRENCY = unset
    assert told() == [
        (
            "neuroon.W005",
            "NoCurrency has no currency, and NEUROON_CURRENCY is not set: USD is sent.",
            'Set NEUROON_CURRENCY = "EUR", or currency = Value("EUR") in the feed.',
        )
    ]


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


class Bare(ProductFeed[Product]):
    """Only what every product model is said to have, and this one has not."""


class Empty(CatalogueFeed):
    price = None


class Misspelt(CatalogueFeed):
    imageurl = "description"

    def skus(self, product):  # a method of the shop's own
        return []


class NoLines(OrderFeed[Order]):
    order_id = "number"


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
        (Annotated, []),
        (IgnoringFields, []),
        (Fine, []),
        (CheckoutFeed, []),
    ],
)
def test_feeds(monkeypatch, feed, expected):
    model = Order if issubclass(feed, OrderFeed) else Product
    monkeypatch.setitem(registry.feeds, model._meta.label_lower, feed(model))
    assert told() == expected


def feed_of(**fields: models.Field) -> ProductFeed:
    """A feed that writes nothing, of a model with these fields."""

    class Meta:
        app_label = "elsewhere"

    with isolate_apps("tests.shop"):
        model = type("Thing", (models.Model,), fields | {"__module__": __name__, "Meta": Meta})
    return ProductFeed(model)


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
    monkeypatch.setitem(registry.feeds, "elsewhere.thing", feed_of(**{field: models.TextField()}))
    [hint] = [hint for id, told, hint in told() if id == "neuroon.E005" and f"{name} = " in told]
    said = f'Say what {name} is, such as {name} = "{likely}", or a method def {name}(self, …).'
    assert hint == (
        said if likely else f'Write {name} = "…", a lookup, or a method def {name}(self, …).'
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
    monkeypatch.setitem(registry.feeds, "elsewhere.thing", feed_of(code=key))
    assert [message for message in told() if message[0] == "neuroon.E009"] == (
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


def test_two_feeds_for_one_model(monkeypatch):
    class Second(ProductFeed[Product]):
        pass

    monkeypatch.setattr(registry, "doubles", [(Product, Second)])
    assert told() == [
        (
            "neuroon.E008",
            "Product has two feeds, CatalogueFeed and Second.",
            "Remove one of them; only the first is used.",
        )
    ]


class Elsewhere:
    def db_for_write(self, model: type, **hints: object) -> str | None:
        return "other" if model is Order else None


REQUIRED = {
    "external_id": "pk",
    "name": Value("name"),
    "price": Value(1),
    "url": Value("https://mystore.com/"),
    "currency": Value("EUR"),
}
QUERYSETS = {
    "sliced": lambda feed: Product.objects.order_by("pk")[:1000],
    "a union": lambda feed: Product.objects.filter(sku="A").union(Product.objects.filter(sku="B")),
    "less than it reads": lambda feed: Product.objects.only("sku", "title"),
}


@pytest.mark.parametrize("how", QUERYSETS)
def test_a_queryset_that_cannot_be_worked_with(monkeypatch, how):
    feed = type("Feed", (CatalogueFeed,), {"get_queryset": QUERYSETS[how]})
    monkeypatch.setitem(registry.feeds, "shop.product", feed(Product))
    [(id, message, hint)] = told()
    assert id == "neuroon.E004"
    assert message.startswith("Feed: get_queryset() cannot be filtered and joined: ")
    assert hint.startswith("Return one without slices, unions, and only() or defer()")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("category", "title", ("neuroon.W012", "Did you mean categories?")),
        ("image", "title", ("neuroon.W012", "Did you mean image_url?")),
        ("stock", "views", ("neuroon.W012", "Did you mean stock_quantity?")),
        ("quantity", "views", ("neuroon.W012", "Did you mean stock_quantity?")),
        ("sale", "views", ("neuroon.W012", "Did you mean sale_price?")),
        ("stock", lambda self, product: 1, None),  # a helper of the shop's own
        ("related", lambda self, product: None, ("neuroon.E011", "Give it another name.")),
        ("load", lambda self: None, ("neuroon.E011", "Give it another name.")),
        ("label", "title", ("neuroon.E011", "Give it another name.")),
    ],
    ids=case,
)
def test_names_that_nobody_reads_or_the_app_uses(monkeypatch, name, value, expected):
    feed = type("Feed", (ProductFeed,), REQUIRED | {name: value})
    monkeypatch.setitem(registry.feeds, "shop.product", feed(Product))
    assert [(id, hint) for id, _message, hint in told()] == ([expected] if expected else [])


def test_a_lookup_over_what_cannot_be_joined(monkeypatch):
    feed = type("Feed", (ProductFeed,), REQUIRED | {"name": "subject__name"})
    monkeypatch.setitem(registry.feeds, "shop.attached", feed(Attached))
    assert told() == [
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
    monkeypatch.setitem(registry.feeds, "shop.attached", feed(Attached))
    assert told() == []


def test_the_shops_properties_are_not_run(monkeypatch):
    def rates(feed):
        raise ValueError("relation shop_rate does not exist")

    own = {"rates": property(rates), "model": Product}
    feed = type("Feed", (ProductFeed,), REQUIRED | own)
    monkeypatch.setitem(registry.feeds, "shop.product", feed(Product))
    assert told() == []


def test_what_orders_have_no_entry_for_is_not_advised(monkeypatch):
    feed = type("Feed", (CheckoutFeed,), {"quantity": "total"})
    monkeypatch.setitem(registry.feeds, "shop.order", feed(Order))
    assert told() == []


def test_a_composite_primary_key(monkeypatch):
    monkeypatch.setattr(registry, "closed", False)
    monkeypatch.setattr(registry, "unusable", [])
    registry.add(Tenanted, type("Feed", (ProductFeed,), REQUIRED))
    assert told() == [
        (
            "neuroon.E009",
            "Feed: Tenanted has a composite primary key.",
            "Register a model with a primary key of one column; this one is left out.",
        )
    ]


def test_law_16_models_in_several_databases(settings):
    settings.DATABASE_ROUTERS = [Elsewhere()]
    assert told() == [
        (
            "neuroon.E003",
            "The models live in several databases: neuroon_django.Change in default, "
            "shop.Product in default, shop.Order in other.",
            "Route neuroon_django to the database of the shop's models.",
        )
    ]


def test_check_really_runs_them():
    done = subprocess.run(
        [sys.executable, "-m", "django", "check", "--settings", "tests.settings"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"},
    )
    assert "(neuroon.W008) Celery has no broker" in done.stderr
