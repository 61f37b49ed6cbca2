"""A run in the foreground: it tries three times what may have arrived, and says what it waits for."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from django.core.management.base import OutputWrapper
from django.db.models import F

from neuroon_django.delivery import pacing
from neuroon_django.management.progress import Progress
from neuroon_django.models import Conversion, Endpoint, SyncedProduct, endpoint
from neuroon_django.testing.sandbox import Fault
from tests.factories import end_blocks, make_order, make_product
from tests.operators.commands import failing, neuroon_sync
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN = {
    "502": Fault("status", status=502),
    "502, applied": Fault("status", status=502, apply=True),
    "504, applied": Fault("status", status=504, apply=True),
    "drop": Fault("drop"),
    "lost": Fault("lost"),
    "truncated": Fault("truncated"),
}
STEPS = ["sync", "delete", "conversion"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch, settings) -> None:
    monkeypatch.setattr(endpoint, "FIRST_BACKOFF", 0.01)
    settings.NEUROON_PRODUCTS_API = "plugin"


def begin(step: str) -> None:
    """Make what the step sends; everything before it has arrived."""
    neuroon_sync()  # and with it the first scan, which would look at what is leased
    product = make_product("A")
    if step == "sync":
        return
    neuroon_sync()
    if step == "delete":
        Product.objects.get().delete()
    else:
        make_order("1", product)


def end_leases() -> None:
    for rows in (SyncedProduct.objects, Conversion.objects):
        rows.exclude(lease="").update(due_at=F("created_at"))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", UNKNOWN)
def test_law_05_what_may_have_arrived_is_sent_three_times(neuroon, step, fault):
    begin(step)
    neuroon.clear()
    neuroon.fault(**vars(UNKNOWN[fault]), endpoint=step, times=2)
    neuroon_sync()  # exits 0
    bodies = [request.body for request in neuroon.requests_to(step)]
    assert len(bodies) == (2 if (step, fault) == ("delete", "truncated") else 3)  # it is a 404 then
    assert len(set(bodies)) == 1
    assert ("A" in neuroon.products) == (step != "delete")
    assert bool(neuroon.conversions) == (step == "conversion")
    neuroon.clear()
    end_leases()
    neuroon_sync()
    assert neuroon.requests == []
    assert not SyncedProduct.objects.filter(due_at__isnull=False).exists()


CELLS = [
    (step, fault) for step in STEPS for fault in UNKNOWN if (step, fault) != ("delete", "truncated")
]


@pytest.mark.parametrize(("step", "fault"), CELLS)
def test_law_09_what_stays_unknown_says_why_and_blames_no_other_worker(neuroon, step, fault):
    begin(step)
    neuroon.clear()
    with neuroon.faulty(**vars(UNKNOWN[fault]), endpoint=step, times=None):
        _, error = failing("neuroon_sync")
        lines = str(error).splitlines()
    assert len(neuroon.requests_to(step)) >= 3
    assert lines[0].startswith(("POST /api", "DELETE /api"))
    assert "Another worker" not in "".join(lines)
    assert "sent again after" in lines[-1]
    end_leases()
    end_blocks()
    neuroon_sync()
    assert ("A" in neuroon.products) == (step != "delete")


def test_law_05_what_is_newer_waits_for_the_lease_after_a_second_attempt(neuroon, flush):
    flush()
    product = make_product("A")
    neuroon.fault("lost", endpoint="sync")
    flush()
    row = SyncedProduct.objects.get()
    assert (row.status, bool(row.lease), bool(row.digest)) == ("synced", True, True)
    product.title = "Newer"
    product.save()
    flush()
    assert neuroon.products["A"]["name"] == "Product A"
    end_leases()
    flush()
    assert neuroon.products["A"]["name"] == "Newer"
    assert SyncedProduct.objects.get().lease == ""


def test_law_05_a_refusal_after_an_attempt_that_may_have_arrived_settles_nothing(neuroon, flush):
    flush()
    make_product("A")
    neuroon.fault("lost", endpoint="sync")
    neuroon.fault("status", endpoint="sync", status=400)
    done = flush()
    assert "400" in done.errors[0]
    row = SyncedProduct.objects.get()
    assert (row.status, bool(row.lease)) == ("sending", True)


def test_law_05_deleted_between_two_attempts_waits_for_the_lease(neuroon, flush):
    product = make_product("A")
    neuroon.fault("lost", endpoint="sync")
    seen: list[Any] = []

    def plan(request: Any) -> None:
        seen.append(request)
        if len(seen) == 1:
            product.delete()

    neuroon.plan = plan
    flush()
    assert neuroon.requests_to("delete") == [] or neuroon.overlaps == []
    end_leases()
    flush()
    assert neuroon.products == {}
    assert not SyncedProduct.objects.exists()


@pytest.mark.parametrize("step", ["sync", "conversion"])
@pytest.mark.parametrize("status", [429, 503])
def test_law_09_a_retry_after_is_sat_out_in_slices_and_told(neuroon, monkeypatch, capsys, step, status):
    begin(step)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if seconds < pacing.SLICE and sum(slept) > 15:
            end_blocks()

    monkeypatch.setattr(pacing.time, "sleep", sleep)
    neuroon.fault("status", endpoint=step, status=status, headers={"Retry-After": "17"})
    said = neuroon_sync()
    assert "waiting 17 s: Neuroon asked to wait" in said
    assert max(slept) <= pacing.SLICE
    assert sum(slept) > 15


def test_law_09_a_run_that_lost_its_lease_while_it_waited_says_so(
    neuroon, flush, monkeypatch, settings
):
    settings.NEUROON_TIMEOUT = 0.1
    make_product("A")
    nap = time.sleep

    def sleep(seconds: float) -> None:
        Endpoint.objects.update(run_token="another")
        nap(0.06)

    neuroon.fault("status", endpoint="sync", status=429, headers={"Retry-After": "60"})
    monkeypatch.setattr(pacing.time, "sleep", sleep)
    done = flush()
    assert done.stops == {"products": pacing.LEASE_LOST}
    assert set(SyncedProduct.objects.values_list("status", "lease")) == {("pending", "")}


def test_a_bar_says_what_it_waits_for():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    terminal = OutputWrapper(screen)
    with Progress(3, terminal, terminal) as progress:
        progress.wait("waiting 30 s: Neuroon asked to wait")
        assert "waiting 30 s" in screen.getvalue()
        progress.show(1)
