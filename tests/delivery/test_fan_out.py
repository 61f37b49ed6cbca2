"""One change, many shops: every shop gets its products, an order is of one, and none stops another."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError
from django.db.models import IntegerField, Value
from django.db.models.functions import Cast
from django.utils import translation

from neuroon_django import attribute_order, clicks, muted
from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import Scan, fold, fold_all, fold_orders, order_run, product_run
from neuroon_django.models import Change, Conversion, ShopState, SyncedProduct, unseen
from neuroon_django.models.change import ChangeQuerySet
from tests.factories import another_shop, pay, place, shop_called
from tests.feeds_in_use import item_feed
from tests.shop.models import Item, Maker, Order, Product
from tests.shop.neuroon import CheckoutFeed
from tests.threads import side_by_side

pytestmark = pytest.mark.django_db(transaction=True)

ALIASES = ("es", "uk", "outlet")


def run(alias: str) -> None:
    """Deliver one shop's products and orders, as its own tasks do."""
    shop = shop_called(alias)
    with Client(**shop.config.client_options()) as client:
        product_run(shop, client, scan=Scan.due(shop, foreground=True), foreground=True).run()
        order_run(shop, client, foreground=True).run()


def due(alias: str) -> set[str]:
    waiting = SyncedProduct.objects.of(shop_called(alias)).waiting()
    return set(waiting.values_list("external_id", flat=True))


def add(*codes: str) -> list[Item]:
    return [Item.objects.create(code=code, title=code) for code in codes]


@pytest.fixture
def known(shops) -> dict[str, Any]:
    """The three shops, each scanned already."""
    for alias in ALIASES:
        run(alias)
    return shops


def test_law_20_one_change_is_folded_for_every_shop(known, use_items):
    use_items()
    add("A", "B")
    assert Change.objects.count() == 2
    fold(shop_called("uk"))
    assert Change.objects.count() == 0
    assert [due(alias) for alias in ALIASES] == [{"A", "B"}] * 3
    assert not ShopState.objects.filter(scanned_at=None).exists()


def test_law_20_each_shop_gets_its_own_payload(shops, use_items):
    def url(feed, item):
        return f"/{translation.get_language()}/{item.code}"

    def name(feed, item):
        shop = feed.shop
        return f"{item.title} {shop.alias} {shop.LANGUAGE} {shop.CURRENCY}"

    def get_queryset(feed):
        items = Item.objects.all()
        return items.filter(code__startswith="X") if feed.shop.alias == "outlet" else items

    use_items(url=url, name=name, get_queryset=get_queryset)
    add("A", "X")
    for alias in ALIASES:
        run(alias)
    sent = {
        alias: {k: (p["url"], p["name"], p["currency"]) for k, p in shop.products.items()}
        for alias, shop in shops.items()
    }
    assert sent == {
        "es": {
            "A": ("https://mystore.es/es/A", "A es es EUR", "EUR"),
            "X": ("https://mystore.es/es/X", "X es es EUR", "EUR"),
        },
        "uk": {
            "A": ("https://mystore.co.uk/en/A", "A uk en GBP", "GBP"),
            "X": ("https://mystore.co.uk/en/X", "X uk en GBP", "GBP"),
        },
        "outlet": {"X": ("https://outlet.mystore.es/es/X", "X outlet es EUR", "EUR")},
    }


def test_law_20_related_changes_are_folded_for_every_shop(known, use_items):
    use_items(brand="maker__name")
    maker = Maker.objects.create(name="m")
    Item.objects.create(code="A", title="A", maker=maker)
    for alias in ALIASES:
        run(alias)
    maker.save()
    fold_all(shop_called("es"))
    assert [due(alias) for alias in ALIASES] == [{"A"}] * 3


def test_law_20_shops_fold_side_by_side(known, use_items):
    """All of them take the locks in one order: nobody waits for ever, and nothing is folded twice."""
    use_items(brand="maker__name")
    maker = Maker.objects.create(name="m")
    with muted():
        Item.objects.bulk_create(Item(code=f"C{n}", title="t", maker=maker) for n in range(60))
    for item in Item.objects.all():
        item.save()
    maker.save()
    side_by_side(*(partial(fold_all, shop_called(alias)) for alias in ALIASES))
    assert not Change.objects.exists()
    for alias in ALIASES:
        rows = SyncedProduct.objects.of(shop_called(alias))
        assert set(rows.values_list("revision", flat=True)) == {2}
        assert rows.count() == 60


def test_law_20_a_shop_that_is_not_configured_here_scans(known, use_items):
    use_items()
    elsewhere = another_shop("shop_elsewhere", "https://elsewhere")
    scan = Scan.due(elsewhere)
    while scan.step():
        pass
    add("A")
    fold(shop_called("es"))
    assert list(ShopState.objects.filter(scanned_at=None)) == [elsewhere]


def test_law_20_a_shop_that_is_new_gets_all_products_by_itself(shops, use_items, settings):
    use_items()
    every = settings.NEUROON_SHOPS
    settings.NEUROON_SHOPS = {"es": every["es"]}
    add("A", "B")
    run("es")
    settings.NEUROON_SHOPS = every
    add("C")
    run("es")
    run("uk")
    assert set(shops["uk"].products) == {"A", "B", "C"}


def test_law_20_renaming_an_alias_costs_nothing(known, use_items, settings):
    use_items()
    add("A")
    for alias in ALIASES:
        run(alias)
    known["uk"].clear()
    settings.NEUROON_SHOPS["gb"] = settings.NEUROON_SHOPS.pop("uk")
    run("gb")
    assert (known["uk"].requests, ShopState.objects.count()) == ([], 3)


def test_law_20_changes_that_one_process_did_not_record_are_scanned_for_by_all_shops(known, use_items):
    use_items()
    with muted():
        add("A")
    unseen.set()
    for alias in ALIASES:
        run(alias)
    assert [set(shop.products) for shop in known.values()] == [{"A"}] * 3


# A shop that cannot be asked

broken: set[str] = set()


def raise_in(error: type[Exception]):
    def get_queryset(feed):
        if feed.shop.alias in broken:
            raise error("rates are missing")
        return Item.objects.all()

    return {"get_queryset": get_queryset}


def init(feed):
    if feed.shop.alias in broken:
        raise KeyError(feed.shop.alias)


def failing_sql(feed):
    if feed.shop.alias in broken:
        return Item.objects.extra(select={"rate": "no_such_column"})
    return Item.objects.all()


def code_of(feed, item):
    if feed.shop.alias in broken:
        Item.objects.extra(select={"rate": "no_such_column"}).first()
    return item.code


MAKERS = item_feed(external_id="name", name="name")
KEY_ERROR = "KeyError: 'rates are missing'"

BROKEN = {
    "queryset": raise_in(KeyError),
    "database": raise_in(DatabaseError),
    "operational": raise_in(OperationalError),
    "made": {"__init__": init},
    "sql": {"get_queryset": failing_sql},
    "method": {"external_id": code_of},
}


@pytest.mark.parametrize("kind", BROKEN)
def test_law_20_a_shop_that_cannot_be_asked_stops_no_other_and_loses_nothing(
    known, use_feeds, registry_is_fresh, kind
):
    use_feeds((Item, item_feed(**BROKEN[kind])))
    kept, gone, renamed = add("KEPT", "GONE", "OLD")
    for alias in ALIASES:
        run(alias)
    broken.add("uk")
    registry_is_fresh()
    try:
        gone.delete()
        renamed.code = "NEW"
        renamed.save()
        kept.title = "changed"
        kept.save()
        add("ADDED")
        fold_all(shop_called("es"))
        for alias in ("es", "outlet"):
            run(alias)
            names = {k: product["name"] for k, product in known[alias].products.items()}
            assert names == {"KEPT": "changed", "NEW": "OLD", "ADDED": "ADDED"}
        assert not Change.objects.exists()
        uk = shop_called("uk")
        assert uk.fold_error or SyncedProduct.objects.of(uk).waiting().exists()
        with suppress(DatabaseError, KeyError):
            run("uk")
    finally:
        broken.clear()
    registry_is_fresh()
    if kind == "method":  # each product was rejected with the reason: the next scan looks again
        ShopState.objects.request_scan(shop_called("uk").pk)
    run("uk")
    names = {k: product["name"] for k, product in known["uk"].products.items()}
    assert names == {"KEPT": "changed", "NEW": "OLD", "ADDED": "ADDED"}
    add("LAST")
    run("uk")
    assert (shop_called("uk").fold_error, "LAST" in known["uk"].products) == ("", True)


@pytest.fixture
def registry_is_fresh():
    """Make feeds anew, as a new process does."""
    from neuroon_django.feeds import registry

    yield registry._bound.clear
    registry._bound.clear()


def test_law_20_a_feed_that_fails_in_every_shop_stops_no_other_feed(
    known, use_feeds, registry_is_fresh
):
    use_feeds((Item, item_feed(get_queryset=BROKEN["queryset"]["get_queryset"])), (Maker, MAKERS))
    broken.update(ALIASES)
    try:
        add("A")
        Maker.objects.create(name="m")
        fold(shop_called("es"))
        assert [due(alias) for alias in ALIASES] == [{"m"}] * 3
        assert {shop.fold_error for shop in ShopState.objects.all()} == {KEY_ERROR}
    finally:
        broken.clear()
    for alias in ALIASES:
        run(alias)
    assert [set(shop.products) for shop in known.values()] == [{"A", "m"}] * 3
    assert {shop.fold_error for shop in ShopState.objects.all()} == {""}


def test_law_08_what_is_due_when_a_feed_fails_is_sent_when_it_can_be_asked_again(known, use_feeds):
    use_feeds((Item, item_feed(**BROKEN["queryset"])))
    add("A", "B")
    fold(shop_called("es"))
    broken.add("uk")
    try:
        run("uk")
        assert shop_called("uk").fold_error == KEY_ERROR
    finally:
        broken.clear()
    run("uk")
    assert set(known["uk"].products) == {"A", "B"}
    assert shop_called("uk").fold_error == ""


def test_law_12_a_failing_annotation_concerns_its_own_rows_alone(neuroon, flush, use_items):
    """On PostgreSQL a failed query ends the transaction: the fold goes on, and the row says why."""

    def get_queryset(feed):
        return Item.objects.annotate(number=Cast("title", IntegerField()))

    use_items(get_queryset=get_queryset, description="number")
    for n in range(40):
        Item.objects.create(code=f"N{n}", title=str(n))
    Item.objects.create(code="BAD", title="no number")
    flush()
    numbered = {f"N{n}" for n in range(40)}
    assert set(neuroon.products) - {"BAD"} == numbered
    assert not Change.objects.exists()


# What a feed is for


def use_shops(use_feeds, *aliases: str) -> None:
    use_feeds((Item, item_feed(shops=list(aliases))))


def test_law_20_an_assortment_moves_from_shop_to_shop(known, use_feeds):
    use_shops(use_feeds, "es", "outlet")
    add("A", "B")
    for alias in ALIASES:
        run(alias)
    assert {alias: set(shop.products) for alias, shop in known.items()} == {
        "es": {"A", "B"},
        "uk": set(),
        "outlet": {"A", "B"},
    }
    assert not SyncedProduct.objects.of(shop_called("uk")).exists()
    use_shops(use_feeds, "uk", "outlet")
    for alias in ALIASES:
        ShopState.objects.request_scan(shop_called(alias).pk)
        run(alias)
        run(alias)
    assert {alias: set(shop.products) for alias, shop in known.items()} == {
        "es": set(),
        "uk": {"A", "B"},
        "outlet": {"A", "B"},
    }
    assert not SyncedProduct.objects.of(shop_called("es")).exists()


def test_law_20_changes_of_a_feed_that_is_for_no_shop_are_not_recorded(known, use_feeds):
    use_shops(use_feeds, "elsewhere")
    add("A")
    assert not Change.objects.exists()


# A shop that was taken out of the settings


def test_law_20_what_a_shop_left_at_neuroon_is_found_when_it_is_taken_out(known, use_items, settings):
    use_items()
    add("A", "B")
    for alias in ALIASES:
        run(alias)
    uk = shop_called("uk")
    assert not ShopState.objects.unconfigured().exists()
    del settings.NEUROON_SHOPS["uk"]
    [left] = ShopState.objects.unconfigured()
    assert (left, left.in_neuroon) == (uk, 2)


# Orders


def order_of(alias: str) -> list[str]:
    """Return the orders whose rows are the shop's."""
    return list(Conversion.objects.of(shop_called(alias)).values_list("object_pk", flat=True))


@pytest.fixture
def clicked_in():
    """Say in which shop's pages the following orders are made."""
    token = clicks.current_shop.set("")
    yield lambda alias: clicks.current_shop.set(conf.shop(alias).fingerprint if alias else "")
    clicks.current_shop.reset(token)


def checkout_feed(**values: Any) -> type:
    return type("Feed", (CheckoutFeed,), values)


@pytest.mark.parametrize(
    ("feed", "clicked", "cookie", "expected"),
    [
        ({}, "uk", '{"A":"s"}', "uk"),
        ({}, "outlet", '{"A":"s"}', "outlet"),
        ({}, "", '{"A":"s"}', "es"),
        ({}, "uk", "", "es"),
        ({"shops": ["uk"]}, "", "", "uk"),
        ({"shops": ["uk"]}, "es", '{"A":"s"}', "uk"),
        ({"shop_alias": "number"}, "", '{"A":"s"}', "outlet"),
        ({"shop_alias": "number"}, "uk", '{"A":"s"}', "uk"),
        ({"shop_alias": "number"}, "uk", "", "outlet"),
        ({"shop_alias": "status"}, "", "", "es"),
        ({"shop_alias": "no_such_field"}, "", "", "es"),
    ],
)
def test_law_20_an_order_belongs_to_one_shop(
    known, use_feeds, clicked_in, feed, clicked, cookie, expected
):
    from tests.shop.neuroon import CatalogueFeed

    use_feeds((Product, CatalogueFeed), (Order, checkout_feed(**feed)))
    clicked_in(clicked)
    order = place(number="outlet", cookie=cookie)
    fold_orders(shop_called("outlet"))
    clicked_in("")
    pay(order)
    fold_orders(shop_called("uk"))
    for alias in ALIASES:
        assert order_of(alias) == ([str(order.pk)] if alias == expected else [])


def test_law_20_clicks_that_come_later_bring_the_order_to_their_shop(known):
    order = place(cookie="")
    fold_orders(shop_called("es"))
    attribute_order(order, {"A": "search-uk"}, shop="uk")
    fold_orders(shop_called("es"))
    attribute_order(order, {"A": "search-es"}, shop="es")
    fold_orders(shop_called("es"))
    row = Conversion.objects.get()
    assert (row.shop, row.clicks) == (shop_called("uk"), '{"A": "search-uk"}')


@pytest.mark.parametrize("clicked", ALIASES)
def test_law_20_an_order_is_its_own_shops_before_that_shop_has_run(shops, clicked_in, clicked):
    """The first that folds finds no other shop's row."""
    clicked_in(clicked)
    order = place()
    fold_orders(shop_called("es"))
    assert [alias for alias in ALIASES if order_of(alias) == [str(order.pk)]] == [clicked]


def test_law_20_clicks_of_a_shop_without_a_key_are_no_others(shops, clicked_in, settings):
    clicked_in("uk")
    for alias in ("uk", "outlet"):
        settings.NEUROON_SHOPS[alias]["API_KEY"] = ""
    order = place()
    fold_orders(shop_called("es"))
    row = Conversion.objects.get()
    assert (row.shop, row.object_pk, row.clicks) == (shop_called("es"), str(order.pk), "")


def test_law_20_clicks_that_the_shop_keeps_are_those_of_the_orders_shop(known, use_feeds, monkeypatch):
    from tests.shop.neuroon import CatalogueFeed

    feed = checkout_feed(clicks=lambda self, order: '{"A": "kept"}', shop_alias=Value("uk"))
    use_feeds((Product, CatalogueFeed), (Order, feed))
    place(cookie="")
    appended = []
    append = ChangeQuerySet.append

    def record(rows, names, **values):
        appended.append(values)
        append(rows, names, **values)

    monkeypatch.setattr(ChangeQuerySet, "append", record)
    for alias in ("uk", "es", "uk"):
        run(alias)
    own = {"clicks": '{"A": "kept"}', "shop": conf.shop("uk").fingerprint}
    assert [kw for kw in appended if kw.get("clicks")] == [own]
    row = Conversion.objects.get()
    assert (row.shop, row.clicks) == (shop_called("uk"), '{"A": "kept"}')


def test_law_20_an_order_is_reported_at_its_own_shop_alone(known, clicked_in):
    clicked_in("uk")
    order = place()
    clicked_in("")
    pay(order)
    for alias in (*ALIASES, *ALIASES):
        run(alias)
    pay(order)
    attribute_order(order, {"A": "late"}, shop="es")
    for alias in ALIASES:
        run(alias)
    reported = {alias: list(shop.conversions) for alias, shop in known.items()}
    assert reported == {"es": [], "uk": [order.number], "outlet": []}


def unnamed_without_number(feed, order):
    if order.number == "bad":
        raise ValueError("no channel")
    return order.number


NUMBERED = {"get_queryset": lambda feed: Order.objects.annotate(n=Cast("status", IntegerField()))}


@pytest.mark.parametrize(
    "feed", [{"shop_alias": unnamed_without_number}, {"shop_alias": "number", **NUMBERED}]
)
def test_law_08_an_order_that_cannot_name_its_shop_keeps_no_other_from_its_own(known, use_feeds, feed):
    """The second one's query fails on PostgreSQL alone."""
    use_feeds((Order, checkout_feed(**feed)))
    named = [Order.objects.create(number="uk", status=n) for n in "123"]
    Order.objects.create(number="bad", status="x")
    named.append(Order.objects.create(number="uk", status="4"))
    fold_orders(shop_called("es"))
    assert set(order_of("uk")) == {str(order.pk) for order in named}
    assert len(order_of("es")) == 1


def test_law_20_an_order_with_a_row_in_two_shops_stops_no_fold(known, settings):
    """It got the second one while the shop of the first was out of the settings."""
    every = settings.NEUROON_SHOPS
    order = place(cookie="")
    fold_orders(shop_called("es"))
    settings.NEUROON_SHOPS = {alias: own for alias, own in every.items() if alias != "es"}
    order.save()
    fold_orders(shop_called("uk"))
    settings.NEUROON_SHOPS = every
    for alias in ("es", "uk"):
        attribute_order(order, {"A": f"search-{alias}"}, shop=alias)
        fold_orders(shop_called("uk"))
    pay(order)
    for alias in (*ALIASES, *ALIASES):
        run(alias)
    reported = {alias: list(shop.conversions) for alias, shop in known.items()}
    assert reported == {"es": [order.number], "uk": [], "outlet": []}


def test_law_20_orders_that_are_written_in_bulk_belong_to_the_shop_of_their_clicks(
    known, use_feeds, clicked_in
):
    use_feeds((Order, checkout_feed(bulk_writes=[Order])))
    clicked_in("uk")
    token = clicks.current.set('{"A":"s"}')
    Order.objects.bulk_create([Order(number="1"), Order(number="2")])
    clicks.current.reset(token)
    fold_orders(shop_called("es"))
    assert len(order_of("uk")) == 2


def test_clicks_of_an_alias_that_is_none_are_kept_and_told(known, caplog):
    order = place(cookie="")
    attribute_order(order, {"A": "s"}, shop="xx")
    fold_orders(shop_called("es"))
    assert Conversion.objects.get().clicks == '{"A": "s"}'
    assert "clicks_of_no_shop: attribute_order() was given shop='xx'" in caplog.text
