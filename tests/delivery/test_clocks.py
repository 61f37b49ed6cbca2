"""Moments that are compared come from one clock: the process may count in another zone (law 5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from neuroon_django.delivery import Scan, products_wait
from neuroon_django.models import Conversion, PlannedChange, ShopState
from tests.factories import current_shop, make_order, make_product
from tests.shop.models import Item

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["Asia/Tokyo", "America/Los_Angeles"], autouse=True)
def _zone(request, settings) -> Iterator[None]:
    """A project that counts in its own time zone, east or west of the database's."""
    settings.USE_TZ, settings.TIME_ZONE = False, request.param
    connection.close()
    yield
    connection.close()


def scans_run() -> bool:
    return Scan.due(current_shop()) is not None


@pytest.mark.parametrize(
    ("age", "is_due"), [(timedelta(minutes=50), False), (timedelta(hours=1), True)]
)
def test_a_shop_is_scanned_again_when_its_last_scan_is_old(flush, settings, age, is_due):
    settings.NEUROON_SCAN_EVERY = timedelta(hours=1)
    flush()
    ShopState.objects.update(scanned_at=F("scanned_at") - age)
    assert scans_run() == is_due


def test_a_worker_notes_now_and_then_that_it_is_here(flush):
    flush()
    first = current_shop().run_at
    flush()
    assert current_shop().run_at == first
    ShopState.objects.update(run_at=F("run_at") - timedelta(seconds=60))
    flush()
    assert current_shop().run_at > first - timedelta(seconds=30)


def test_a_scan_goes_on_when_its_time_has_come(flush):
    flush()
    shop = current_shop()
    for retry_in, goes_on in [(60.0, False), (-1.0, True)]:
        ShopState.objects.filter(pk=shop.pk).update(scan_cursor="")
        assert ShopState.objects.move_scan(shop.pk, "", "", retry_in=retry_in)
        ShopState.objects.filter(pk=shop.pk).update(scanned_at=None)
        assert (Scan.due(current_shop()) is not None) == goes_on


def test_a_moment_that_the_shop_names_comes_by_the_shops_clock(neuroon, flush, use_items):
    use_items(
        name=lambda feed, item: "after" if item.seen_at <= timezone.now() else "before",
        changes_at="seen_at",
    )
    item = Item.objects.create(code="A", title="A", seen_at=timezone.now() + timedelta(hours=1))
    flush()
    assert not products_wait(current_shop())
    Item.objects.filter(pk=item.pk).update(seen_at=timezone.now())
    PlannedChange.objects.update(at=timezone.now() - timedelta(seconds=1))
    assert products_wait(current_shop())
    flush()
    assert neuroon.products["A"]["name"] == "after"


@pytest.mark.parametrize(
    ("age", "kept"), [(timedelta(minutes=59), True), (timedelta(minutes=61), False)]
)
def test_clicks_grow_old_by_the_clock_that_they_were_made_by(flush_orders, age, kept):
    make_order("1", make_product("A"), status="open")
    flush_orders()
    Conversion.objects.update(clicked_at=timezone.now() - age)
    Conversion.objects.wipe_clicks(3600)
    assert Conversion.objects.exclude(clicks="").exists() == kept
