"""The page of the runs: what each did, how long it takes, and the charts above."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from neuroon_django.models import Run, SyncedProduct
from neuroon_django.operations.throughput import hours_of
from tests.factories import current_shop, make_product
from tests.operators.admin.pages import cells

pytestmark = pytest.mark.django_db(transaction=True)

RUNS = "admin:neuroon_django_run_changelist"


def make_run(began: timedelta, ended: timedelta, **values: object) -> Run:
    now = timezone.now()
    return Run.objects.create(
        shop=current_shop(), kind="products", began_at=now - began, ended_at=now - ended, **values
    )


def test_a_run_that_came_to_its_end(neuroon, flush, reader):
    make_product("A"), make_product("B", price=None)
    flush()
    [[state, kind, _began, _took, did, reason]] = cells(reader.get(reverse(RUNS)))
    assert (state, kind, did, reason) == ("done", "products", "1 synced, 1 rejected, 2 scanned", "-")


def test_a_long_run_says_how_long_it_still_takes(neuroon, reader):
    make_run(timedelta(hours=1), timedelta(0), synced=15_000, handed_over=True)
    rows = [
        SyncedProduct(shop=current_shop(), key=str(n), external_id=str(n), due_at=timezone.now())
        for n in range(500)
    ]
    SyncedProduct.objects.bulk_create(rows)
    [[state, _kind, _began, took, did, _reason]] = cells(reader.get(reverse(RUNS)))
    assert (state, took, did) == ("under way", "1 h 0 min, about 2 min left", "15,000 synced")


def test_a_run_that_nobody_goes_on_with_is_not_under_way(neuroon, reader):
    make_run(timedelta(hours=1), timedelta(minutes=3), synced=1, handed_over=True)
    make_run(timedelta(hours=1), timedelta(minutes=3), synced=1, reason="401 no")
    assert [row[0] for row in cells(reader.get(reverse(RUNS)))] == ["stopped", "done"]


def test_the_hours_of_a_day(neuroon):
    now = timezone.now()
    start = now.replace(minute=0, second=0, microsecond=0)
    run = make_run(timedelta(hours=2), timedelta(0), synced=600, deleted=600, longest_wait=90)
    Run.objects.filter(pk=run.pk).update(began_at=start - timedelta(hours=2), ended_at=start)
    hours = hours_of(current_shop())
    assert [round(hour.sent) for hour in hours[-4:]] == [0, 600, 600, 0]
    assert [hour.longest_wait for hour in hours[-4:]] == [0, 0, 0, 90]
    assert len(hours) == 24


def test_the_page_costs_the_same_for_many_runs(neuroon, reader):
    counts = []
    for n in (1, 150):
        rows = [
            Run(shop=current_shop(), kind="products", began_at=timezone.now(), ended_at=timezone.now())
            for _ in range(n)
        ]
        Run.objects.bulk_create(rows)
        with CaptureQueriesContext(connection) as captured:
            assert reader.get(reverse(RUNS)).status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_who_may_not_look(neuroon, person):
    assert person().get(reverse(RUNS)).status_code == 403
