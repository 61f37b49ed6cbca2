"""Shops that are not as most: replicas, other databases, receivers for everything, odd keys."""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import QuerySet
from django.db.models.signals import post_delete

from neuroon_django import OrderFeed, attribute_order, clicks, mark_changed
from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import engine, fold_all, order_run, products
from neuroon_django.feeds import registry
from neuroon_django.models import Change, Conversion, ShopState, SyncedProduct
from tests.factories import COOKIE, current_shop, make_product, pay, place
from tests.feeds_in_use import item_feed
from tests.shop.models import Brand, Gadget, Order, OrderLine, Product

pytestmark = pytest.mark.django_db(transaction=True)


# A read replica


class Replica:
    """Reads go to a database that has no tables; a worker that asked it would fail."""

    lagging = False

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "replica" if self.lagging else None


@pytest.fixture
def replica(settings, monkeypatch) -> Iterator[Replica]:
    router = Replica()
    settings.DATABASE_ROUTERS = [router]
    empty = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": {}}
    monkeypatch.setitem(connections.settings, "replica", connections.settings["default"] | empty)
    yield router
    connections["replica"].close()
    del connections["replica"]


def test_law_02_a_replica_that_lags_is_not_asked(neuroon, flush, flush_orders, replica):
    product = make_product("A", brand=Brand.objects.create(name="Acme"))
    order = place(sku="A")
    flush()
    flush_orders()
    product.title = "Changed"
    product.save()
    pay(order)
    mark_changed(product)
    replica.lagging = True
    flush()
    flush_orders()
    ShopState.objects.request_scan(current_shop().pk)
    flush()
    replica.lagging = False
    assert neuroon.products["A"]["name"] == "Changed"
    assert neuroon.products["A"]["brand"] == "Acme"
    assert neuroon.conversions.keys() == {"1001"}


def test_the_shops_own_prefetch_stands_beside_a_router(neuroon, flush, replica, use_feeds):
    class Own(item_feed(external_id="sku", depends_on=["stockrecords", "orderline_set__order"])):  # type: ignore[misc]
        def get_queryset(self) -> QuerySet[Product]:
            return Product.objects.prefetch_related("stockrecords", "orderline_set__order")

        def stock_quantity(self, product: Product) -> int:
            return sum(record.quantity for record in product.stockrecords.all())

    use_feeds((Product, Own))
    make_product("A")
    flush()
    assert neuroon.products["A"]["stockQuantity"] == 1


def test_what_was_read_from_a_replica_is_marked_where_the_shop_writes(neuroon):
    product = make_product("A")
    Change.objects.all().delete()
    product._state.db = "replica"
    mark_changed(product)
    mark_changed(Product.objects.using("replica"))
    order = Order.objects.create(number="1")
    order._state.db = "replica"
    attribute_order(order, COOKIE)
    found = Change.objects.values_list("model", flat=True)
    assert sorted(found) == ["order:shop.order"] * 2 + ["shop.product"] * 2


def test_law_16_a_save_to_another_database_is_not_neuroons(neuroon, monkeypatch):
    """An archive, say, that has none of the app's tables."""
    monkeypatch.setattr(type(Change.objects), "db", "elsewhere")
    make_product("A").delete()
    monkeypatch.undo()
    assert not Change.objects.exists()


# An order that products hang on


def test_law_10_an_order_may_be_what_products_hang_on(neuroon, flush, flush_orders, use_feeds):
    """Products whose popularity or reserved stock is read off their orders."""
    orders = type(registry.order_source("shop.order").feed)

    class Reserved(item_feed(external_id="sku", depends_on=["orderline_set__order"])):  # type: ignore[misc]
        def stock_quantity(self, product: Product) -> int:
            lines = product.orderline_set.all()
            return 10 - sum(line.quantity for line in lines if line.order.status != "cancelled")

    use_feeds((Product, Reserved), (Order, orders))
    product = Product.objects.create(sku="A", title="A")
    order = Order.objects.create(number="1", total=Decimal(5))
    OrderLine.objects.create(order=order, product=product, quantity=3, total=Decimal(5))
    flush()
    assert neuroon.products["A"]["stockQuantity"] == 7
    order.status = "cancelled"
    order.save()
    flush_orders()
    flush()
    assert neuroon.products["A"]["stockQuantity"] == 10


# Ids that move at the worst moment


def test_law_07_who_waits_for_an_id_and_loses_his_own(neuroon, flush, monkeypatch):
    make_product("X")
    flush()
    other = make_product("X")
    flush()
    other.sku, other.title = "", "Another"
    other.save()
    fold_all(current_shop())
    taken_back: list[bool] = []

    def fold_then_save(shop: ShopState, *limits: float) -> bool:
        """What was blanked is taken back between a fold and the claim that follows it."""
        found = fold_all(shop)
        if not taken_back:
            taken_back.append(True)
            other.sku = "X"
            other.save()
        return found

    monkeypatch.setattr(products, "fold_for", fold_then_save)
    flush()
    monkeypatch.undo()
    make_product("C")
    flush()
    names = {key: product["name"] for key, product in neuroon.products.items()}
    assert names == {"X": "Product X", "C": "Product C"}
    assert all(b"Another" not in request.body for request in neuroon.sync_requests)
    assert not Change.objects.exists()


@pytest.fixture
def audited():
    """A shop that listens to all deletes, so that Django reads before it deletes."""

    def hear(**kwargs: object) -> None: ...

    post_delete.connect(hear)
    yield
    post_delete.disconnect(hear)


def test_law_07_revived_while_its_delete_is_confirmed(neuroon, flush, audited, monkeypatch):
    """In a shop that hears all deletes, the row is not read first and deleted later."""
    make_product("A")
    flush()
    Product.objects.get().delete()
    fold_all(current_shop())
    [row] = SyncedProduct.objects.claim(current_shop(), 2, 1, seconds=60)
    asked: list[str] = []

    def note(execute: Any, sql: str, *args: Any) -> Any:
        asked.append(sql.split()[0])
        return execute(sql, *args)

    with connection.execute_wrapper(note):
        SyncedProduct.objects.delete_confirmed([row])
    assert "SELECT" not in asked
    assert not SyncedProduct.objects.exists()


# Keys


def test_a_key_is_one_order_however_it_is_spelled(neuroon, flush_orders, use_feeds):
    """SQLite's own text of a UUID has no dashes."""
    use_feeds((Gadget, type("Orders", (OrderFeed,), {"order_value": 1, "is_paid": True})))
    token = clicks.current.set(COOKIE)
    gadget = Gadget.objects.create()
    clicks.current.reset(token)
    mark_changed(Gadget.objects.all())
    flush_orders()
    assert [row.object_pk for row in Conversion.objects.all()] == [str(gadget.pk)]


def test_a_scan_of_keys_in_another_script_goes_on(neuroon):
    shop = current_shop()
    cursor = '["shop", "shop.item", "' + "ж" * 255 + '"]'
    assert ShopState.objects.move_scan(shop.pk, "", cursor)
    shop.refresh_from_db()
    assert shop.scan_cursor == cursor


def test_a_key_longer_than_any_column_of_ours(neuroon):
    Change.objects.append([("shop.maker", "k" * 5_000)])
    assert Change.objects.get().object_pk == "k" * 5_000


# What Neuroon says


def test_law_08_a_reason_that_no_database_takes(neuroon, flush):
    make_product("first")
    flush()
    for sku in "AB":
        make_product(sku)
    body = {"synced": 1, "failed": 1, "errors": [{"externalId": "B", "message": "bad \0 byte"}]}
    with neuroon.faulty("shape", body=body, endpoint="sync", times=1):
        flush()
    reasons = dict(SyncedProduct.objects.values_list("external_id", "last_error"))
    assert reasons["B"].startswith("bad")
    assert not SyncedProduct.objects.exclude(lease="").exists()


def test_law_09_a_run_ends_in_time_where_nothing_needs_sending(neuroon, flush, monkeypatch, settings):
    settings.NEUROON_BATCH_SIZE = 5
    for n in range(40):
        make_product(f"P-{n}")
    flush()
    mark_changed(Product.objects.all())
    seconds = itertools.count(step=0.1)
    for module in (engine, importlib.import_module("neuroon_django.delivery.fold")):
        clock = SimpleNamespace(monotonic=lambda: next(seconds))
        monkeypatch.setattr(module, "time", clock)
    tally = flush(until=1.5)
    assert 0 < tally.unchanged < 40
    monkeypatch.undo()
    assert tally.unchanged + flush().unchanged == 40


def test_law_09_a_run_of_orders_ends_in_time_too(neuroon, flush_orders):
    product = make_product("A")
    for n in range(12):
        order = Order.objects.create(number=str(n), total=1, status="paid")
        order.lines.create(product=product, total=1)
        attribute_order(order, COOKIE)
    slow = neuroon.faulty("delay", seconds=0.1, endpoint="conversion")
    with slow, Client(**conf.shop().client_options()) as client:
        run = order_run(current_shop(), client, until=time.monotonic() + 0.5).run()
    assert 0 < run.reported < 12
    assert run.reported + flush_orders().reported == 12


def test_law_09_nobody_sleeps_while_neuroons_list_may_not_be_read(neuroon, flush, settings):
    """A 404 by the shops route is believed of what the list does not show; the list may be closed."""
    settings.NEUROON_PRODUCTS_API = "shops"
    make_product("A")
    flush()
    Product.objects.get().delete()
    fold_all(current_shop())
    hour = {"status": 429, "headers": {"Retry-After": "3600"}}
    gone = neuroon.faulty("status", status=404, endpoint="delete")
    with gone, neuroon.faulty("status", **hour, endpoint="list"):
        began = time.monotonic()
        flush(foreground=False)
        flush(foreground=False)
    assert time.monotonic() - began < 5
    assert SyncedProduct.objects.get().status == "deleting"
