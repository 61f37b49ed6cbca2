"""What changes by the clock alone: a sale's end, a publication (`changes_at`)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from neuroon_django.delivery import products_wait
from neuroon_django.models import Change, PlannedChange, SyncedProduct
from tests.factories import current_shop
from tests.shop.models import Item

pytestmark = pytest.mark.django_db(transaction=True)


def clock_strikes() -> None:
    """Let all planned moments come."""
    PlannedChange.objects.update(at=timezone.now() - timedelta(seconds=1))


@pytest.fixture
def in_an_hour(use_items) -> None:
    """Items whose name ends, or that are listed, when `seen_at` is over."""

    def is_over(item: Item) -> bool:
        return item.seen_at <= timezone.now()

    use_items(
        name=lambda feed, item: f"{item.code} {'after' if is_over(item) else 'before'}",
        is_listed=lambda feed, item: item.title != "later" or is_over(item),
        changes_at="seen_at",
    )


def test_a_product_is_sent_again_when_its_moment_comes(neuroon, flush, in_an_hour):
    item = Item.objects.create(code="A", title="new", seen_at=timezone.now() + timedelta(hours=1))
    flush()
    assert neuroon.products["A"]["name"] == "A before"
    assert PlannedChange.objects.get().at == Item.objects.get().seen_at
    assert not products_wait(current_shop())
    Item.objects.filter(pk=item.pk).update(title="over", seen_at=timezone.now())  # tells nobody
    clock_strikes()
    assert products_wait(current_shop())
    flush()
    assert neuroon.products["A"]["name"] == "A after"
    assert not PlannedChange.objects.exists()
    assert not products_wait(current_shop())


def test_what_is_not_listed_yet_is_listed_when_its_moment_comes(neuroon, flush, in_an_hour):
    Item.objects.create(code="A", title="later", seen_at=timezone.now() + timedelta(hours=1))
    flush()
    assert neuroon.products == {}
    assert SyncedProduct.objects.get().status == "unlisted"
    Item.objects.update(seen_at=timezone.now())
    clock_strikes()
    flush()
    assert set(neuroon.products) == {"A"}


def test_a_moment_that_moves_is_planned_anew(neuroon, flush, in_an_hour):
    first, second = (timezone.now() + timedelta(hours=hours) for hours in (2, 1))
    item = Item.objects.create(code="A", title="new", seen_at=first)
    flush()
    item.seen_at = second
    item.save()
    flush()
    assert list(PlannedChange.objects.values_list("at", flat=True)) == [second]


def test_a_scan_plans_what_was_sent_before_the_feed_said_when(neuroon, flush, use_items):
    use_items()
    Item.objects.create(code="A", title="A", seen_at=timezone.now() + timedelta(hours=1))
    flush()
    use_items(changes_at="seen_at")
    shop = current_shop()
    type(shop).objects.request_scan(shop.pk)
    flush()
    assert PlannedChange.objects.count() == 1
    assert len([r for r in neuroon.requests if r.endpoint == "sync"]) == 1


def test_a_deleted_product_leaves_nothing(neuroon, flush, in_an_hour):
    item = Item.objects.create(code="A", title="new", seen_at=timezone.now() + timedelta(hours=1))
    flush()
    item.delete()
    clock_strikes()
    flush()
    assert neuroon.products == {}
    assert not SyncedProduct.objects.exists()
    assert not PlannedChange.objects.exists()
    assert not Change.objects.exists()


@pytest.mark.parametrize(("entries", "statements"), [({}, 1), ({"changes_at": "seen_at"}, 1)])
def test_an_idle_look_stays_one_statement(neuroon, flush, use_items, entries, statements):
    use_items(**entries)
    flush()
    with CaptureQueriesContext(connection) as captured:
        assert not products_wait(current_shop())
    looked = [q for q in captured if q["sql"].startswith("SELECT") and "EXISTS" in q["sql"]]
    assert len(looked) == statements
