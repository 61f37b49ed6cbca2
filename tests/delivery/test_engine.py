"""The machine that sends: one claim at a time, nothing forgotten, nothing sent behind a newer one."""

from __future__ import annotations

import re
import threading
import time

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from neuroon_django.delivery import error_policy, fold_all
from neuroon_django.delivery.building import BuildResult, build, render_rows
from neuroon_django.models import Change, Lane, ProductOutcomes, SyncedProduct, delivery, endpoint
from neuroon_django.models.delivery import DeliveryQuerySet
from neuroon_django.models.product import SyncedProductQuerySet
from neuroon_django.models.sql import DbNow, RawIn
from neuroon_django.operations.status import status_of
from neuroon_django.testing import Sandbox
from neuroon_django.testing.sandbox import Fault
from tests.factories import current_shop, make_product, pauses
from tests.shop.models import Product
from tests.threads import elsewhere

STUMBLE = Fault("status", status=500)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def quick(monkeypatch) -> None:
    """Backoffs and pauses of milliseconds."""
    for name, value in {"FIRST_BACKOFF": 0.01, "LONG_BACKOFF": 0.02, "MAX_BACKOFF": 0.05}.items():
        monkeypatch.setattr(endpoint, name, value)
    monkeypatch.setattr(error_policy, "FIRST_BACKOFF", 0.01)


def claim(limit: int = 100, *, lane: Lane = Lane.LIVE, seconds: float = 60) -> list[SyncedProduct]:
    return SyncedProduct.objects.claim(current_shop(), lane, limit, seconds=seconds)


def sort(rows: list[SyncedProduct]) -> BuildResult:
    return build(rows, render_rows(current_shop(), rows))


def fold() -> None:
    fold_all(current_shop())


def names(neuroon: Sandbox) -> dict[str, str]:
    return {key: product["name"] for key, product in neuroon.products.items()}


# Law 2


def test_since_when_a_row_waits_whatever_was_tried(neuroon, flush, waits_end_at_once):
    """What `neuroon_status` goes by: each try moves the next one, none makes the row younger."""
    make_product("A")
    with neuroon.faulty("status", status=500):
        flush(foreground=False)
        since = SyncedProduct.objects.get().waiting_since
        assert since is not None
        Product.objects.get().save()
        flush()
    assert status_of(current_shop()).oldest == since
    flush()
    row = SyncedProduct.objects.get()
    assert (row.status, row.waiting_since) == ("synced", None)


def test_law_02_what_a_dead_worker_had_claimed_is_due_again_when_the_lease_ends(neuroon, flush):
    make_product("A")
    fold()
    [row] = claim(seconds=0.3)
    assert flush(foreground=False).requests == 0
    assert row.due_at is not None
    time.sleep(0.4)
    flush(foreground=False)
    assert names(neuroon) == {"A": "Product A"}


# Law 3


def test_law_03_an_equal_payload_is_not_sent_but_after_a_lost_answer_it_is(neuroon, flush, settings):
    settings.NEUROON_TIMEOUT = 0.2
    product = make_product("A")
    flush()
    product.save()
    assert flush().unchanged == 1
    product.title = "Changed"
    product.save()
    neuroon.fault("lost", endpoint="sync")
    flush(foreground=False)
    product.title = "Product A"
    product.save()
    assert SyncedProduct.objects.get().digest == ""
    wait_for_leases()
    flush()
    assert names(neuroon) == {"A": "Product A"}
    assert len(neuroon.sync_requests) == 3


def wait_for_leases() -> None:
    """Until every lease is over, by moving its end."""
    SyncedProduct.objects.exclude(lease="").update(due_at=F("created_at"))


# Law 4


def test_law_04_a_save_during_the_send_is_sent_again(neuroon, flush):
    product = make_product("A")
    flush()  # and with it the first scan, which would find it as well
    product.title = "New"
    product.save()
    with neuroon.held("sync") as hold:
        worker = elsewhere(flush)
        hold.wait()
        product.title = "Newer"
        product.save()
        fold()
        hold.release()
        worker.join()
    assert SyncedProduct.objects.get().status in ("pending", "synced")
    flush()
    assert names(neuroon) == {"A": "Newer"}
    assert SyncedProduct.objects.get().status == "synced"


def test_law_04_listed_again_while_it_is_being_unlisted(neuroon, flush):
    product = make_product("A")
    flush()
    Product.objects.update(is_published=False)
    product.is_published = False
    product.save()
    fold()
    found = sort(claim())
    product.is_published = True
    product.save()
    fold()
    SyncedProduct.objects.settle(found.outcomes)
    row = SyncedProduct.objects.get()
    assert (row.lane, row.status) == (Lane.LIVE, "pending")
    flush()
    assert names(neuroon) == {"A": "Product A"}


# Law 5


def test_law_05_one_claim_at_a_time(neuroon):
    make_product("A")
    fold()
    [row] = claim()
    assert claim() == []
    assert SyncedProduct.objects.begin_sending([row], 60) == [row]


def test_law_05_a_change_of_what_is_on_the_wire_waits_for_the_answer(neuroon, flush):
    product = make_product("A")
    flush()
    product.title = "One"
    product.save()
    with neuroon.held("sync") as hold:
        worker = elsewhere(flush)
        hold.wait()
        product.title = "Two"
        product.save()
        fold()
        assert claim() == []  # by any other worker
        hold.release()
        worker.join()
    flush()
    assert (names(neuroon), neuroon.overlaps) == ({"A": "Two"}, [])


def test_law_05_who_lost_his_lease_sends_nothing_and_settles_nothing(neuroon, flush):
    for sku in "AB":
        make_product(sku)
    fold()
    one, two = claim(seconds=0)
    [other] = claim(1)
    assert other.pk == one.pk
    assert SyncedProduct.objects.begin_sending([one, two], 60) == [two]
    outcomes = ProductOutcomes()
    outcomes.synced(one, "x", timezone.now())
    assert SyncedProduct.objects.settle(outcomes) == 0
    assert SyncedProduct.objects.release([one]) == 0
    assert SyncedProduct.objects.get(pk=one.pk).lease == other.lease


def test_law_05_a_worker_that_slept_through_its_lease_sends_nothing(
    neuroon, flush, settings, monkeypatch
):
    settings.NEUROON_TIMEOUT = 0.05
    make_product("A")
    begin = SyncedProductQuerySet.begin_sending

    def suspended(self, *args, **kwargs):
        kept = begin(self, *args, **kwargs)
        threading.Event().wait(0.15)
        return kept

    with monkeypatch.context() as patch:
        patch.setattr(SyncedProductQuerySet, "begin_sending", suspended)
        flush(until=time.monotonic() + 0.1)
    assert neuroon.requests == []
    settings.NEUROON_TIMEOUT = 5
    flush()
    assert names(neuroon) == {"A": "Product A"}


@pytest.mark.parametrize("moment", ["before the claim's update", "after it"])
def test_law_07_deleted_in_the_middle_of_a_claim(neuroon, flush, monkeypatch, moment):
    """SQLite reads candidates first and updates later: what changed lane in between is left alone."""
    product = make_product("A")
    flush()
    product.title = "Newer"
    product.save()
    fold()
    careful = delivery._batch_size

    def meanwhile(first, limit):
        monkeypatch.undo()
        product.delete()
        fold()
        return careful(first, limit)

    if moment == "after it":
        rows = claim()
        product.delete()
        fold()
        rows = list(SyncedProduct.objects.filter(lease=rows[0].lease))
    else:
        monkeypatch.setattr(delivery, "_batch_size", meanwhile)
        rows = claim()
        assert rows == []
    found = sort(rows)
    assert found.stale == []
    SyncedProduct.objects.settle(found.outcomes)
    flush()
    assert neuroon.products == {}
    assert not SyncedProduct.objects.exists()


def test_law_07_the_new_owner_of_an_id_waits_for_the_delete_in_flight(neuroon, flush):
    product = make_product("A")
    flush()
    product.delete()
    with neuroon.held("delete") as hold:
        worker = elsewhere(flush)
        hold.wait()
        Product.objects.create(sku="A", title="Heir").stockrecords.create(price=1)
        flush(foreground=False)
        assert len(neuroon.sync_requests) == 1
        hold.release()
        worker.join()
    flush()
    assert names(neuroon) == {"A": "Heir"}
    assert neuroon.overlaps == []


def test_law_07_what_neuroon_never_had_is_not_deleted_there(neuroon, flush):
    product = make_product("A", price=None)
    flush()
    product.delete()
    flush()
    assert neuroon.requests == []
    assert not SyncedProduct.objects.exists()


def test_law_07_an_object_without_an_id_that_a_dead_worker_holds(neuroon, flush):
    """Its place to wait is not sent, so nobody has to wait for its lease, and it can be used again."""
    make_product("A")
    nameless = make_product("")
    fold()
    assert len(claim()) == 2
    nameless.sku = "A"
    nameless.save()
    fold()
    waiting = SyncedProduct.objects.get(id_conflict=True)
    assert waiting.last_error.startswith("'A' is the external id of shop.product")


def test_law_07_moved_unseen(neuroon, flush):
    """An id that changed without a signal: found when the row is sent, and no rejection."""
    product = make_product("A")
    fold()
    Product.objects.update(sku="B")
    tally = flush()
    assert names(neuroon) == {"B": "Product A"}
    assert tally.rejected == 0
    product.delete()
    flush()
    assert neuroon.products == {}


# Law 8: what fails again and again goes in smaller batches, and holds nobody up


def test_law_08_claims_that_come_to_nothing_grow_smaller(neuroon):
    for n in range(8):
        make_product(f"P-{n}")
    fold()
    sizes = [len(claim(8, seconds=0)) for _ in range(10)]
    assert sizes == [8, 8, 8, 4, 4, 2, 2, 2, 2, 1]


def test_law_08_who_failed_often_goes_alone_and_the_others_do_not_wait(neuroon):
    for n in range(8):
        make_product(f"P-{n}")
    fold()
    bad = SyncedProduct.objects.order_by("pk")[3]
    SyncedProduct.objects.filter(pk=bad.pk).update(attempts=12)
    assert [len(claim(8)) for _ in range(3)] == [3, 1, 4]


def test_law_08_a_product_that_makes_neuroon_stumble_holds_nobody_up(neuroon, flush, quick):
    for n in range(20):
        make_product(f"P-{n}")
    neuroon.plan = lambda call: STUMBLE if "P-7" in call.external_ids else None
    for _ in range(40):
        flush()
    assert len(neuroon.products) == 19
    row = SyncedProduct.objects.get(external_id="P-7")
    assert row.attempts > 8
    assert row.due_at is not None
    assert pauses() == {}
    Product.objects.get(sku="P-1").save()
    make_product("new")
    flush(foreground=False)
    assert "new" in neuroon.products


# Law 9: fairness


def test_law_09_deletes_and_changes_take_turns(neuroon, flush, settings):
    settings.NEUROON_BATCH_SIZE = 5
    gone = [make_product(f"gone-{n}") for n in range(10)]
    flush()
    neuroon.clear()
    for product in gone:
        product.delete()
    for n in range(25):
        make_product(f"new-{n}")
    flush()
    assert [r.endpoint for r in neuroon.requests] == ["sync", "delete"] * 5 + ["delete"] * 5


def test_law_09_live_edits_go_ahead_of_a_scan(neuroon, flush, settings):
    settings.NEUROON_BATCH_SIZE = 5
    Product.objects.bulk_create(Product(sku=f"bulk-{n}", title="x") for n in range(10))
    for product in Product.objects.all():
        product.stockrecords.bulk_create([product.stockrecords.model(product=product, price=1)])
    with transaction.atomic():
        live = [make_product(f"live-{n}") for n in range(5)]
    flush()
    assert neuroon.sync_requests[0].external_ids == (live[0].sku,)  # alone: it finds the route
    assert set(neuroon.sync_requests[1].external_ids) == {product.sku for product in live[1:]}
    assert len(neuroon.products) == 15


@pytest.mark.parametrize(
    ("trouble", "goes_on"), [("delete", "sync"), ("sync", "delete")], ids=["deletes", "products"]
)
def test_law_09_the_trouble_of_one_group_does_not_stop_the_other(
    neuroon, flush, settings, trouble, goes_on
):
    settings.NEUROON_BATCH_SIZE = 5
    gone = [make_product(f"gone-{n}") for n in range(5)]
    flush()
    for product in gone:
        product.delete()
    for n in range(25):
        make_product(f"new-{n}")
    neuroon.clear()
    with neuroon.faulty("status", endpoint=trouble):
        tally = flush(foreground=False)
    assert len(neuroon.requests_to(trouble)) == 1
    assert len(neuroon.requests_to(goes_on)) == 5
    assert list(tally.stops) == ["products" if trouble == "sync" else "deletes"]


def test_law_09_a_refused_delete_is_told_and_tried_again_later(neuroon, flush):
    make_product("A")
    flush()
    Product.objects.get().delete()
    with neuroon.faulty("status", endpoint="delete", status=400):
        tally = flush()
    assert len(neuroon.requests_to("delete")) == 2  # by the external id, then by Neuroon's own
    assert [error.partition(": ")[2] for error in tally.errors] == ["400 Sandbox fault 400"]
    row = SyncedProduct.objects.get()
    assert (row.status, row.lease) == ("deleting", "")
    assert claim(lane=Lane.DELETES) == []
    flush()
    assert neuroon.products == {}


def test_law_02_a_run_that_ends_by_an_error_leaves_leases(neuroon, flush, monkeypatch):
    make_product("A")

    def lost(self, outcomes):
        if outcomes.rows:
            raise OperationalError("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr(DeliveryQuerySet, "settle", lost)
        with pytest.raises(OperationalError):
            flush()
    row = SyncedProduct.objects.get()
    assert (row.status, row.digest, row.in_neuroon) == ("sending", "", True)
    assert row.lease
    wait_for_leases()
    flush()
    assert SyncedProduct.objects.get().status == "synced"
    assert not Change.objects.exists()


def test_law_02_an_object_whose_key_is_none_any_more(neuroon, flush):
    """The shop changed its primary keys: the old rows are no reason for the others to wait."""
    make_product("A")
    make_product("B")
    fold()
    SyncedProduct.objects.filter(external_id="A").update(object_pk="not a number")
    flush()
    assert neuroon.products.keys() == {"A", "B"}


# A million rows


def test_no_statement_reads_the_whole_mirror(neuroon):
    """On a new SQLite file, too, which has no statistics; MariaDB uses no index for "is it true?"."""
    shop = current_shop()
    SyncedProduct.objects.bulk_create(
        SyncedProduct(
            shop=shop, key=f"k{n}", model="shop.product", object_pk=str(n), external_id=str(n)
        )
        for n in range(3_000)
    )
    some = [str(n) for n in range(10)]
    ours = SyncedProduct.objects.of(shop)
    owned, named = Q(RawIn("object_pk", some), model="shop.product"), Q(RawIn("key", some))
    statements = [
        ours.filter(owned | named).order_by("pk"),  # place
        ours.filter(lane=Lane.LIVE).due().order_by("due_at", "pk")[:100],  # claim
        SyncedProduct.objects.filter(RawIn("pk", range(1, 11)), lease__in=["x"]),  # settle
        ours.filter(external_id__in=some, id_conflict=True),  # detach
        ours.waiting().filter(lease="", due_at__gt=DbNow()),  # hurry
        ours.waiting().order_by(),  # how many there are
        ours.filter(lane=Lane.BACKFILL, due_at__isnull=False, lease="x").order_by("pk"),  # hand-over
        ours.filter(pk__gt=100).exclude(model="").order_by("pk")[:500],  # scan
        ours.order_by("-pk")[:100],  # the admin's list
    ]
    reads_all = {
        "sqlite": r"SCAN(?!.*PRIMARY KEY)(?! neuroon_django_syncedproduct$)|\(shop_id=\?\)",
        "postgresql": "Seq Scan",
        "mysql": r"SIMPLE \S+ (ALL|index) .* \d{4,} Using",  # the list is read up to its limit, too
    }[connection.vendor]
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # it rightly reads a small table
            cursor.execute("SET LOCAL enable_seqscan = off")
        if connection.vendor == "mysql":  # which makes its statistics a while after
            cursor.execute(f"ANALYZE TABLE {SyncedProduct._meta.db_table}")
        plans = [queryset.explain() for queryset in statements]
    assert [plan for plan in plans if re.search(reads_all, plan)] == []
    tables = [plan for plan in plans if plan.endswith("SCAN neuroon_django_syncedproduct")]
    assert tables in ([], plans[-1:])  # SQLite reads the list from the table's end, up to its limit
