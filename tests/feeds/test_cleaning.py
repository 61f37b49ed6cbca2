"""What becomes of a shop's values, one by one and in a payload (law 12)."""

from __future__ import annotations

import decimal
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.db import models
from django.db.models import Value
from django.db.models.fields.files import FieldFile
from django.utils import timezone, translation
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from neuroon_django.api import messages
from neuroon_django.conf import conf
from neuroon_django.exceptions import InvalidValue
from neuroon_django.feeds import Invalid, ProductSource, Rendered, Unlisted, cleaning, payload_context
from neuroon_django.feeds.lookups import lookup
from neuroon_django.feeds.rendering import RenderResult
from tests.feeds_in_use import item_feed
from tests.naming import case
from tests.shop.models import Item, Label


@dataclass
class Money:
    """As django-money has it."""

    amount: object
    currency: str = "EUR"


MONEY = {
    "1": "1.00",
    "a decimal": (Decimal("10.5"), "10.50"),
    "an integer": (7, "7.00"),
    "a float": (0.1 + 0.2, "0.30"),
    "a float on the edge": (2.675, "2.68"),
    "half a cent": (Decimal("0.125"), "0.13"),
    "half an even cent": (Decimal("0.005"), "0.01"),
    "scientific": (Decimal("1.5E+3"), "1500.00"),
    "tiny": (1e-7, "0.00"),
    "minus nothing": (Decimal("-0.00"), "0.00"),
    "text": (" 12.30 ", "12.30"),
    "lazy text": (lazystr("3"), "3.00"),
    "money": (Money(Decimal("9.999")), "10.00"),
    "many digits": (Decimal("0." + "3" * 60), "0.33"),
    "the most": (Decimal("999999999999999"), "999999999999999.00"),
}


@pytest.mark.parametrize("name", MONEY)
def test_law_12_numbers_are_quantised_to_the_cent(name):
    value, expected = MONEY[name] if isinstance(MONEY[name], tuple) else (name, MONEY[name])
    with decimal.localcontext(decimal.Context(prec=3, rounding=decimal.ROUND_DOWN)):
        assert str(cleaning.money(value)) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Decimal("NaN"), "NaN is not an amount"),
        (Decimal("sNaN"), "sNaN is not an amount"),
        (float("nan"), "nan is not an amount"),
        (float("inf"), "inf is not an amount"),
        (Decimal("-Infinity"), "-Infinity is not an amount"),
        (Decimal("1e15"), "1E+15 is not an amount"),
        (-1, "-1 is negative"),
        (-0.001, "-0.001 is negative"),
        ("", "'' is not a number"),
        ("1,50", "'1,50' is not a number"),
        ("on request", "'on request' is not a number"),
        (True, "'True' is not a number"),
        ([1], "several values where one is expected; write a method that picks one"),
        (Money(Decimal("NaN")), "NaN is not an amount"),
    ],
    ids=case,
)
def test_law_12_what_is_no_amount_says_why(value, reason):
    with pytest.raises(ValueError) as caught:
        cleaning.money(value)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3), (-2, 0), (Decimal("2.9"), 2), ("4", 4), (0.0, 0), (2**40, 2**40)],
)
def test_quantities_are_whole_and_never_negative(value, expected):
    assert cleaning.quantity(value) == expected


@pytest.mark.parametrize("value", [float("nan"), Decimal("NaN"), float("inf"), "many", True])
def test_law_12_quantities_are_finite(value):
    with pytest.raises(ValueError):
        cleaning.quantity(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  Chair \t of\n oak ", "Chair of oak"),
        ("Nul\x00 bell\x07 del\x7f ls\u2028x", "Nul bell del ls x"),
        ("as  the\u00a0shop wrote it", "as  the\u00a0shop wrote it"),
        ("x" * 600, "x" * 512),
        ("x" * 511 + " yy", "x" * 511),
        ("e\u0301 ü 木 🪑", "e\u0301 ü 木 🪑"),
        (mark_safe("<b>"), "<b>"),
        (lazystr("lazy"), "lazy"),
        (5, "5"),
    ],
)
def test_names_are_one_line_of_text(value, expected):
    assert cleaning.name(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain 5 < 6 & 7 > 3", "plain 5 < 6 & 7 > 3"),
        ("I <3 it", "I <3 it"),
        ("a &amp; b &eacute;&#233;&#xe9;", "a & b ééé"),
        ("<p>One</p><p>Two<br>Three</p>", "One\nTwo\nThree"),
        ("<ul><li>one</li>\n<li>two</li></ul>", "one\ntwo"),
        ("<style>p {color: red}</style><p>x</p><script>alert(1)</script>", "x"),
        ("keep\nlines\nof text", "keep\nlines\nof text"),
        ("<p>5 &lt; 6</p>", "5 < 6"),
        ("bell\x07<b>bold</b>\x00", "bellbold"),
        ("x" * 6000, "x" * 5000),
        ("<p>" + "y" * 6000 + "</p>", "y" * 5000),
        ("<!-- no -->yes", "yes"),
    ],
)
def test_descriptions_are_text(value, expected):
    assert cleaning.description(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("b, a ,b,, c", ["b", "a", "c"]),
        (["b", None, " a ", "b", ""], ["b", "a"]),
        (("x",), ["x"]),
        (lazystr("a,b"), ["a", "b"]),
        ([gettext_lazy("Yes"), "No"], ["Yes", "No"]),
        (iter(["a", "a"]), ["a"]),
        ({"a": 1}, ["a"]),
        (7, ["7"]),
        ("", []),
        (["a,b"], ["a,b"]),
        (["two\nlines"], ["two lines"]),
    ],
    ids=case,
)
def test_several_texts_from_whatever_holds_them(value, expected):
    assert cleaning.texts(value) == expected


@pytest.mark.django_db
def test_several_texts_from_managers_and_querysets():
    item = Item.objects.create(code="A", title="A")
    for name in ("x", "y", "x"):
        item.labels.create(name=name)
    names = item.labels.order_by("-pk").values_list("name", flat=True)
    assert cleaning.texts(names) == ["x", "y"]
    assert cleaning.texts(item.labels) == [str(label) for label in item.labels.all()]
    assert cleaning.texts(item.labels.all()) == [str(label) for label in Label.objects.all()]
    with pytest.raises(ValueError, match="several values"):
        cleaning.texts(item.labels.values_list("name", "pk"))


@pytest.mark.django_db
def test_law_12_what_has_no_order_is_in_the_order_of_its_keys(monkeypatch):
    """PostgreSQL gives rows of a relation without ordering in another order after any update."""
    item = Item.objects.create(code="A", title="A")
    for name in "xyz":
        item.labels.add(Label.objects.create(name=name))
    [found] = Item.objects.prefetch_related("labels")
    shuffled = found.labels.all()
    shuffled._result_cache = sorted(shuffled, key=lambda label: label.name, reverse=True)
    monkeypatch.setattr(type(item.labels), "all", lambda manager: shuffled)
    assert lookup("labels__name", Item)(found) == ["x", "y", "z"]
    assert cleaning.texts(found.labels) == [str(label) for label in Label.objects.order_by("pk")]
    shuffled.query.add_ordering("-name")
    assert lookup("labels__name", Item)(found) == ["z", "y", "x"]


def field_file(name: str, base_url: str | None) -> FieldFile:
    field = models.FileField(storage=InMemoryStorage(base_url=base_url))
    file = FieldFile(None, field, name)
    if name:
        file.storage.save(name, ContentFile(b""))
    return file


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/p/1/", "https://mystore.com/p/1/"),
        ("p/1/", "https://mystore.com/p/1/"),
        ("https://cdn.example/x.jpg?a=1&b=2#f", "https://cdn.example/x.jpg?a=1&b=2#f"),
        ("//cdn.example/x.jpg", "https://cdn.example/x.jpg"),
        ("/silla de roble/ñ/", "https://mystore.com/silla%20de%20roble/%C3%B1/"),
        ("/already%20quoted/", "https://mystore.com/already%20quoted/"),
        (field_file("a b.jpg", "/media/"), "https://mystore.com/media/a%20b.jpg"),
        (field_file("x.jpg", "https://cdn.example/"), "https://cdn.example/x.jpg"),
        (field_file("", "/media/"), ""),
        (lazystr("/lazy/"), "https://mystore.com/lazy/"),
        ("  ", ""),
    ],
    ids=case,
)
def test_addresses_are_absolute(value, expected):
    assert cleaning.address(value, "https://mystore.com") == expected


@pytest.mark.parametrize(
    ("value", "base", "reason"),
    [
        ("/p/1/", "", "'/p/1/' is not an absolute address, and NEUROON_STOREFRONT_URL is not set"),
        ("javascript:alert(1)", "https://x.com", "'javascript:alert(1)' is not an absolute address"),
        ("mailto:a@b.c", "https://x.com", "'mailto:a@b.c' is not an absolute address"),
        (["/a"], "", "several values where one is expected; write a method that picks one"),
    ],
)  # fmt: skip
def test_addresses_that_are_none_say_why(value, base, reason):
    with pytest.raises(ValueError) as caught:
        cleaning.address(value, base)
    assert str(caught.value) == reason


def test_a_file_of_the_ordinary_storage_has_an_address(tmp_path):
    field = models.ImageField(storage=FileSystemStorage(tmp_path, base_url="/media/"))
    file = FieldFile(None, field, "chairs/oak.png")
    assert cleaning.address(file, "https://x.com") == "https://x.com/media/chairs/oak.png"


@pytest.mark.parametrize(("value", "expected"), [("eur", "EUR"), (" usd ", "USD")])
def test_currencies_are_codes(value, expected):
    assert cleaning.currency(value) == expected


@pytest.mark.parametrize("value", ["€", "EURO", "", "EU1", "ÄÖÜ"])
def test_currencies_that_are_none(value):
    with pytest.raises(ValueError, match="is not an ISO 4217 code"):
        cleaning.currency(value)


# In a payload


def source_of(**entries: object) -> ProductSource[Item]:
    return ProductSource(item_feed(**entries), Item, conf.shop())


def render(**entries: object) -> RenderResult:
    source = source_of(**entries)
    with payload_context(source.shop):
        return source.render(Item(pk=1, code="A", title="Title"))


def rendered(**entries: object) -> Rendered:
    found = render(**entries)
    assert isinstance(found, Rendered), found
    return found


def payload(**entries: object) -> dict[str, object]:
    return messages.decode(rendered(**entries).payload)


def reason(**entries: object) -> str:
    found = render(**entries)
    assert isinstance(found, Invalid), found
    return found.reason


def test_law_12_a_set_has_one_order_in_every_process():
    """Python salts the hashes of texts."""
    code = "from neuroon_django.feeds.cleaning import plain, texts; "
    code += "some = {'red', 'green', 'blue', 'black'}; print(texts(some), plain(some))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    }
    ordered = ["black", "blue", "green", "red"]
    assert told == {f"{ordered} {ordered}\n"}


@pytest.mark.parametrize("several", [[False], (True,), {False}, Item.objects])
def test_in_stock_is_one_value(several):
    told = "in stock: several values where one is expected; write a method that picks one"
    assert reason(in_stock=lambda feed, item: several) == told


def test_what_is_none_or_empty_is_left_out():
    entries = dict.fromkeys(
        ("description", "sale_price", "image_url", "brand", "tags", "in_stock", "stock_quantity"),
        lambda feed, item: None,
    )
    empty = {"categories": lambda feed, item: [], "description": lambda feed, item: " "}
    assert payload(**(entries | empty)) == {
        "externalId": "A",
        "name": "Title",
        "price": Decimal("1.00"),
        "currency": "EUR",
        "url": "https://mystore.com/",
    }


def test_false_and_zero_are_values():
    sent = payload(in_stock=False, stock_quantity=0, price=0)
    assert (sent["inStock"], sent["stockQuantity"], sent["price"]) == (False, 0, Decimal("0.00"))


@pytest.mark.parametrize("name", ["external_id", "name", "price", "url"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_required_value_that_is_missing_is_named(name, value):
    expected = f"no {name.replace('_', ' ')}"
    told = reason(**{name: lambda feed, item: value})
    assert told == (expected if name != "price" or value is None else "price: '' is not a number")


@pytest.mark.parametrize("name", ["name", "description", "brand", "external_id", "tags"])
def test_law_12_a_lone_surrogate_is_that_products_rejection(name):
    told = reason(**{name: lambda feed, item: "broken \ud83d"})
    assert "surrogate" in told
    told.encode()


@pytest.mark.parametrize("name", ["price", "name", "tags", "image_url", "is_listed"])
def test_law_08_what_the_shops_code_raises_is_the_reason(name):
    def explode(feed, item):
        raise KeyError("missing \ud83d")

    told = f"{name.replace('_', ' ')}: KeyError: 'missing \\ud83d'"
    with pytest.raises(InvalidValue) as caught:
        source_of(**{name: explode}).value(name, Item())
    assert str(caught.value) == told
    assert reason(**{name: explode}) == told


def test_law_08_what_a_value_raises_when_it_is_read_is_the_reason():
    """A lazy text, a generator, a storage and Django's own guard against hostile markup."""

    def broken(feed, item):
        yield "a"
        raise RuntimeError("half way")

    class Untextable:
        def __str__(self) -> str:
            raise LookupError("no text")

    class Storage(InMemoryStorage):
        def url(self, name):
            raise OSError("the bucket is not there")

    file = FieldFile(None, models.FileField(storage=Storage()), "x.jpg")
    assert reason(tags=broken) == "tags: RuntimeError: half way"
    assert reason(name=lambda feed, item: Untextable()) == "name: LookupError: no text"
    assert reason(image_url=lambda feed, item: file) == "image url: OSError: the bucket is not there"
    hostile = "<" + "a" * 1001
    nested = reason(description=lambda feed, item: "<b>" + hostile * 60)
    assert nested.startswith("description: SuspiciousOperation")


def test_law_12_the_language_is_fixed_whoever_saves(settings):
    settings.NEUROON_LANGUAGE = "es"
    words = {"name": gettext_lazy("Yes"), "brand": lambda feed, item: translation.get_language()}
    with translation.override("fr"), timezone.override("Asia/Tokyo"):
        sent = payload(**words, tags=lambda feed, item: [timezone.get_current_timezone_name()])
    assert (sent["name"], sent["brand"], sent["tags"]) == ("Sí", "es", ["Europe/Madrid"])


def test_the_default_currency_is_the_settings(settings):
    settings.NEUROON_CURRENCY = "chf"
    assert payload()["currency"] == "CHF"
    settings.NEUROON_CURRENCY = "francs"
    assert reason() == "currency: 'FRANCS' is not an ISO 4217 code"


@dataclass
class Code:
    """A currency as py-moneyed has it."""

    code: str


EUR, USD = Money(Decimal("9.999")), Money(Decimal(1), "usd")
IN = {
    "its own": ({"price": EUR}, "EUR"),
    "its own, as an object": ({"price": Money(Decimal(1), Code("GBP"))}, "GBP"),
    "the feed's, which is the same": ({"price": EUR, "currency": Value("eur")}, "EUR"),
    "of both prices": ({"price": EUR, "sale_price": Money(Decimal(1))}, "EUR"),
    "of the sale price alone": ({"price": Value(1), "sale_price": USD}, "USD"),
    "none of its own": ({"price": Money(Decimal(1), "")}, "CHF"),
    "a plain number's": ({"price": Value(1)}, "CHF"),
}


@pytest.mark.parametrize("name", IN)
def test_money_keeps_its_currency(settings, name):
    settings.NEUROON_CURRENCY = "CHF"
    entries, expected = IN[name]
    sent = payload(**entries)
    assert sent["currency"] == expected
    assert all(type(sent[field]) is Decimal for field in ("price", "salePrice") if field in sent)


DIFFERS = {
    "from the feed's": (
        {"price": EUR, "currency": Value("USD")},
        "price is in EUR, and the currency is USD",
    ),
    "from the other price's": (
        {"price": EUR, "sale_price": USD},
        "sale price is in USD, and the currency is EUR",
    ),
    "no currency at all": (
        {"price": Money(Decimal(1), "euros")},
        "price: 'EUROS' is not an ISO 4217 code",
    ),
}


@pytest.mark.parametrize("name", DIFFERS)
def test_money_in_another_currency_says_so(name):
    entries, expected = DIFFERS[name]
    assert reason(**entries) == expected


def test_typed_entries_are_fields_of_the_plugin_route():
    sent = payload(
        sku=Value(" SKU\n1 "),
        rating=Value("4.333"),
        review_count=3.9,
        attributes={"colour": gettext_lazy("Yes"), "size": None, 1: 2},
        parent=lambda feed, item: "P",
    )
    assert sent["sku"] == "SKU 1"
    assert (sent["rating"], sent["reviewCount"]) == (Decimal("4.33"), 3)
    assert sent["attributes"] == {"colour": "Yes", "1": "2"}
    assert sent["parentExternalId"] == "P"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": "x", "a": 1.5}, {"b": "x", "a": "1.5"}),
        ([("a", "x"), ("b", None)], {"a": "x"}),
        ({"a": ["x", "y", "x"], "b": ("z",)}, {"a": "x, y", "b": "z"}),
        ({" a\n": " x\ty ", "b": "", "": "c"}, {"a": "x y"}),
        (iter([("a", lazystr("x"))]), {"a": "x"}),
        ({"a": True, "b": 0}, {"a": "True", "b": "0"}),
        ({}, {}),
    ],
    ids=case,
)
def test_attributes_are_texts_by_name(value, expected):
    assert cleaning.attributes(value) == expected
    assert cleaning.attributes({"a": set("zyx")}) == {"a": "x, y, z"}


@pytest.mark.parametrize(
    ("entry", "value", "told"),
    [
        ("rating", 5.01, "rating: 5.01 is not between 0 and 5"),
        ("rating", -1, "rating: -1 is not between 0 and 5"),
        ("rating", Decimal("NaN"), "rating: NaN is not an amount"),
        ("rating", "good", "rating: 'good' is not a number"),
        ("review_count", "many", "review count: 'many' is not a number"),
        ("sku", ["a"], "sku: several values where one is expected; write a method that picks one"),
        ("attributes", "red", "attributes: names and values are expected, such as {'colour': 'red'}"),
        ("attributes", 5, "attributes: names and values are expected, such as {'colour': 'red'}"),
        ("parent", "A", "parent: a product cannot be its own"),
        ("parent", "..", "parent: '..' cannot stand in an address"),
        ("parent", Item(code=""), "parent: it has no external id"),
        ("parent", Label(), "parent: shop.Label has no product feed"),
    ],
    ids=case,
)
def test_typed_entries_that_cannot_be_sent_say_why(entry, value, told):
    assert reason(**{entry: lambda feed, item: value}) == told


@pytest.mark.parametrize("value", [None, "", [], {}])
@pytest.mark.parametrize("entry", ["sku", "attributes", "parent"])
def test_typed_entries_without_a_value_are_left_out(entry, value):
    if entry == "attributes" and value == "":
        value = {"a": ""}
    if entry != "attributes" and value in ([], {}):
        value = None
    assert payload(**{entry: lambda feed, item: value}).keys() == payload().keys()


def test_an_entry_and_a_further_field_of_one_name_are_told():
    further = {"sku": "x", "parentExternalId": "y", "rating": 1}
    told = reason(extra=lambda feed, item: further, sku="code", parent=lambda feed, item: "P")
    assert told == "extra: parentExternalId, sku: the feed has an entry for that"


def test_the_digest_is_that_of_the_plugin_route_on_both():
    """So that finding another route sends nothing anew by itself."""
    one = rendered(sku="code", rating=4, attributes={"a": "b"})
    body = messages.decode(messages.encode_batch([one.payload], "shops"))
    assert body == [payload()]
    assert one.digest == rendered(sku="code", rating=4, attributes={"a": "b"}).digest


NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NOW + timedelta(hours=1), NOW + timedelta(hours=1)),
        (datetime(2030, 1, 1, 14), NOW + timedelta(hours=1)),  # in Madrid
        (datetime(2030, 7, 1, 14), datetime(2030, 7, 1, 12, tzinfo=UTC)),
        (date(2030, 1, 2), datetime(2030, 1, 1, 23, tzinfo=UTC)),
        (NOW, None),
        (NOW - timedelta(seconds=1), None),
        (date(2030, 1, 1), None),
        ([NOW, None, NOW + timedelta(3), NOW + timedelta(2)], NOW + timedelta(2)),
        ((), None),
    ],
    ids=case,
)
def test_the_next_moment_is_in_the_projects_time_zone(monkeypatch, value, expected):
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    with timezone.override("Asia/Tokyo"):  # whoever saved is there
        assert rendered(changes_at=lambda feed, item: value).changes_at == expected
        unlisted = render(changes_at=lambda feed, item: value, is_listed=False)
    assert unlisted == Unlisted(expected)


def test_the_next_moment_without_time_zones(settings, monkeypatch):
    settings.USE_TZ = False
    settings.TIME_ZONE = "Europe/Madrid"
    naive = datetime(2999, 1, 1, 13)
    assert rendered(changes_at=lambda feed, item: naive).changes_at == naive
    aware = datetime(2999, 1, 1, 12, tzinfo=UTC)
    assert rendered(changes_at=lambda feed, item: aware).changes_at == naive


@pytest.mark.parametrize("value", ["2030-01-01", 5, Decimal(1)])
def test_what_is_no_moment_is_told(value):
    assert reason(changes_at=lambda feed, item: value) == f"changes at: '{value}' is no datetime"


def test_when_a_product_changes_is_no_part_of_its_payload():
    later = rendered(changes_at=lambda feed, item: datetime(2999, 1, 1))
    assert later.digest == rendered().digest


CONSTANTS = {
    "a text in Value": (Value("EUR"), "EUR"),
    "a number": (7, "7"),
    "a decimal": (Decimal("1.50"), "1.50"),
    "zero": (0, "0"),
    "a lazy text": (gettext_lazy("Yes"), "Yes"),
    "a safe text": (Value(mark_safe("b")), "b"),
    "a number in Value": (Value(3), "3"),
}


@pytest.mark.parametrize("kind", CONSTANTS)
def test_constants_are_sent_as_they_are(kind):
    constant, expected = CONSTANTS[kind]
    assert payload(brand=constant)["brand"] == expected


@pytest.mark.parametrize("nothing", [None, Value(None), Value("")])
@pytest.mark.parametrize("entry", ["brand", "price", "is_listed", "parent", "attributes", "rating"])
def test_a_constant_of_nothing(entry, nothing):
    if entry == "price":
        assert reason(price=nothing).startswith(("no price", "price: '' is not a number"))
    elif entry == "is_listed":
        assert render(is_listed=nothing) == Unlisted()
    elif nothing is not None and nothing.value == "" and entry in ("rating", "attributes"):
        assert reason(**{entry: nothing}).startswith(entry)
    else:
        assert payload(**{entry: nothing}).keys() == payload().keys()


def test_further_fields_are_as_json_can_hold_them():
    def extra(feed, item):
        return {
            "sku": item.code,
            "rating": 4.5,
            "attributes": {"colour": gettext_lazy("Yes"), 1: ["a", Decimal("2.50")]},
        }

    sent = payload(extra=extra)
    assert sent["attributes"] == {"colour": "Yes", "1": ["a", Decimal("2.50")]}
    assert (sent["sku"], sent["rating"]) == ("A", Decimal("4.5"))


def test_law_12_numbers_of_further_fields_are_to_the_cent_and_nulls_left_out():
    def extra(feed, item):
        return {
            "sku": None,
            "rating": 4.333333333,
            "sum": 0.1 + 0.2,
            "weight": Decimal("1E+2"),
            "share": -1e-7,
            "attributes": {"a": None, "b": [None, 1.005, 3, True]},
        }

    assert rendered(extra=extra, name="code").payload == (
        b'{"attributes":{"b":[1.01,3,true]},"currency":"EUR","externalId":"A","name":"A","price":1.00,'
        b'"rating":4.33,"share":0.00,"sum":0.30,"url":"https://mystore.com/","weight":100.00}'
    )


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"rating": Decimal("NaN")}, "extra: NaN is not an amount"),
        ({"attributes": {"x": float("inf")}}, "extra: inf is not an amount"),
        ({"price": 3}, "extra: price: the feed has an entry for that"),
        ({"x": object}, "cannot be written as JSON: Encoding objects of type type is unsupported"),
        (None, "extra: TypeError: 'NoneType' object is not iterable"),
    ],
    ids=case,
)
def test_law_12_further_fields_that_json_cannot_hold(fields, told):
    assert reason(extra=lambda feed, item: fields) == told


@pytest.mark.parametrize("step", [".", ".."])
def test_an_id_that_no_address_can_name_is_told(step):
    told = f"external id: {step!r} cannot stand in an address"
    assert reason(external_id=lambda feed, item: step) == told


def test_an_id_too_long_is_told():
    assert reason(external_id=lambda feed, item: "x" * 256) == "external id: longer than 255 characters"
