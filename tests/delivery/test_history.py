"""The history of runs: a row for each that did something, one for all the tasks of a long one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from neuroon_django import tasks
from neuroon_django.delivery import Engine, fold_all
from neuroon_django.models import Run, SyncedProduct
from neuroon_django.models.run import KEPT
from tests.factories import current_shop, make_order, make_product
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)

COUNTS = ("requests", "synced", "unchanged", "rejected", "deleted", "reported", "scanned")


def rows(*names: str) -> list[tuple]:
    return list(Run.objects.order_by("pk").values_list("kind", *names))


def test_what_a_run_did(neuroon, flush):
    make_product("A"), make_product("B", price=None)
    flush()
    assert rows(*COUNTS) == [("products", 1, 1, 0, 1, 0, 0, 2)]
    run = Run.objects.get()
    assert run.reason == "" and not run.handed_over
    assert run.began_at <= run.ended_at <= timezone.now()
    assert 0 <= run.longest_wait < 60


def test_a_run_that_finds_nothing_leaves_no_row(neuroon, flush, flush_orders):
    make_product("A")
    flush()
    flush(), flush_orders(), tasks.flush_products(), tasks.flush_conversions()
    assert len(rows()) == 1


def test_orders_and_deletes(neuroon, flush, flush_orders):
    make_order("1", make_product("A"))
    flush(), flush_orders()
    Product.objects.get().delete()
    flush()
    assert rows("synced", "deleted", "reported") == [
        ("products", 1, 0, 0),
        ("conversions", 0, 0, 1),
        ("products", 0, 1, 0),
    ]


def test_why_it_ended(neuroon, flush):
    make_product("A")
    neuroon.fault("status", status=401, endpoint="sync")
    flush()
    assert "401" in Run.objects.get().reason


def test_how_long_the_oldest_of_it_had_waited(neuroon, flush):
    product = make_product("A")
    flush()
    product.save()
    Product.objects.update(title="New")
    fold_all(current_shop())
    SyncedProduct.objects.update(waiting_since=timezone.now() - timedelta(seconds=600))
    flush()
    assert 600 <= Run.objects.latest("pk").longest_wait < 660


def test_law_09_a_run_handed_over_from_task_to_task_is_one_run(neuroon, monkeypatch, settings):
    settings.NEUROON_BATCH_SIZE = 10
    sent: list[dict] = []
    monkeypatch.setattr(tasks, "send_task", lambda name, **options: sent.append(options["kwargs"]))
    in_time = Engine.has_time.fget
    one_request = property(lambda run: run.statistics.requests < 1 and in_time(run))
    monkeypatch.setattr(Engine, "has_time", one_request)  # and then its time is over
    for n in range(41):
        make_product(f"P-{n:02}")
    tasks.flush_products()
    for links in range(1, 6):  # the first product goes alone, to find the way
        run = Run.objects.get()
        assert (run.synced, run.is_under_way) == (1 + 10 * (links - 1), True)
        tasks.flush_products(**sent.pop())
    run = Run.objects.get()
    assert (run.synced, run.scanned, run.requests, run.handed_over) == (41, 41, 5, False)
    assert sent == []


def test_a_message_that_was_lost_begins_another_row(neuroon, flush):
    make_product("A")
    flush()
    Run.objects.update(handed_over=True)
    Product.objects.get().save()
    Product.objects.update(title="New")
    tasks.flush_products(shop="default", run="lost")
    assert [handed for _kind, handed in rows("handed_over")] == [True, False]


def test_it_is_one_statement_more(neuroon, flush):
    product = make_product("A")
    tasks.flush_products()
    product.title = "New"
    product.save()
    with CaptureQueriesContext(connection) as captured:
        tasks.flush_products()
    table = Run._meta.db_table
    assert len([query for query in captured if table in query["sql"]]) == 1


def test_a_scan_deletes_what_is_old(neuroon, flush):
    old = timezone.now() - KEPT - timedelta(hours=1)
    kept = old + timedelta(hours=2)
    for ended in (old, kept):
        Run.objects.create(shop=current_shop(), kind="products", began_at=old, ended_at=ended)
    make_product("A")
    flush()
    assert rows("ended_at")[0][1] == kept
    assert len(rows()) == 2
