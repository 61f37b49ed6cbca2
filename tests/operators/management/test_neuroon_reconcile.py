"""`neuroon_reconcile`: what it finds, what it mends, and what it never deletes."""

from __future__ import annotations

import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from neuroon_django import muted
from neuroon_django.api import Client, messages
from neuroon_django.conf import conf
from neuroon_django.delivery.pacing import Pacing
from neuroon_django.delivery.reconcile import Reconciliation
from neuroon_django.feeds import registry
from neuroon_django.models import Endpoint, Group, ShopState, SyncedProduct
from tests.factories import end_blocks, make_product
from tests.feeds_in_use import item_feed
from tests.operators.commands import neuroon_sync, printed, summary
from tests.shop.models import Product, StockRecord, Voucher

pytestmark = pytest.mark.django_db(transaction=True)


def neuroon_reconcile(*options: str) -> tuple[str, CommandError | None]:
    out = io.StringIO()
    try:
        call_command("neuroon_reconcile", *options, stdout=out, stderr=io.StringIO())
    except CommandError as error:
        return printed(out), error
    return printed(out), None


def table(**counts: int) -> str:
    names = {
        "listed": "Listed by Neuroon   ",
        "same": "Identical           ",
        "under_way": "Queued or rejected  ",
        "strays": "Only at Neuroon     ",
        "gone": "Gone from the shop  ",
        "orphans": "Without a feed      ",
        "lost": "Missing at Neuroon  ",
        "different": "Different           ",
    }
    width = max(len(f"{n:,}") for n in [0, *counts.values()])
    return "".join(f"{label}{counts.get(name, 0):>{width},}\n" for name, label in names.items())


@pytest.fixture
def twelve(neuroon):
    for n in range(12):
        make_product(f"P-{n:02}")
    neuroon_sync()
    neuroon.clear()
    return neuroon


def stray(neuroon, *ids: str) -> None:
    bodies = [
        b'{"externalId":"%s","name":"x","price":1,"url":"https://x.test/"}' % i.encode() for i in ids
    ]
    with Client(**conf.shop().client_options()) as client:
        client.sync_products(bodies, list(ids), "plugin")
    neuroon.clear()


def test_two_sides_that_agree(twelve):
    assert neuroon_reconcile() == (table(listed=12, same=12), None)
    assert [r.method for r in twelve.requests] == ["GET"]


def test_the_totals_are_remembered_with_what_the_plan_allows(twelve):
    ShopState.objects.update(totals={"shop": 1, "neuroon": 1, "quota": 500}, compared_at=None)
    neuroon_reconcile()
    shop = ShopState.objects.get()
    assert shop.totals == {"shop": 12, "neuroon": 12, "quota": 500}
    assert shop.compared_at is not None


def test_a_scan_that_was_asked_for_holds_nothing_back(twelve):
    ShopState.objects.request_scan(ShopState.objects.get().pk)
    with muted():
        Product.objects.filter(sku=next(iter(twelve.products))).delete()
    _output, error = neuroon_reconcile("--fix")
    assert error is None
    assert len(twelve.products) == 11


def test_what_differs_is_told_and_mended(twelve):
    stray(twelve, "X-1", "X-2")
    del twelve.products["P-03"]
    twelve.products["P-04"]["price"] = Decimal("9.99")
    twelve.products["P-05"]["name"] = "Old"
    twelve.products["P-06"]["inStock"] = False
    output = table(listed=13, same=8, strays=2, lost=1, different=3) + (
        "Only at Neuroon: X-1\n"
        "Only at Neuroon: X-2\n"
        "Missing at Neuroon: P-03\n"
        "Different: P-04: price 10.00 here, 9.99 there\n"
        "Different: P-05: name 'Product P-05' here, 'Old' there\n"
        "Different: P-06: in stock True here, False there\n"
    )
    out, failed = neuroon_reconcile()
    assert out == output
    assert (str(failed), failed.returncode) == (
        "Neuroon and the shop differ. Run: manage.py neuroon_reconcile --fix",
        1,
    )
    out, failed = neuroon_reconcile("--fix")
    assert (out, failed) == (
        output + summary(sent=4, created=1, updated=3, deleted=2, requests=3),
        None,
    )
    assert neuroon_reconcile() == (table(listed=12, same=12), None)
    assert SyncedProduct.objects.count() == 12


def test_an_unlisted_product_that_neuroon_shows_is_taken_out(twelve):
    product = Product.objects.get(sku="P-00")
    product.is_published = False
    product.save()
    neuroon_sync()
    stray(twelve, "P-00")
    out, failed = neuroon_reconcile("--fix")
    assert out == (
        table(listed=12, same=11, strays=1) + "Only at Neuroon: P-00\n" + summary(deleted=1, requests=1)
    )
    assert failed is None
    assert "P-00" not in twelve.products
    assert SyncedProduct.objects.get(external_id="P-00").status == "unlisted"


def test_what_is_on_its_way_is_not_compared(twelve):
    Product.objects.get(sku="P-00").delete()
    product = Product.objects.get(sku="P-01")
    product.title = "New"
    product.save()
    neuroon_sync("--dry-run")  # folds
    assert neuroon_reconcile() == (table(listed=12, same=10, under_way=2), None)


def test_nothing_is_deleted_where_more_than_half_would_go(twelve):
    stray(twelve, *[f"X-{n:02}" for n in range(13)])
    out, failed = neuroon_reconcile("--fix")
    assert out.endswith(summary())
    assert str(failed) == (
        "Nothing was deleted: 13 of 25 would be deleted, which is more than half. "
        "To delete all the same, add --force."
    )
    assert len(twelve.products) == 25
    _out, failed = neuroon_reconcile("--fix", "--force")
    assert failed is None
    assert len(twelve.products) == 12


def test_nothing_is_deleted_where_the_shop_looks_empty(twelve):
    stray(twelve, "X-1")
    with connection.cursor() as cursor:  # as a broken import does it: no signal tells
        cursor.execute("DELETE FROM shop_stockrecord")
        cursor.execute("DELETE FROM shop_product")
    _out, failed = neuroon_reconcile("--fix")
    assert "the shop's catalogue looks empty" in str(failed)
    assert len(twelve.products) == 13


def test_nothing_is_deleted_before_the_catalogue_was_sent(neuroon):
    make_product("A")
    stray(neuroon, "X-1", "X-2", "X-3")
    ShopState.objects.update(scanned_at=None)
    _out, failed = neuroon_reconcile("--fix")
    assert "the catalogue was never sent from here" in str(failed)
    assert {"X-1", "X-2", "X-3"} <= neuroon.products.keys()


def test_law_07_what_has_no_feed_here_goes_on_demand(twelve, use_feeds):
    """No scan takes it out: another version of the project may know it."""
    feeds = dict(registry.feeds)
    use_feeds(*feeds.values(), (Voucher, item_feed(external_id="key")))
    Voucher.objects.create(key="V", title="t")
    neuroon_sync()
    use_feeds(*feeds.values())
    neuroon_sync("--scan")
    out, error = neuroon_reconcile()
    assert out.startswith(table(listed=13, same=12, orphans=1))
    assert "Without a feed: V" in out
    assert "neuroon_reconcile --fix" in str(error)
    assert "V" in twelve.products
    _, error = neuroon_reconcile("--fix")
    assert error is None
    assert len(twelve.products) == 12
    assert neuroon_reconcile() == (table(listed=12, same=12), None)


def test_law_07_what_the_shop_has_is_no_stray(twelve):
    """A backup was restored: the mirror forgot a product that an import then brought back."""
    with muted():
        Product.objects.get(sku="P-01").delete()
        SyncedProduct.objects.filter(external_id="P-01").delete()
        make_product("P-01")
    stray(twelve, "X-1")
    out, failed = neuroon_reconcile("--fix")
    assert failed is None
    assert "Only at Neuroon: P-01" in out
    assert [r.path.rpartition("/")[2] for r in twelve.requests if r.method == "DELETE"] == ["X-1"]
    assert "P-01" in twelve.products
    assert neuroon_reconcile() == (table(listed=12, same=12), None)


def test_nothing_is_deleted_where_the_shop_cannot_be_read(twelve, monkeypatch):
    def broken():
        raise RuntimeError("no site")

    def then_broken(self):
        found = compare(self)
        feed = registry.product_source("shop.product").feed
        monkeypatch.setattr(feed, "get_queryset", broken)
        return found

    compare = Reconciliation.compare
    monkeypatch.setattr(Reconciliation, "compare", then_broken)
    stray(twelve, "X-1")
    with pytest.raises(CommandError, match=r"shop\.product cannot be read; nothing was deleted"):
        call_command("neuroon_reconcile", "--fix", "--force", stdout=io.StringIO())
    assert not [r for r in twelve.requests if r.method == "DELETE"]


def test_a_list_that_shifts_while_it_is_read_loses_nobody(neuroon):
    """Two pages; a product of the first goes while it is read, so one slips from page 2 to page 1."""
    for n in range(150):
        make_product(f"P-{n:03}")
    stray(neuroon, "A-stray")
    neuroon_sync()
    neuroon.clear()

    def plan(call):
        listed = [r for r in neuroon.requests if r.endpoint == "list"]
        if call.endpoint == "list" and len(listed) == 1:
            del neuroon.products["A-stray"]

    neuroon.plan = plan
    out, failed = neuroon_reconcile()
    assert out == table(listed=150, same=149, strays=1) + "Only at Neuroon: A-stray\n"
    assert failed is not None
    assert [r.path.partition("?")[2][:6] for r in neuroon.requests] == ["page=0", "page=1"] * 2


def test_a_page_of_what_was_not_sent_from_a_shop_ends_nothing(neuroon, monkeypatch):
    make_product("A")
    neuroon_sync()
    stray(neuroon, "X")
    real = Client.list_products

    def listed(self, page, size=100):
        if page == 0:
            return messages.Page(content=[], items=100, total_pages=2)
        found = real(self, page - 1, size)
        return messages.Page(content=found.content, items=found.items, total_pages=2)

    monkeypatch.setattr(Client, "list_products", listed)
    out, _failed = neuroon_reconcile()
    assert out == table(listed=2, same=1, strays=1) + "Only at Neuroon: X\n"


def test_a_page_that_fails_is_read_again(twelve):
    twelve.fault("status", endpoint="list", times=2)
    assert neuroon_reconcile() == (table(listed=12, same=12), None)


def test_a_list_that_cannot_be_read_changes_nothing(twelve, settings):
    settings.NEUROON_TIMEOUT = 0.2
    with twelve.faulty("status", status=403, endpoint="list"):
        out, failed = neuroon_reconcile("--fix")
    assert out == ""
    assert failed.returncode == 2
    assert str(failed).startswith("Nothing was compared, as Neuroon's list could not be read: ")
    assert "403" in str(failed)
    assert len(twelve.products) == 12


def test_law_09_the_list_is_read_in_the_slots_that_all_requests_share(
    neuroon, flush, settings, monkeypatch
):
    for n in range(250):
        make_product(f"P-{n:03}")
    flush()
    settings.NEUROON_RATE_LIMIT = 60
    rows = Endpoint.objects.filter(group=Group.PRODUCTS)
    rows.update(next_slot_at=None)
    monkeypatch.setattr(Pacing, "_sleep", lambda pacing, seconds: True)
    slots: list[object] = []
    neuroon.plan = lambda call: slots.append(rows.get().next_slot_at)
    assert neuroon_reconcile()[1] is None
    assert len(slots) == len(neuroon.requests_to("list")) == 3
    assert slots == sorted(set(slots))


def test_law_09_the_list_is_not_asked_for_while_neuroon_wants_to_be_left_alone(
    neuroon, flush, monkeypatch
):
    make_product("A")
    flush()
    in_an_hour = timezone.now() + timedelta(hours=1)
    Endpoint.objects.filter(group=Group.PRODUCTS).update(blocked_until=in_an_hour)
    asked: list[int] = []

    def sleep(pacing: Pacing, seconds: float) -> bool:
        asked.append(len(neuroon.requests_to("list")))
        return end_blocks() is None

    monkeypatch.setattr(Pacing, "_sleep", sleep)
    assert neuroon_reconcile()[1] is None
    assert asked[0] == 0
    assert len(neuroon.requests_to("list")) == 1


GHOSTS = {
    "deleted": lambda: Product.objects.filter(sku__in=["P-00", "P-01"])._raw_delete("default"),
    "unlisted": lambda: Product.objects.filter(sku__in=["P-00", "P-01"]).update(is_published=False),
}


@pytest.mark.parametrize("how", GHOSTS)
def test_what_the_shop_has_or_lists_no_more_differs_and_is_taken_out(twelve, how):
    """No signal told of it, and the rows say that all is well."""
    if how == "deleted":
        StockRecord.objects.filter(product__sku__in=["P-00", "P-01"])._raw_delete("default")
    GHOSTS[how]()
    output = table(listed=12, same=10, gone=2) + "Gone from the shop: P-00\nGone from the shop: P-01\n"
    out, failed = neuroon_reconcile()
    assert (out, failed.returncode) == (output, 1)
    assert len(twelve.products) == 12
    out, failed = neuroon_reconcile("--fix")
    assert (out, failed) == (output + summary(deleted=2, requests=2), None)
    assert len(twelve.products) == 10
    assert neuroon_reconcile() == (table(listed=10, same=10), None)


def test_a_product_that_changed_its_id_is_gone_under_the_old_one(twelve):
    Product.objects.filter(sku="P-00").update(sku="P-00b")
    out, _failed = neuroon_reconcile()
    assert out == table(listed=12, same=11, gone=1) + "Gone from the shop: P-00\n"
    _out, failed = neuroon_reconcile("--fix")
    assert failed is None
    assert "P-00b" in twelve.products
    assert "P-00" not in twelve.products
    assert neuroon_reconcile() == (table(listed=12, same=12), None)


def test_law_07_too_much_that_seems_gone_is_not_believed(twelve, use_feeds):
    """All of one feed, though less than half of the shop: the brake of a scan holds here too."""
    use_feeds(*registry.feeds.values(), (Voucher, item_feed(external_id="key")))
    Voucher.objects.create(key="V", title="t")
    neuroon_sync()
    Voucher.objects.all()._raw_delete("default")
    out, failed = neuroon_reconcile("--fix")
    assert out.startswith(table(listed=13, same=12, gone=1))
    assert str(failed) == (
        "Nothing was deleted: 1 of 1 products of shop.voucher seem to be gone. "
        "To delete all the same, add --force."
    )
    assert "V" in twelve.products
    _out, failed = neuroon_reconcile("--fix", "--force")
    assert failed is None
    assert "V" not in twelve.products
