"""Scan: what no signal told, found by digest; interrupted, shared, and never ahead of live edits."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.test.utils import CaptureQueriesContext

from neuroon_django import mark_changed, muted
from neuroon_django.api import Client
from neuroon_django.api.messages import Way
from neuroon_django.conf import conf
from neuroon_django.delivery import Scan, fold_all, preview_products, product_run, products_wait
from neuroon_django.delivery import scan as scanning
from neuroon_django.delivery.scan import FORCED
from neuroon_django.feeds import registry
from neuroon_django.models import Change, Endpoint, Lane, ShopState, SyncedProduct
from tests.factories import another_shop, current_shop
from tests.feeds_in_use import item_feed
from tests.shop.models import Gadget, Item, Maker, Voucher

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rescan(flush):
    """Scan the whole catalogue, then send what differs."""

    def run():
        ShopState.objects.request_scan(current_shop().pk)
        return flush()

    return run


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch) -> None:
    monkeypatch.setattr(scanning, "PAGE", 7)


def fill(count: int, **values: object) -> list[Item]:
    Item.objects.bulk_create(Item(code=f"C{n:03}", title=f"T{n}", **values) for n in range(count))
    return list(Item.objects.order_by("pk"))


def sent(neuroon) -> list[str]:
    return sorted(name for request in neuroon.sync_requests for name in request.external_ids)


def test_the_first_run_sends_the_catalogue(neuroon, flush, use_items):
    use_items()
    fill(30)
    tally = flush()
    assert tally.scanned == 30
    assert len(neuroon.products) == 30
    assert current_shop().scanned_at is not None
    assert flush().scanned == 0


def test_whatever_wrote_it_the_scan_finds_it(neuroon, flush, rescan, use_items):
    use_items(brand="maker__name", is_listed=lambda feed, item: item.seen_at is None)
    maker = Maker.objects.create(name="m")
    fill(30)
    flush()
    neuroon.clear()
    Item.objects.filter(code="C003").update(title="by update()")
    Item.objects.filter(code__in=["C004", "C005"]).update(maker=maker)
    Item.objects.bulk_create([Item(code="NEW", title="by bulk_create")])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE shop_item SET title = 'by hand' WHERE code = 'C006'")
        cursor.execute("DELETE FROM shop_item WHERE code = 'C007'")
        cursor.execute("UPDATE shop_item SET code = 'RENAMED' WHERE code = 'C008'")
    Item.objects.filter(code="C009").update(seen_at="2026-01-01T00:00:00Z")
    last = Item.objects.order_by("-pk")[1]
    Item.objects.filter(code="C010").update(id=last.pk + 1000)
    with muted():
        Item.objects.get(code="C011").delete()
    rescan()
    assert sent(neuroon) == ["C003", "C004", "C005", "C006", "NEW", "RENAMED"]
    expected = {item.code for item in Item.objects.all()} - {"C009"}
    assert set(neuroon.products) == expected
    assert SyncedProduct.objects.get(external_id="C009").status == "unlisted"
    assert SyncedProduct.objects.get(external_id="C010").object_pk == str(last.pk + 1000)
    neuroon.clear()
    tally = rescan()
    assert (tally.scanned, neuroon.requests) == (29, [])


def test_what_is_the_same_is_not_even_touched(neuroon, flush, rescan, use_items):
    use_items()
    fill(20)
    flush()
    before = list(SyncedProduct.objects.order_by("pk").values())
    rescan()
    assert list(SyncedProduct.objects.order_by("pk").values()) == before


def test_a_rejected_product_is_left_alone_until_it_differs(neuroon, flush, rescan, use_items):
    use_items(price=lambda feed, item: None if item.title == "bad" else 1)
    Item.objects.create(code="A", title="bad")
    flush()
    before = SyncedProduct.objects.get()
    assert before.last_error == "no price"
    rescan()
    assert SyncedProduct.objects.get().revision == before.revision
    Item.objects.update(title="good")
    rescan()
    assert SyncedProduct.objects.get().status == "synced"


def test_keys_of_every_kind_are_walked_in_order(neuroon, rescan, use_feeds):
    use_feeds((Gadget, item_feed(name="code")), (Voucher, item_feed(external_id="key")))
    Gadget.objects.bulk_create(Gadget(code=f"G{n}") for n in range(25))
    Voucher.objects.bulk_create(Voucher(key=f"v:{n} ü", title="t") for n in range(25))
    assert rescan().scanned == 50
    assert len(neuroon.products) == 50
    Gadget.objects.filter(code="G1").update(code="G1b")
    Voucher.objects.filter(key="v:1 ü")._raw_delete("default")
    Gadget.objects.filter(code="G2")._raw_delete("default")
    rescan()
    assert len(neuroon.products) == 48
    assert "G1b" in neuroon.products


def test_an_interrupted_scan_goes_on_where_it_stopped(neuroon, use_items, monkeypatch):
    use_items()
    fill(30)
    shop = current_shop()
    scan = Scan.due(shop)
    assert scan.step()
    assert scan.step()
    cursor = json.loads(current_shop().scan_cursor)
    assert cursor[:3] == ["shop", "shop.item", str(Item.objects.order_by("pk")[13].pk)]

    class Killed(BaseException):
        pass

    def die(*args: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(scanning, "make_due", die)
        scan.step()
    following = Scan.due(current_shop())
    while following.step():
        pass
    assert following.seen == 16
    assert SyncedProduct.objects.count() == 30
    assert Scan.due(current_shop()) is None


def test_what_is_asked_for_during_a_scan_is_scanned_from_the_beginning(neuroon, use_items):
    """An update to what was passed already is found, though the scan before it was interrupted."""
    use_items()
    fill(30)
    assert Scan.due(current_shop()).step()
    scan = Scan.due(current_shop(), asked=True)
    while scan.step():
        pass
    assert scan.seen == 30
    assert current_shop().scanned_at is not None


def test_a_scan_that_is_overtaken_by_a_request_for_another_gives_way(neuroon, use_items):
    use_items()
    fill(30)
    scan = Scan.due(current_shop())
    scan.step()
    ShopState.objects.request_scan(scan.shop.pk)
    assert not scan.step()
    again = Scan.due(current_shop())
    while again.step():
        pass
    assert again.seen == 30


def test_law_05_a_fold_at_one_address_makes_the_other_scan(neuroon, use_items):
    use_items()
    fill(30)
    other = another_shop("other", "https://other")
    second, configured = another_shop("second", "https://other"), Scan.due(current_shop())
    done, under_way = Scan.due(other), Scan.due(second)
    while done.step():
        pass
    under_way.step()
    configured.step()
    mark_changed(Item.objects.all()[:1])
    fold_all(current_shop())
    assert Scan.due(another_shop("other", "https://other")).position.walk == "shop"
    assert another_shop("second", "https://other").scan_cursor == ""
    assert current_shop().scan_cursor != ""  # law 20: it was folded for as well
    assert current_shop().scanned_at is None


def test_two_scanners_share_one_walk(neuroon, use_items):
    use_items()
    fill(40)
    one, two = Scan.due(current_shop()), Scan.due(current_shop())
    turns = [one, two, two, one, one, two] * 10
    for scan in turns:
        scan.step()
    assert SyncedProduct.objects.count() == 40
    assert one.seen + two.seen == 40
    assert current_shop().scan_cursor == ""
    with Client(**conf.shop().client_options()) as client:
        product_run(current_shop(), client).run()
    assert sent(neuroon) == sorted(item.code for item in Item.objects.all())


def test_law_09_a_scan_never_overtakes_live_edits(neuroon, use_items, settings):
    settings.NEUROON_BATCH_SIZE = 5
    use_items()
    fill(20)
    current_shop().way_found(Way("plugin", "object"))
    shop = current_shop()
    scan = Scan.due(shop)
    while scan.step():
        pass
    assert set(SyncedProduct.objects.values_list("lane", flat=True)) == {Lane.BACKFILL}
    live = Item.objects.get(code="C019")
    live.title = "live"
    live.save()
    Item.objects.create(code="LIVE", title="live")
    with Client(**conf.shop().client_options()) as client:
        product_run(shop, client).run()
    first, *rest = neuroon.sync_requests
    assert set(first.external_ids) == {"C019", "LIVE"}
    assert [len(request.external_ids) for request in rest] == [5, 5, 5, 4]


def test_a_scan_keeps_a_live_edit_in_its_lane(neuroon, flush, use_items):
    use_items()
    (item,) = fill(1)
    flush()
    item.title = "live"
    item.save()
    shop = current_shop()
    fold_all(shop)
    scan = Scan.due(shop, asked=True)
    while scan.step():
        pass
    assert SyncedProduct.objects.get().lane == Lane.LIVE


def test_listed_again_while_its_delete_waits(neuroon, flush, use_items):
    """Unlisted by a save, listed again by an update(): the scan takes it out of the deletes."""
    use_items(is_listed="title")
    (item,) = fill(1)
    flush()
    Item.objects.update(title="")
    SyncedProduct.objects.update(status="deleting", lane=Lane.DELETES, due_at="2020-01-01T00:00:00Z")
    Item.objects.update(title="back")
    shop = current_shop()
    scan = Scan.due(shop, asked=True)
    while scan.step():
        pass
    flush()
    assert neuroon.products[item.code]["name"] == "back"
    assert SyncedProduct.objects.get().status == "synced"


def test_keys_that_changed_their_kind_are_gone(neuroon, flush, rescan, use_feeds):
    """The model's primary key became another type: old rows hold texts that are no keys now."""
    use_feeds((Gadget, item_feed(name="code")))
    Gadget.objects.create(code="A")
    flush()
    SyncedProduct.objects.update(object_pk="17")
    rescan()
    assert set(neuroon.products) == {"A"}
    assert SyncedProduct.objects.get().object_pk == str(Gadget.objects.get().pk)


def test_law_07_a_process_that_does_not_know_a_feed_leaves_its_products_alone(
    neuroon, flush, rescan, use_feeds
):
    """Two versions of a project on one database: what the older one does not know is not gone."""
    old = [(Gadget, item_feed(name="code"))]
    new = [*old, (Voucher, item_feed(external_id="key"))]
    use_feeds(*new)
    gadget, voucher = Gadget.objects.create(code="G"), Voucher.objects.create(key="V", title="t")
    flush()
    voucher.title = "new"
    voucher.save()
    gone = Voucher.objects.create(key="W", title="t")
    flush()
    gone.delete()
    use_feeds(*old)
    gadget.save()
    rescan()
    assert not products_wait(current_shop())
    planned = preview_products(current_shop(), scan=True, full=False, retry=False)
    assert [step.verb for step in planned] == []
    assert neuroon.products.keys() >= {"G", "V"}
    use_feeds()
    rescan()
    assert neuroon.products.keys() >= {"G", "V"}
    use_feeds(*new)
    flush()
    assert neuroon.products.keys() == {"G", "V"}


OLDER = [(Gadget, item_feed(name="code"))]
NEWER = [*OLDER, (Item, item_feed()), (Voucher, item_feed(external_id="key"))]


@pytest.mark.parametrize("steps", range(9))
@pytest.mark.parametrize("begins", ["older", "newer"])
def test_law_07_a_scan_that_an_older_process_takes_part_in_leaves_no_feed_out(
    neuroon, flush, use_feeds, begins, steps
):
    """Wherever the one hands over to the other: what only the newer one knows is scanned by it."""
    use_feeds(*NEWER)
    Gadget.objects.bulk_create(Gadget(code=f"G{n}") for n in range(9))
    Voucher.objects.bulk_create(Voucher(key=f"V{n}", title="t") for n in range(9))
    fill(9)
    flush()
    Item.objects.filter(code="C001").update(title="new")
    Voucher.objects.filter(key="V1").update(title="new")
    Voucher.objects.filter(key="V2")._raw_delete("default")
    ShopState.objects.request_scan(current_shop().pk)
    for feeds, most in [(NEWER if begins == "newer" else OLDER, steps), (OLDER, 99)]:
        use_feeds(*feeds)
        started = Scan.due(current_shop())
        for _ in range(most):
            if started and not started.step():
                break
    use_feeds(*NEWER)
    for _ in range(2):
        flush(foreground=False)
    assert neuroon.products["C001"]["name"] == neuroon.products["V1"]["name"] == "new"
    assert "V2" not in neuroon.products
    assert len(neuroon.products) == 26
    assert Scan.due(current_shop()) is None


def test_law_07_what_an_older_process_has_folded_is_sent_by_the_newer_one(neuroon, flush, use_feeds):
    """A row that is due and whose feed is unknown here is neither claimed nor waited for."""
    use_feeds((Gadget, item_feed(name="code")), (Voucher, item_feed(external_id="key")))
    Voucher.objects.create(key="V", title="t")
    fold_all(current_shop())
    Voucher.objects.create(key="W", title="t")
    feeds = dict(registry.feeds)
    use_feeds((Gadget, item_feed(name="code")))
    assert not products_wait(current_shop())
    assert flush().requests == 0
    use_feeds(*feeds.values())
    flush()
    assert neuroon.products.keys() == {"V", "W"}


@pytest.fixture
def errors(caplog):
    """The messages of the ERROR lines so far."""

    def read() -> list[str]:
        return [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]

    return read


@pytest.mark.parametrize(
    ("there", "gone", "goes"),
    [
        (1, 1, False),
        (2, 1, True),
        (20, 20, False),
        (30, 20, True),
        (40, 20, True),
        (41, 20, True),
        (42, 21, True),
        (41, 21, False),
        (60, 59, False),
    ],
)
@pytest.mark.parametrize("how", ["deleted", "filtered", "unlisted"])
def test_law_07_a_scan_takes_out_everything_only_when_forced(
    neuroon, flush, use_items, errors, how, there, gone, goes
):
    """However it disappears: rows that are gone, a narrower queryset, or nothing that is listed."""

    def narrow(feed: object) -> QuerySet[Item]:
        return Item.objects.exclude(title="off") if how == "filtered" else Item.objects.all()

    def is_listed(feed: object, item: Item) -> bool:
        return how != "unlisted" or item.title != "off"

    use_items(get_queryset=narrow, is_listed=is_listed)
    items = fill(there)
    flush()
    leaving = Item.objects.filter(pk__in=[item.pk for item in items[:gone]])
    left = {item.code for item in items[gone:]}
    if how == "deleted":
        leaving._raw_delete("default")
    else:
        leaving.update(title="off")
    with muted():  # a new product does not wait for the decision
        Item.objects.create(code="NEW", title="t")
    scan(flush)
    every = {item.code for item in items}
    assert set(neuroon.products) == ({"NEW"} | (left if goes else every))
    told = current_shop().scan_warning
    assert bool(told) == (not goes) == bool(errors())
    assert goes or f"{gone} of {there} products of shop.item" in told
    if not goes and gone > 20:
        scan(flush)
        assert len(errors()) == 1  # told once
    scan(flush, forced=True)
    assert set(neuroon.products) == {"NEW"} | left
    assert current_shop().scan_warning == ""


def scan(flush, **options: bool) -> None:
    """Scan the whole catalogue as `neuroon_sync --scan` does, then send."""
    shop = current_shop()
    with Client(**shop.config.client_options()) as client:
        started = Scan.due(shop, asked=True, foreground=True, **options)
        product_run(shop, client, scan=started, foreground=True).run()


def test_a_forced_scan_may_be_asked_for_while_another_one_walks(neuroon, use_items):
    use_items()
    fill(20)
    under_way = Scan.due(current_shop())
    assert under_way.step()
    ShopState.objects.request_scan(current_shop().pk, FORCED)
    while under_way.step():
        pass
    assert SyncedProduct.objects.count() == 20
    assert current_shop().scan_cursor == ""


def test_law_07_a_table_that_is_filled_again_during_the_scan(neuroon, flush, use_items):
    use_items()
    fill(60)
    flush()
    neuroon.clear()
    Item.objects.all()._raw_delete("default")
    scan(flush)
    fill(60)
    scan(flush)
    assert len(neuroon.products) == 60
    assert neuroon.requests == []
    assert current_shop().scan_warning == ""


def test_law_07_an_empty_feed_takes_nothing_of_another_one(neuroon, flush, use_feeds):
    use_feeds((Gadget, item_feed(name="code")), (Voucher, item_feed(external_id="key")))
    Gadget.objects.bulk_create(Gadget(code=f"G{n}") for n in range(30))
    Voucher.objects.bulk_create(Voucher(key=f"V{n}", title="t") for n in range(30))
    flush()
    Voucher.objects.all()._raw_delete("default")
    Gadget.objects.filter(code="G1")._raw_delete("default")
    scan(flush)
    assert len(neuroon.products) == 59
    assert "G1" not in neuroon.products


class Unreadable(QuerySet):
    """A queryset of the shop's own that fails when it is read."""

    def __iter__(self):
        raise ConnectionError("the pim is down")


@pytest.mark.parametrize("where", ["queryset", "rows"])
def test_law_07_a_feed_that_cannot_be_read_is_tried_later_and_later(neuroon, flush, use_feeds, where):
    """Its products stay, the others go their way, and no task scans again at once."""
    broken = [False]

    def get_queryset(feed: object) -> QuerySet[Gadget]:
        if broken[0] and where == "queryset":
            raise ConnectionError("the pim is down")
        return (Unreadable if broken[0] else QuerySet)(Gadget)

    use_feeds(
        (Gadget, item_feed(name="code", get_queryset=get_queryset)),
        (Voucher, item_feed(external_id="key")),
    )
    Gadget.objects.bulk_create(Gadget(code=f"G{n}") for n in range(3))
    Voucher.objects.bulk_create(Voucher(key=f"V{n}", title="t") for n in range(3))
    flush()
    broken[0] = True
    Voucher.objects.filter(key="V1").update(title="new")
    Voucher.objects.filter(key="V2")._raw_delete("default")
    scan(flush)
    assert neuroon.products.keys() == {"G0", "G1", "G2", "V0", "V1"}
    assert neuroon.products["V1"]["name"] == "new"
    shop = current_shop()
    assert shop.scanned_at is None
    assert Scan.due(shop) is None
    broken[0] = False
    ShopState.objects.update(scan_retry_at=F("scan_retry_at") - timedelta(minutes=2))
    flush(foreground=False)
    assert current_shop().scanned_at is not None


def test_a_page_costs_a_constant_number_of_statements(neuroon, flush, use_items, monkeypatch):
    use_items(tags="labels__name", brand="maker__name")
    monkeypatch.setattr(scanning, "PAGE", 500)
    fill(300)
    flush()
    Change.objects.all().delete()
    scan = Scan.due(current_shop(), asked=True)
    with CaptureQueriesContext(connection) as captured:
        scan.step()
    assert len(captured) == 7


def test_law_17_on_again_the_next_run_scans_first(neuroon, flush, use_items, settings):
    use_items()
    Item.objects.create(code="A", title="A")
    flush()
    settings.NEUROON_ENABLED = False
    Item.objects.create(code="B", title="B")
    assert not Change.objects.exists()
    settings.NEUROON_ENABLED = True
    flush()
    assert neuroon.products.keys() == {"A", "B"}


def test_law_17_what_another_process_missed_is_found_by_the_scan_by_age(
    neuroon, flush, use_items, settings
):
    """Whoever switched it off may have been another process, which is gone."""
    use_items()
    flush()
    with muted():
        Item.objects.create(code="A", title="A")
    ShopState.objects.update(run_at=F("run_at") - timedelta(days=7))  # a run that is rare scans not
    flush()
    assert neuroon.products == {}
    settings.NEUROON_SCAN_EVERY = None
    ShopState.objects.update(scanned_at=F("scanned_at") - timedelta(days=400))
    flush()
    assert neuroon.products == {}
    settings.NEUROON_SCAN_EVERY = timedelta(days=500)
    flush()
    assert neuroon.products == {}
    settings.NEUROON_SCAN_EVERY = 1
    flush()
    assert neuroon.products.keys() == {"A"}
    assert Scan.due(current_shop()) is None


def test_law_04_what_a_scan_claims_has_seen_the_revision_that_it_makes(neuroon, flush, use_items):
    """MariaDB sets columns one after the other: a later change must be newer than the claim."""
    use_items()
    item = Item.objects.create(code="A", title="A")
    flush()
    row = SyncedProduct.objects.get()
    pk = str(item.pk)
    with transaction.atomic():
        [claimed] = SyncedProduct.objects.claim_scanned(
            current_shop(), "shop.item", {pk: "A"}, {pk: row}, 60
        )
    assert (claimed.revision, claimed.claimed_revision) == (row.revision + 1, row.revision + 1)


def test_law_08_halves_come_to_an_end_where_a_run_ends_in_their_middle(neuroon, flush, use_items):
    """What was refused together is claimed in smaller batches by the runs that follow."""
    use_items()
    flush()
    neuroon.error_style = "reject"
    neuroon.reject = {"C000": "no"}
    fill(16)
    mark_changed(Item.objects.all())
    for _ in range(12):
        shop = current_shop()
        with Client(**shop.config.client_options()) as client:
            run = product_run(shop, client)
            run.on_progress = lambda done, run=run: setattr(
                run, "until", 0.0 if done.requests > 2 else run.until
            )
            run.run()
        Endpoint.objects.update(resume_at=None)
    assert len(neuroon.products) == 15
