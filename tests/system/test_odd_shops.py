"""What shops do that nobody thinks of: half-loaded rows, unreadable rows, keys of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F, Model, Prefetch, QuerySet, Value
from django.utils import timezone

from neuroon_django import ConversionLine, OrderFeed, clicks, mark_changed, muted, tasks
from neuroon_django.conf import conf
from neuroon_django.delivery import fold_all
from neuroon_django.delivery.fold import _path_mark
from neuroon_django.exceptions import ConfigurationError
from neuroon_django.feeds import registry
from neuroon_django.feeds.savepoints import MAX_FAILED_QUERIES
from neuroon_django.models import Change, Conversion, ShopState, SyncedProduct
from neuroon_django.operations.feed_trials import try_feeds
from tests.factories import current_shop, make_product, place, recorded
from tests.feeds_in_use import item_feed
from tests.shop.models import (
    Batch,
    Coded,
    Ebook,
    Gadget,
    Gross,
    Heading,
    Item,
    Maker,
    Offer,
    Order,
    Pointing,
    Product,
    RankedTag,
    Rated,
    Soft,
    SoftTag,
    Tenanted,
)
from tests.threads import PATIENCE, elsewhere, side_by_side

pytestmark = pytest.mark.django_db(transaction=True)


def end_leases() -> None:
    for rows in (SyncedProduct.objects, Conversion.objects):
        rows.filter(due_at__isnull=False).update(due_at=F("due_at") - timedelta(seconds=121))


def shopping(save: Callable[[], Any]) -> Any:
    """A shopper's request, in which an order is saved."""
    token = clicks.current.set('{"A": "search-1"}')
    try:
        return save()
    finally:
        clicks.current.reset(token)


# Deletes of rows that memory does not know well


def test_law_01_a_half_loaded_row_can_be_deleted(use_items):
    use_items(depends_on=["offers", "notes"])
    item = Item.objects.create(code="A", title="A")
    item.offers.create(name="one"), item.offers.create(name="two"), item.notes.create(name="note")
    recorded()
    Offer.objects.only("name").get(name="one").delete()
    Offer.objects.defer("item").filter(name="two").delete()
    item.notes.only("name").get().delete()
    assert set(recorded()) == {("shop.item", str(item.pk))}
    assert not item.offers.exists() and not item.notes.exists()


@pytest.mark.parametrize("how", ["stale", "moved in memory", "by key alone"])
def test_law_10_whoever_the_row_stands_with_loses_it(neuroon, flush, use_feeds, how):
    use_feeds((Item, item_feed(depends_on=["offers"], tags="offers__name")))
    a, b = (Item.objects.create(code=code, title=code) for code in "AB")
    offer = a.offers.create(name="x")
    if how == "stale":
        fresh = Offer.objects.get(pk=offer.pk)
        fresh.item = b
        fresh.save()
    elif how == "moved in memory":
        offer.item = b
    else:
        offer = Offer(pk=offer.pk)
    flush()
    offer.delete()
    flush()
    assert not [product for product in neuroon.products.values() if "tags" in product]


# The shop's transactions


def test_law_01_an_import_with_savepoints_hangs_one_hook(neuroon, use_items):
    use_items()
    with transaction.atomic():
        for n in range(300):
            try:
                with transaction.atomic():
                    Item.objects.create(code=str(n), title="t")
                    if n % 3 == 0:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass
        assert len(connection.run_on_commit) == 1
    assert Change.objects.count() == 200


def test_law_01_the_hook_outlives_the_savepoint_it_came_in(neuroon, use_items, monkeypatch):
    told: list[object] = []
    monkeypatch.setattr("neuroon_django.recording.wakeup.publisher.notify", told.append)
    use_items()
    with transaction.atomic():
        sid = transaction.savepoint()
        Item.objects.create(code="A", title="A")
        transaction.savepoint_rollback(sid)
        Item.objects.create(code="B", title="B")
    assert len(told) == 1
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Item.objects.create(code="C", title="C")
        raise ZeroDivisionError
    assert len(told) == 1
    with transaction.atomic():
        Item.objects.create(code="D", title="D")
    assert len(told) == 2


def test_law_01_a_shop_may_commit_by_hand(use_items):
    use_items()
    transaction.set_autocommit(False)
    try:
        Item.objects.create(code="A", title="A")
        transaction.commit()
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert Change.objects.count() == 1


def test_law_06_no_run_begins_where_nothing_would_be_committed(neuroon, settings, monkeypatch):
    settings.NEUROON_AUTO_SYNC = False
    make_product("A")
    place(status="paid")
    monkeypatch.setitem(connection.settings_dict, "AUTOCOMMIT", False)
    for task in (tasks.flush_products, tasks.flush_conversions, tasks.scan_catalogue):
        with pytest.raises(ConfigurationError, match="AUTOCOMMIT = False"):
            task()
    with pytest.raises(CommandError, match=r"AUTOCOMMIT = False.*\(neuroon.E018\)") as refused:
        call_command("neuroon_sync")
    assert (refused.value.returncode, neuroon.requests) == (2, [])


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_law_01_two_that_refer_to_each_others_rows(use_items):
    use_items(depends_on=["offers"])
    item = Item.objects.create(code="A", title="A")
    one, two = (Offer.objects.create(item=item, name=name) for name in "xy")
    between = threading.Barrier(2)

    def work(mine: Offer, other: Offer) -> None:
        with transaction.atomic():
            Offer.objects.get(pk=mine.pk).save()
            between.wait(PATIENCE)
        Batch.objects.create(offer_id=other.pk, name="line")

    side_by_side(lambda: work(one, two), lambda: work(two, one))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="others lock referred rows themselves")
def test_law_01_who_saves_keeps_no_reference_out(use_items):
    use_items(depends_on=["offers"])
    offer = Offer.objects.create(item=Item.objects.create(code="A", title="A"), name="x")
    with transaction.atomic():
        Offer.objects.get(pk=offer.pk).save()
        side_by_side(lambda: Batch.objects.create(offer_id=offer.pk, name="line"))


def test_law_01_rows_sorted_by_a_nullable_relation_are_saved(use_items, monkeypatch):
    monkeypatch.setattr(Offer._meta, "ordering", ["seller__name"])
    use_items(depends_on=["offers"])
    a, b = (Item.objects.create(code=code, title=code) for code in "AB")
    offer = a.offers.create(name="x")
    recorded()
    with transaction.atomic():
        offer.item = b
        offer.save()
    assert set(recorded()) == {("shop.item", str(a.pk)), ("shop.item", str(b.pk))}


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_law_10_moved_while_a_move_is_open(neuroon, flush, use_feeds):
    use_feeds((Item, item_feed(depends_on=["offers"], tags="offers__name")))
    a, b, c = (Item.objects.create(code=code, title=code) for code in "ABC")
    offer = a.offers.create(name="offer")
    flush()
    ready, moved, go = threading.Event(), threading.Event(), threading.Event()

    def second() -> None:
        with transaction.atomic():
            mine = Offer.objects.get(pk=offer.pk)
            mine.item = c
            ready.set()
            mine.save()  # waits for the first
            moved.set()
            go.wait(20)

    with transaction.atomic():
        offer.item = b
        offer.save()
        other = elsewhere(second)
        ready.wait(5)
        time.sleep(0.5)
    assert moved.wait(10)
    flush()
    assert neuroon.products["B"]["tags"] == ["offer"]
    go.set()
    other.join()
    flush()
    assert neuroon.products["C"]["tags"] == ["offer"]
    assert "tags" not in neuroon.products["B"]


# One row that cannot be read, or whose code fails


def test_law_08_a_row_that_cannot_be_read_holds_nobody_up(neuroon, flush, use_feeds):
    use_feeds((Coded, item_feed()), (Item, item_feed()))
    with muted():
        for n in range(30):
            Coded.objects.create(code=str(n), title="t")
    mark_changed(Coded.objects.all())
    Coded.objects.filter(code="7").update(grade="broken")
    Item.objects.create(code="I", title="another feed's")
    flush(foreground=False)
    assert len(neuroon.products) == 30
    row = SyncedProduct.objects.get(external_id="7")
    told = "is listed: " if row.last_error.startswith("is listed") else ""
    assert (row.status, row.last_error) == (
        "rejected",
        f"{told}cannot be read: 'broken' is not a valid grade",
    )


@pytest.mark.parametrize("known", [True, False])
def test_law_08_nor_does_one_whose_id_cannot_be_told(neuroon, flush, use_feeds, known):
    """What Neuroon has of it stays there, since nobody can say that it is gone."""
    use_feeds((Coded, item_feed(external_id=lambda feed, coded: coded.code)), (Item, item_feed()))
    for code in "AB":
        Coded.objects.create(code=code, title=code)
    if known:
        flush()
        mark_changed(Coded.objects.all())
    Coded.objects.filter(code="B").update(grade="broken")
    Item.objects.create(code="I", title="I")
    flush()
    assert set(neuroon.products) == ({"A", "B", "I"} if known else {"A", "I"})
    row = SyncedProduct.objects.get(status="rejected")
    assert "'broken' is not a valid grade" in row.last_error
    Coded.objects.filter(code="B").update(grade="a", title="mended")
    mark_changed(Coded.objects.all())
    flush()
    assert neuroon.products["B"]["name"] == "mended"
    assert set(SyncedProduct.objects.values_list("status", flat=True)) == {"synced"}


def test_law_08_nor_does_it_stop_a_scan(neuroon, flush, use_feeds):
    use_feeds((Coded, item_feed()))
    for code in "AB":
        Coded.objects.create(code=code, title=code)
    flush()
    Coded.objects.filter(code="A").update(grade="broken")
    Coded.objects.filter(code="B").update(title="changed")
    ShopState.objects.request_scan(current_shop().pk)
    flush()
    assert neuroon.products["B"]["name"] == "changed"
    assert "A" in neuroon.products


def test_law_08_the_database_fails_for_one_product(neuroon, flush, use_feeds):
    def name(feed: Any, item: Item) -> str:
        if item.code == "7":
            raise OperationalError("canceling statement due to statement timeout")
        return item.title

    use_feeds((Item, item_feed(name=name)))
    for n in range(30):
        Item.objects.create(code=str(n), title="t")
    flush(foreground=False)
    assert len(neuroon.products) == 29
    row = SyncedProduct.objects.get(external_id="7")
    told = "OperationalError: canceling statement due to statement timeout"
    assert (row.status, row.last_error, row.lease) == ("pending", told, "")
    assert row.due_at is not None


def test_law_08_a_query_that_fails_in_external_id(neuroon, flush, use_feeds):
    """On PostgreSQL nothing more can be done in that transaction, which is the fold's."""
    wrong = "SELECT 1/0" if connection.vendor == "postgresql" else "SELECT nonsense FROM nowhere"

    def external_id(feed: Any, item: Item) -> str:
        if item.title == "bad":
            with connection.cursor() as cursor:
                cursor.execute(wrong)
        return item.code

    use_feeds((Item, item_feed(external_id=external_id)))
    for n in range(10):
        Item.objects.create(code=str(n), title="bad" if n == 3 else "good")
    flush()
    assert set(neuroon.products) == set(map(str, range(10))) - {"3"}
    assert SyncedProduct.objects.exclude(status="synced").get().last_error


def test_law_08_a_feed_whose_queryset_raises_holds_no_other_up(neuroon, flush, use_feeds):
    def broken(feed: Any) -> QuerySet[Maker]:
        raise RuntimeError("no site")

    use_feeds((Item, item_feed()), (Maker, item_feed(external_id="name", name="name")))
    maker = Maker.objects.create(name="m")
    flush()
    registry.product_source("shop.maker").feed.get_queryset = lambda: broken(None)  # type: ignore[method-assign]
    maker.save()
    Item.objects.create(code="A", title="A")
    ShopState.objects.request_scan(current_shop().pk)
    flush()
    assert set(neuroon.products) == {"A", "m"}
    assert current_shop().fold_error == "RuntimeError: no site"


def test_law_02_a_scan_that_left_a_feed_out_is_not_over(neuroon, flush, use_feeds):
    down = [True]

    def sometimes(feed: Any) -> QuerySet[Item]:
        if down[0]:
            raise ConnectionError("the cache is down")
        return Item.objects.all()

    use_feeds((Coded, item_feed()), (Item, item_feed(get_queryset=sometimes)))
    with muted():
        Coded.objects.create(code="C", title="C")
        Item.objects.create(code="A", title="A")
    flush()
    assert set(neuroon.products) == {"C"}
    assert current_shop().scanned_at is None
    down[0] = False
    flush()
    assert set(neuroon.products) == {"C", "A"}
    assert current_shop().scanned_at is not None


@contextmanager
def not_migrated(table: str, column: str) -> Iterator[None]:
    """As between a deployment and its migration."""

    def rename(old: str, new: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")

    rename(column, "away")
    try:
        yield
    finally:
        rename("away", column)


def test_law_08_a_missing_migration_is_no_products_fault(neuroon, flush, use_items):
    use_items()
    for code in "ABCDEFGH":
        Item.objects.create(code=code, title="a")
    flush()
    for item in Item.objects.all():
        item.title = "b"
        item.save()
    fold_all(current_shop())
    with not_migrated("shop_item", "title"), pytest.raises(DatabaseError):
        flush()
    assert not SyncedProduct.objects.filter(status="rejected").exists()
    assert SyncedProduct.objects.filter(due_at__lte=timezone.now()).count() == 8 - 3
    flush()
    assert {product["name"] for product in neuroon.products.values()} == {"b"}


def test_law_08_nor_an_orders(neuroon, flush_orders, use_feeds):
    use_feeds((Order, order_feed(order_id="number")))
    for number in "123":
        shopping(lambda number=number: Order.objects.create(number=number, total=1))
    with not_migrated("shop_order", "currency"), pytest.raises(DatabaseError):
        flush_orders()
    end_leases()
    flush_orders()
    assert set(neuroon.conversions) == {"1", "2", "3"}


def test_law_08_queries_that_all_fail_are_no_products_fault(use_items):
    asked: list[str] = []

    def external_id(feed: Any, item: Item) -> str:
        asked.append(item.code)
        raise OperationalError("canceling statement due to statement timeout")

    use_items(external_id=external_id)
    Item.objects.bulk_create([Item(code=str(n), title="t") for n in range(300)])
    with pytest.raises(OperationalError):
        registry.products()[0].external_ids(Item.objects.values_list("pk", flat=True))
    assert len(asked) == MAX_FAILED_QUERIES + 1


@pytest.mark.skipif(connection.vendor != "mysql", reason="others keep a deadlock's victim's savepoint")
def test_law_02_a_deadlocks_victim_folds_again(use_items):
    asked: list[str] = []

    def external_id(feed: Any, item: Item) -> str:
        asked.append(item.code)
        if len(asked) == 1:
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
            raise OperationalError(1213, "Deadlock found when trying to get lock")
        return item.code

    use_items(external_id=external_id)
    Item.objects.create(code="A", title="A")
    fold_all(current_shop())
    assert SyncedProduct.objects.get().external_id == "A"


def order_feed(**entries: object) -> type:
    own = {"order_value": Value(1), "is_paid": True, "currency": Value("EUR")}
    lines = {"lines": lambda self, order: [ConversionLine("A", 1, 1)]}
    return type("Orders", (OrderFeed,), own | lines | entries)


@pytest.mark.parametrize("trouble", ["a list", "the database", "unreadable"])
def test_law_08_one_order_holds_no_other_up(neuroon, flush_orders, use_feeds, trouble):
    def order_id(feed: Any, order: Any) -> Any:
        if order.code == "bad" and trouble == "the database":
            raise OperationalError("canceling statement due to statement timeout")
        return [order.code] if order.code == "bad" and trouble == "a list" else order.code

    use_feeds((Coded, order_feed(order_id=order_id)))
    for code in ("bad", "good"):
        shopping(lambda code=code: Coded.objects.create(code=code))
    if trouble == "unreadable":
        Coded.objects.filter(code="bad").update(grade="broken")
    flush_orders()
    assert set(neuroon.conversions) == {"good"}
    reason = Conversion.objects.exclude(status="sent").get().last_error
    assert reason


def test_the_steps_of_verify_tell_an_order_that_cannot_be_read(use_feeds):
    use_feeds((Item, item_feed()), (Coded, order_feed(order_id="code")))
    Coded.objects.create(code="bad", grade="broken")
    step = next(step for step in try_feeds(conf.shop()) if "shop.coded" in step.text)
    assert step.result == "warning"
    assert "cannot be read: 'broken' is not a valid grade" in step.text


# Columns that decide what is read, and are not read


@pytest.mark.parametrize("own", [True, False])
def test_law_03_a_soft_delete_is_a_change(neuroon, flush, use_feeds, own):
    use_feeds((Soft, item_feed(tags="tags__name")))
    soft, tag = Soft.objects.create(code="A", title="A"), SoftTag.objects.create(name="old")
    soft.tags.add(tag)
    flush()
    gone: Model = soft if own else tag
    gone.deleted = True  # type: ignore[attr-defined]
    gone.save(update_fields=["deleted"])
    flush()
    assert ("A" not in neuroon.products) if own else ("tags" not in neuroon.products["A"])


def test_law_03_a_generated_column_follows_others(neuroon, flush, use_feeds):
    use_feeds((Gross, item_feed(name="code", price="gross")))
    row = Gross.objects.create(code="A", net=1)
    flush()
    row.net = 5
    row.save(update_fields=["net"])
    flush()
    assert neuroon.products["A"]["price"] == 10


def test_law_10_the_order_of_what_is_listed_counts(neuroon, flush, use_feeds):
    use_feeds((Soft, item_feed(tags="ranked__name")))
    soft = Soft.objects.create(code="A", title="A")
    a, b = (RankedTag.objects.create(name=n, position=p) for n, p in (("a", 1), ("b", 2)))
    soft.ranked.add(a, b)
    flush()
    assert neuroon.products["A"]["tags"] == ["a", "b"]
    b.position = 0
    b.save(update_fields=["position"])
    flush()
    assert neuroon.products["A"]["tags"] == ["b", "a"]


def test_law_10_what_the_shops_own_prefetch_takes_counts(neuroon, flush, use_feeds):
    def few(feed: Any) -> QuerySet[Soft]:
        ranked = RankedTag.objects.filter(position__gt=0)
        return Soft.everything.prefetch_related(Prefetch("ranked", ranked))

    use_feeds((Soft, item_feed(tags="ranked__name", get_queryset=few)))
    soft, tag = Soft.objects.create(code="A", title="A"), RankedTag.objects.create(name="t", position=1)
    soft.ranked.add(tag)
    flush()
    tag.position = 0
    tag.save(update_fields=["position"])
    flush()
    assert "tags" not in neuroon.products["A"]


@pytest.mark.parametrize("late_cookie", [False, True])
def test_law_13_what_lines_read_counts(neuroon, flush_orders, use_feeds, late_cookie):
    def lines(feed: Any, order: Order) -> list[ConversionLine]:
        return [ConversionLine("A", 1, 1)] if order.status == "confirmed" else []

    use_feeds((Order, order_feed(order_id="number", order_value="total", lines=lines)))

    def create() -> Order:
        return Order.objects.create(number="1", total=1)

    order = create() if late_cookie else shopping(create)
    flush_orders()
    order.status = "confirmed"
    save = order.save
    if late_cookie:
        shopping(lambda: save(update_fields=["status"]))
    else:
        save(update_fields=["status"])
    flush_orders()
    assert set(neuroon.conversions) == {"1"}


# Keys


@pytest.mark.parametrize("way", ["save", "mark", "mark all", "save the parent", "mark the parents"])
def test_law_16_a_child_with_a_key_of_its_own(neuroon, flush, use_feeds, way):
    if "parent" in way:
        use_feeds((Ebook, item_feed(external_id="sku")))
    Product.objects.create(sku="0", title="0")  # so that the keys differ
    book = Ebook.objects.create(isbn="978", sku="E", title="E")
    book.stockrecords.create(price=3)
    flush()
    Product.objects.filter(sku="E").update(title="changed")
    book.refresh_from_db()
    ways: dict[str, Callable[[], None]] = {
        "save": book.save,
        "mark": lambda: mark_changed(book),
        "mark all": lambda: mark_changed(Ebook.objects.all()),
        "save the parent": Product.objects.get(sku="E").save,
        "mark the parents": lambda: mark_changed(Product.objects.all()),
    }
    ways[way]()
    flush()
    assert neuroon.products["E"]["name"] == "changed"
    Product.objects.get(sku="E").delete()
    flush()
    assert "E" not in neuroon.products


def test_a_model_with_a_composite_key_is_left_out(neuroon, flush, use_feeds):
    use_feeds((Item, item_feed()), (Tenanted, item_feed()))
    Tenanted.objects.create(tenant=1, number=2, code="T", title="T")
    Change.objects.append([("shop.tenanted", (1, 2))])
    Item.objects.create(code="A", title="A")
    flush()
    assert set(neuroon.products) == {"A"}


def test_law_10_what_hangs_on_it_by_a_composite_key(neuroon, flush, use_feeds):
    def stars(feed: Any, soft: Soft) -> int:
        return sum(rated.stars for rated in soft.ratings.all())

    use_feeds((Soft, item_feed(depends_on=["ratings"], stock_quantity=stars)))
    rated = Rated.objects.create(soft=Soft.objects.create(code="A", title="A"), source=1)
    Soft.objects.create(code="B", title="B")
    flush()
    for stars_now, tell in enumerate([rated.save, lambda: mark_changed(rated), None], 2):
        Rated.objects.update(stars=stars_now)
        rated.refresh_from_db()
        neuroon.clear()
        tell() if tell else mark_changed(Rated.objects.all())
        flush()
        assert neuroon.products["A"]["stockQuantity"] == stars_now
        assert [list(r.external_ids) for r in neuroon.sync_requests] == [["A"]]
    rated.delete()
    flush()
    assert neuroon.products["A"]["stockQuantity"] == 0


@pytest.mark.parametrize("where", ["scan", "fold"])
def test_a_cursor_whose_key_is_none_any_more(neuroon, flush, use_feeds, where):
    use_feeds((Gadget, item_feed(name="code", brand="maker__name")))
    maker = Maker.objects.create(name="m")
    Gadget.objects.create(code="A", maker=maker)
    if where == "scan":
        ShopState.objects.move_scan(current_shop().pk, "", '["shop", "shop.gadget", "12"]')
    else:
        Change.objects.append(
            [("shop.maker", maker.pk)], after=_path_mark("shop.gadget", "maker") + ":12"
        )
    flush()
    assert set(neuroon.products) == {"A"}


# Relations that cannot be followed


def test_a_relation_without_a_column_stops_no_site(neuroon, flush, use_feeds):
    use_feeds(
        (Pointing, item_feed(name="heading__name")),
        (Heading, item_feed(external_id="name", name="name", tags="pointing__title")),
    )
    Heading.objects.create(a=1, b=2, name="H")
    Pointing.objects.create(code="P", title="P", a=1, b=2)
    flush()
    assert neuroon.products["P"]["name"] == "H"
    assert neuroon.products["H"]["tags"] == ["P"]


def test_law_12_a_router_changes_no_payload(neuroon, flush, use_feeds, settings):
    class Router:
        def db_for_read(self, model: type[Model], **hints: object) -> None:
            return None

    use_feeds((Soft, item_feed(tags="offers__tag__name")))
    soft = Soft.objects.create(code="A", title="A")
    soft.offers.create(tag=SoftTag.objects.create(name="x", deleted=True))
    flush()
    before = neuroon.products["A"]
    assert before["tags"] == ["x"]
    settings.DATABASE_ROUTERS = [Router()]
    mark_changed(soft)
    soft.title = "B"
    soft.save()
    flush()
    assert neuroon.products["A"] == before | {"name": "B"}
