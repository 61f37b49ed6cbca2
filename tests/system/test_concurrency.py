"""Side by side: real transactions, each in a thread with a connection of its own (laws 1, 2 and 5)."""

from __future__ import annotations

import threading

import pytest
from django.conf import settings
from django.db import transaction

from neuroon_django import clicks
from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import fold_all, product_run
from neuroon_django.models import Change, Conversion, Lane, ShopState, SyncedProduct
from tests.factories import another_shop, current_shop, make_product
from tests.shop.models import Order, Product
from tests.threads import PATIENCE, elsewhere, side_by_side

pytestmark = pytest.mark.django_db(transaction=True)

needs_rows = pytest.mark.skipif(
    "sqlite" in settings.DATABASES["default"]["ENGINE"],
    reason="SQLite locks the whole file: one writer at a time, ours or the shop's",
)


@needs_rows
def test_law_01_opposite_orders_do_not_deadlock(neuroon, flush):
    """Two checkouts touch two products' stock in opposite orders; a third transaction stays open."""
    one, two = make_product("A"), make_product("B")
    flush()
    between, done = threading.Barrier(2), threading.Event()

    def checkout(first: Product, second: Product) -> None:
        with transaction.atomic():
            first.stockrecords.create(price=2)
            between.wait(PATIENCE)
            second.stockrecords.create(price=3)

    def merchandiser() -> None:
        with transaction.atomic():
            make_product("C", brand=None)
            one.stockrecords.create(price=4)
            assert done.wait(PATIENCE)

    held = elsewhere(merchandiser)
    try:
        side_by_side(lambda: checkout(one, two), lambda: checkout(two, one))
        flush()  # a worker does not wait for an open transaction either
    finally:
        done.set()
        held.join()
    flush()
    assert neuroon.products.keys() == {"A", "B", "C"}


@needs_rows
def test_law_02_a_transaction_that_commits_late_is_not_skipped(neuroon, flush):
    written, commit = threading.Event(), threading.Event()

    def late() -> None:
        with transaction.atomic():
            make_product("late", brand=None)
            written.set()
            assert commit.wait(PATIENCE)

    thread = elsewhere(late)
    assert written.wait(PATIENCE)
    older = Change.objects.count()
    make_product("early")
    newest = Change.objects.order_by("-pk").values_list("pk", flat=True)[0]
    flush()
    assert (older, list(neuroon.products)) == (0, ["early"])
    commit.set()
    thread.join()
    assert Change.objects.order_by("pk")[0].pk < newest
    flush()
    assert neuroon.products.keys() == {"early", "late"}


def test_law_05_a_row_is_claimed_by_one_worker_only(neuroon):
    for n in range(60):
        make_product(f"P-{n}")
    shop = current_shop()
    fold_all(shop)
    claimed: list[list[int]] = []

    def work() -> None:
        while rows := SyncedProduct.objects.claim(shop, Lane.LIVE, 7, seconds=60):
            claimed.append([row.pk for row in rows])
            assert len({row.lease for row in rows}) == 1

    side_by_side(*[work] * 4)
    pks = sorted(pk for batch in claimed for pk in batch)
    assert len(pks) == len(set(pks))
    # SKIP LOCKED may leave the last candidates to nobody for this round, never for good.
    rest = SyncedProduct.objects.claim(shop, Lane.LIVE, 100, seconds=60)
    assert len(pks) + len(rest) == 60


def test_law_05_many_workers_one_shop(neuroon, flush, settings):
    """Folds, claims, settles and the shop's own edits at once: in order, each once, no overlap."""
    settings.NEUROON_BATCH_SIZE = 10
    products = [make_product(f"P-{n}") for n in range(40)]
    flush()
    over = threading.Event()

    def work() -> None:
        with Client(**conf.shop().client_options()) as client:
            while not over.is_set():
                product_run(current_shop(), client).run()

    def edit() -> None:
        try:
            for number in range(15):
                for product in products[number % 4 :: 4]:
                    product.title = f"Title {number}"
                    product.save()
                products[number].delete()
                product = make_product(f"P-{number}")
                products[number] = product
        finally:
            over.set()

    side_by_side(work, work, work, edit)
    flush()
    titles = {product.sku: product.title for product in Product.objects.all()}
    assert {key: product["name"] for key, product in neuroon.products.items()} == titles
    assert neuroon.overlaps == []
    assert not Change.objects.exists()
    assert not SyncedProduct.objects.exclude(status="synced").exists()


@needs_rows
def test_law_05_folds_for_two_addresses_do_not_deadlock(neuroon):
    """Each makes the other one due for a scan while it holds its own row."""
    here = current_shop()
    there = another_shop("another", "https://elsewhere.test")

    def work(shop: ShopState) -> None:
        for _ in range(20):
            ShopState.objects.end_scan(shop.pk, "", [])
            make_product("X", brand=None).delete()
            fold_all(shop)

    side_by_side(lambda: work(here), lambda: work(there))
    here.refresh_from_db()
    there.refresh_from_db()
    assert not (here.scanned_at and there.scanned_at)


def test_law_13_two_workers_report_an_order_once(neuroon, flush, flush_orders):
    product = make_product("A")
    token = clicks.current.set('{"A": "search-1"}')
    for n in range(10):
        order = Order.objects.create(number=str(n), total=1, status="paid")
        order.lines.create(product=product, total=1)
    clicks.current.reset(token)
    side_by_side(flush_orders, flush_orders)
    flush_orders()
    assert neuroon.conversions.keys() == {str(n) for n in range(10)}
    assert neuroon.duplicates == 0
    assert set(Conversion.objects.values_list("status", flat=True)) == {"sent"}
