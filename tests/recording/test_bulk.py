"""Bulk writes that a feed names: each way to make one, through each manager (law 10)."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps.registry import Apps
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Case, Count, F, Manager, Model, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Upper
from django.test.utils import CaptureQueriesContext

import neuroon_django
from neuroon_django import OrderFeed, clicks, muted, tell_bulk_writes
from neuroon_django.exceptions import ConfigurationError
from neuroon_django.feeds import registry
from neuroon_django.models import Change
from neuroon_django.recording.bulk import bulk_writes
from tests.factories import COOKIE, recorded
from tests.feeds_in_use import item_feed
from tests.shop.models import (
    Batch,
    Country,
    Ebook,
    Gadget,
    Item,
    ItemProxy,
    Label,
    Maker,
    Note,
    Offer,
    Order,
    Price,
    Product,
    Soft,
    Tool,
    Unrelated,
)

pytestmark = pytest.mark.django_db(transaction=True)


class Loud(QuerySet[Any]):
    """A shop's own queryset class, with a method that goes on to Django's and one of its own."""

    def update(self, **values: Any) -> int:
        return super().update(**values)

    def shout(self) -> int:
        return self.update(title=Upper("title"))


class Own(Manager[Any]):
    """A manager that names its queryset class itself."""

    def get_queryset(self) -> Loud:
        return Loud(self.model, using=self._db).filter(pk__gt=0)


def managed(manager: Any, model: type[Model] = Item) -> Any:
    """Return a manager as one of the model's."""
    manager.model, manager.name = model, "another"
    return manager


@pytest.fixture
def shop(use_items, monkeypatch) -> list[Item]:
    """Four items, A and B of a maker; A and B have an offer, A and C a label."""
    monkeypatch.setattr(registry, "bulk_models", [])
    use_items(
        tags="maker__name",
        depends_on=["offers", "labels", "price"],
        ignores=["seen_at", "offers__counted_at"],
        bulk_writes=[Item, "shop.Offer", Maker, Price, Item.labels.through],
    )
    with muted():
        maker = Maker.objects.create(name="m")
        items = [Item.objects.create(code=code, title=code) for code in "ABCD"]
        Item.objects.filter(code__in="AB").update(maker=maker)
        for item in items[:2]:
            item.offers.create(name="offer")
        label = Label.objects.create(name="l")
        items[0].labels.add(label), items[2].labels.add(label)
    return items


def refs(*instances: Model) -> list[tuple[str, str]]:
    return sorted((instance._meta.label_lower, str(instance.pk)) for instance in instances)


def of_codes(codes: str) -> list[tuple[str, str]]:
    return refs(*Item.objects.filter(code__in=list(codes)))


def statements(action: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        action()
    plain = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "SET")
    return [query["sql"] for query in captured if not query["sql"].startswith(plain)]


def wait(ask: Callable[[], Any]) -> Any:
    """Run an asynchronous call to its end."""

    async def run() -> Any:
        return await ask()

    return async_to_sync(run)()


def updated_asynchronously(items: list[Item]) -> Any:
    return wait(lambda: Item.objects.abulk_update(items, ["title"]))


UPDATES: dict[str, tuple[Callable[[], Any], str]] = {
    "all": (lambda: Item.objects.update(title="x"), "ABCD"),
    "a filter": (lambda: Item.objects.filter(code__in="AC").update(title="x"), "AC"),
    "a filter that matches no more": (lambda: Item.objects.filter(title="A").update(title="x"), "A"),
    "none": (lambda: Item.objects.none().update(title="x"), ""),
    "nobody": (lambda: Item.objects.filter(code="Z").update(title="x"), ""),
    "an expression": (lambda: Item.objects.update(title=Upper("title")), "ABCD"),
    "a case": (
        lambda: Item.objects.filter(code__in="AB").update(
            title=Case(When(code="A", then=Value("x")), default=F("title"))
        ),
        "AB",
    ),
    "the base manager": (lambda: Item._base_manager.filter(code="A").update(title="x"), "A"),
    "the default manager": (lambda: Item._default_manager.filter(code="A").update(title="x"), "A"),
    "a bare queryset": (lambda: QuerySet(Item).filter(code="A").update(title="x"), "A"),
    "a related manager": (lambda: Maker.objects.get().items.update(title="x"), "AB"),
    "a many-to-many's": (lambda: Label.objects.get().items.update(title="x"), "AC"),
    "its own class": (lambda: managed(Own()).filter(code="A").update(title="x"), "A"),
    "as_manager": (lambda: managed(Loud.as_manager()).filter(code="B").shout(), "B"),
    "from_queryset": (
        lambda: managed(Manager.from_queryset(Loud)()).filter(code="B").update(title="x"),
        "B",
    ),
    "a proxy": (lambda: ItemProxy.objects.filter(code="A").update(title="x"), "A"),
    "another field's relation": (
        lambda: Item.objects.filter(maker__name="m", offers__name="offer").update(title="x"),
        "AB",
    ),
    "joins that double": (
        lambda: Item.objects.filter(maker__items__code__in="AB").update(title="x"),
        "AB",
    ),
    "distinct": (lambda: Item.objects.filter(code="A").distinct().update(title="x"), "A"),
    "values": (lambda: Item.objects.filter(code="A").values("title").update(title="x"), "A"),
    "grouped values": (
        lambda: Item.objects.values("maker").annotate(n=Count("pk")).update(title="x"),
        "ABCD",
    ),
    "an aggregate": (
        lambda: Item.objects.annotate(n=Count("offers")).filter(n=1).update(title="x"),
        "AB",
    ),
    "an order": (lambda: Item.objects.order_by("-maker__name").update(title="x"), "ABCD"),
    "select_related": (
        lambda: Item.objects.filter(code="A").select_related("maker").update(title="x"),
        "A",
    ),
    "only": (lambda: Item.objects.filter(code="A").only("title").update(title="x"), "A"),
    "either": (
        lambda: (Item.objects.filter(code="A") | Item.objects.filter(code="B")).update(title="x"),
        "AB",
    ),
    "asynchronously": (
        lambda: wait(lambda: Item.objects.filter(code="A").aupdate(title="x")),
        "A",
    ),
    "bulk_update": (
        lambda: Item.objects.bulk_update(Item.objects.filter(code__in="AB"), ["title"]),
        "AB",
    ),
    "bulk_update asynchronously": (
        lambda: updated_asynchronously(list(Item.objects.filter(code="D"))),
        "D",
    ),
    "add by a related manager": (
        lambda: Maker.objects.get().items.add(Item.objects.get(code="D")),
        "D",
    ),
    "remove by a related manager": (lambda: Maker.objects.get().items.clear(), "AB"),
}


@pytest.mark.parametrize("way", UPDATES)
def test_law_10_an_update_counts_whoever_makes_it(shop, way):
    act, codes = UPDATES[way]
    expected = of_codes(codes)
    act()
    assert sorted(recorded()) == expected


@pytest.mark.skipif(connection.vendor == "mysql", reason="keys are read first, 500 to an INSERT")
@pytest.mark.parametrize("codes", ["A", "ABCD"])
def test_law_10_an_update_is_one_statement_more(shop, codes):
    rows = Item.objects.filter(code__in=list(codes))
    made = statements(lambda: rows.update(title="x"))
    assert [sql.split()[0] for sql in made] == ["INSERT", "UPDATE"]


def test_law_10_many_rows_of_few_products_are_few_changes(shop):
    with muted():
        Offer.objects.bulk_create(Offer(item=shop[3], name=str(n)) for n in range(300))
    Offer.objects.update(name="x")
    assert sorted(recorded()) == refs(shop[0], shop[1], shop[3])
    assert Offer.objects.filter(name="x").count() == 302


MOVES: dict[str, tuple[Callable[[list[Item]], Any], str]] = {
    "to another": (lambda items: Offer.objects.filter(item=items[0]).update(item=items[2]), "AC"),
    "by key": (lambda items: Offer.objects.filter(item=items[0]).update(item_id=items[2].pk), "AC"),
    "all to one": (lambda items: Offer.objects.update(item=items[3]), "ABD"),
    "to nobody": (lambda items: Offer.objects.update(item=None), "AB"),
    "by an expression": (
        lambda items: Offer.objects.update(
            item_id=Subquery(Item.objects.order_by().filter(title=OuterRef("name")).values("pk")[:1])
        ),
        "AB",
    ),
    "by a case": (
        lambda items: Offer.objects.update(
            item_id=Case(
                When(item=items[0], then=Value(items[3].pk)),
                default=F("item_id"),
                output_field=models.BigIntegerField(),
            )
        ),
        "ABD",
    ),
    "in a related manager": (lambda items: items[2].offers.add(Offer.objects.earliest("pk")), "AC"),
    "out of one": (lambda items: items[0].offers.clear(), "A"),
    "a set": (lambda items: items[2].offers.set(Offer.objects.all()), "ABC"),
    "by bulk_update": (lambda items: moved_by_bulk_update(items), "AC"),
}


def moved_by_bulk_update(items: list[Item]) -> None:
    offer = Offer.objects.get(item=items[0])
    offer.item = items[2]
    Offer.objects.bulk_update([offer], ["item"])


@pytest.mark.parametrize("way", MOVES)
def test_law_10_a_row_that_moves_counts_for_both(shop, way):
    act, codes = MOVES[way]
    act(shop)
    assert sorted(set(recorded())) == of_codes(codes)


def test_law_10_generic_rows_and_rows_by_another_column(use_items):
    use_items(depends_on=["notes", "price"], bulk_writes=[Note, Price])
    with muted():
        items = [Item.objects.create(code=code, title=code) for code in "ABC"]
        maker = Maker.objects.create(pk=items[2].pk, name="m")
        note, other = (Note.objects.create(subject=subject, name="n") for subject in (items[0], maker))
        price = Price.objects.create(item=items[1], name="p")
    Note.objects.update(name="x")
    Price.objects.update(name="x")
    assert sorted(recorded()) == refs(*items[:2])
    Note.objects.filter(pk=note.pk).update(object_id=items[1].pk)
    assert sorted(recorded()) == refs(*items[:2])
    Price.objects.filter(pk=price.pk).update(item_id="C")
    assert sorted(recorded()) == refs(*items[1:])
    Note.objects.filter(pk=other.pk).update(content_type_id=note.content_type_id)
    assert sorted(recorded()) == refs(items[2])


CREATIONS: dict[str, Callable[[list[Item]], Any]] = {
    "a list": lambda items: Item.objects.bulk_create([*items]),
    "a generator": lambda items: Item.objects.bulk_create(item for item in items),
    "a tuple in batches": lambda items: Item.objects.bulk_create(tuple(items), batch_size=1),
    "a batch by position": lambda items: Item.objects.bulk_create(items, 1),
    "asynchronously": lambda items: wait(lambda: Item.objects.abulk_create(items)),
    "a proxy": lambda items: ItemProxy.objects.bulk_create(
        ItemProxy(code=item.code, title="t") for item in items
    ),
    "its own class": lambda items: managed(Own()).bulk_create(items),
    "a related manager": lambda items: Maker.objects.get().items.bulk_create(items),
    "ignoring conflicts": lambda items: Item.objects.bulk_create(items, ignore_conflicts=True),
    "ignoring by position": lambda items: Item.objects.bulk_create(items, None, True),
}


@pytest.mark.parametrize("way", CREATIONS)
def test_law_10_what_is_created_in_bulk_counts(shop, way):
    new = [Item(code=code, title="t") for code in "XY"]
    CREATIONS[way](new)
    assert sorted(recorded()) == of_codes("XY")


def test_law_10_a_bulk_create_is_one_statement_more(shop):
    new = [Item(code=code, title="t") for code in "XYZ"]
    made = statements(lambda: Item.objects.bulk_create(new))
    assert [sql.split()[0] for sql in made] == ["INSERT", "INSERT"]
    assert Item.objects.bulk_create([]) == []
    assert Change.objects.count() == 3


def test_law_10_conflicts_that_are_ignored(shop):
    """Who stands in conflict is not changed; who is new is found by its key, which is not told."""
    Item.objects.bulk_create([Item(code=code, title="t") for code in "AX"], ignore_conflicts=True)
    assert set(recorded()) == set(of_codes("X"))


UNIQUE = {} if connection.vendor == "mysql" else {"unique_fields": ["code"]}


@pytest.mark.parametrize("keyed", [False, True])
def test_law_10_conflicts_that_are_overwritten(shop, keyed):
    new = [Item(code=code, title="overwritten") for code in "AX"]
    if keyed:
        new[0].pk = 10**6  # not the one that the stored row has
    Item.objects.bulk_create(new, update_conflicts=True, update_fields=["title"], **UNIQUE)
    assert Item.objects.get(code="A").title == "overwritten"
    assert set(of_codes("AX")) <= set(recorded())


def test_law_10_owners_that_an_upsert_takes_a_row_from(shop):
    offer = Offer.objects.get(item=shop[0])
    unique = {} if connection.vendor == "mysql" else {"unique_fields": ["pk"]}
    moved = [Offer(pk=offer.pk, item=shop[3], name="x"), Offer(item=shop[2], name="new")]
    Offer.objects.bulk_create(moved, update_conflicts=True, update_fields=["item"], **unique)
    assert set(recorded()) == set(of_codes("ACD"))


def test_law_10_rows_created_in_bulk_count_for_their_owners(shop):
    Offer.objects.bulk_create([Offer(item=shop[n % 3], name="x") for n in range(9)])
    assert sorted(recorded()) == of_codes("ABC")
    Price.objects.bulk_create([Price(item=shop[1], name="x"), Price(item_id="D", name="y")])
    assert sorted(recorded()) == of_codes("BD")
    Offer.objects.bulk_create([Offer(item=shop[0], name="x")], ignore_conflicts=True)
    assert sorted(recorded()) == of_codes("A")


def test_law_10_links_written_into_their_table(shop):
    through = Item.labels.through
    label = Label.objects.create(name="new")
    recorded()
    through.objects.bulk_create([through(item=item, label=label) for item in shop[1:3]])
    assert sorted(recorded()) == of_codes("BC")
    through.objects.filter(item=shop[1]).update(item=shop[3])
    assert sorted(recorded()) == of_codes("BD")


def test_law_10_what_products_point_to(shop, neuroon, flush):
    flush()
    neuroon.clear()
    Maker.objects.update(name="changed")
    flush()
    assert [set(request.external_ids) for request in neuroon.sync_requests] == [{"A", "B"}]


def test_law_16_children_by_table_and_keys_of_their_own(use_feeds):
    use_feeds((Ebook, item_feed(external_id="sku", bulk_writes=[Ebook])))
    with muted():
        Product.objects.create(sku="0", title="0")  # so that the keys differ
        book = Ebook.objects.create(isbn="978", sku="E", title="E")
    for write in (
        lambda: Ebook.objects.update(title="x"),
        lambda: Product.objects.filter(sku="E").update(title="y"),
    ):
        write()
        assert recorded() == [("shop.ebook", "978")]
    assert Ebook.objects.get(pk=book.pk).title == "y"


def test_law_16_parents_and_children(use_items):
    use_items(bulk_writes=[Item])
    with muted():
        tool = Tool.objects.create(code="T", title="T")
    Tool.objects.update(title="of the parent's table")
    Tool.objects.update(power=3)
    assert recorded() == [("shop.item", str(tool.pk))] * 2


def test_keys_that_the_shop_makes(use_feeds):
    use_feeds((Gadget, item_feed(name="code", bulk_writes=["shop.Gadget"])))
    gadgets = Gadget.objects.bulk_create([Gadget(code=code) for code in "AB"])
    assert sorted(recorded()) == refs(*gadgets)
    Gadget.objects.bulk_create([Gadget(code="C")], ignore_conflicts=True)
    assert recorded() == refs(Gadget.objects.get(code="C"))


def test_orders_count_with_the_cookie_of_the_request_that_makes_them(use_feeds):
    feed = type("Orders", (OrderFeed,), {"order_value": 1, "is_paid": True, "bulk_writes": [Order]})
    use_feeds((Order, feed))
    token = clicks.current.set(COOKIE)
    orders = Order.objects.bulk_create([Order(number="1")])
    clicks.current.reset(token)
    Order.objects.update(status="paid")
    rows = Change.objects.order_by("pk").values_list("model", "object_pk", "clicks")
    pk = str(orders[0].pk or Order.objects.get().pk)
    assert list(rows) == [("order:shop.order", pk, COOKIE), ("order:shop.order", pk, "")]


# What is no change, and what stays the shop's


def test_law_03_only_ignored_fields(shop):
    Item.objects.update(seen_at=None)
    Offer.objects.update(counted_at=None)
    assert recorded() == []
    Item.objects.filter(code="A").update(seen_at=None, title="x")
    assert recorded() == of_codes("A")


def test_law_17_muted_or_switched_off_makes_no_statement(shop, settings):
    def write() -> None:
        Item.objects.update(title="x")
        Offer.objects.update(item=None)
        Offer.objects.bulk_create([Offer(item=shop[0], name="x")])

    with muted():
        assert len(statements(write)) == 3
    settings.NEUROON_ENABLED = False
    assert len(statements(write)) == 3
    assert recorded() == []


def test_law_16_another_database_is_not_neuroons(shop, monkeypatch):
    monkeypatch.setattr(type(Change.objects), "db", "elsewhere")
    assert Item.objects.using("default").update(title="x") == 4
    monkeypatch.undo()
    assert recorded() == []


def test_law_02_rolled_back_is_not_recorded(shop):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Item.objects.update(title="x")
        Item.objects.bulk_create([Item(code="X", title="X")])
        raise ZeroDivisionError
    assert recorded() == []


@pytest.mark.parametrize("inside", [True, False])
def test_law_02_a_write_that_fails_is_not_recorded(shop, inside):
    """In autocommit the write and its change rows are one transaction."""

    def fail(write: Callable[[], Any]) -> None:
        with pytest.raises(IntegrityError):
            if inside:
                with transaction.atomic():
                    write()
            else:
                write()

    fail(lambda: Item.objects.update(code="one for all"))
    fail(lambda: Item.objects.bulk_create([Item(code="A", title="A")]))
    assert recorded() == []


REFUSED: dict[str, Callable[[], Any]] = {
    "a slice": lambda: Item.objects.all()[:2].update(title="x"),
    "a union": lambda: Item.objects.filter(pk=1).union(Item.objects.filter(pk=2)).update(title="x"),
    "no such field": lambda: Item.objects.update(nothing="x"),
    "a related field": lambda: Item.objects.update(maker__name="x"),
    "a text": lambda: Item.objects.bulk_create("x"),
    "a child": lambda: Tool.objects.bulk_create([Tool(code="T", title="T")]),
    "no keys": lambda: Item.objects.bulk_update([Item(code="x")], ["title"]),
    "a wrong argument": lambda: Item.objects.bulk_create([Item(code="x")], batch=3),
    "both kinds of conflicts": lambda: Item.objects.bulk_create(
        [Item(code="x")], ignore_conflicts=True, update_conflicts=True
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_law_01_djangos_own_errors_are_as_before(shop, case, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(bulk_writes, "watches", {})
        with pytest.raises(Exception) as bare:
            REFUSED[case]()
    with transaction.atomic():
        with pytest.raises(type(bare.value)) as with_app:
            REFUSED[case]()
        assert Item.objects.count() == 4  # the shop's transaction goes on
    assert str(with_app.value) == str(bare.value)


def test_law_01_an_error_of_ours_is_the_shops_no_more(shop, monkeypatch, caplog):
    def fail(*args: Any) -> None:
        raise ValueError("ours")

    monkeypatch.setattr("neuroon_django.recording.bulk.record_rows", fail)
    assert Item.objects.update(title="x") == 4
    assert "change_not_recorded model=shop.item error=ValueError" in caplog.text
    assert recorded() == []


def test_a_save_is_recorded_once(shop):
    item = Item.objects.get(code="A")
    recorded()
    item.save()
    Item.objects.update_or_create(code="A", defaults={"title": "x"})
    Item.objects.get_or_create(code="A")
    assert recorded() == refs(item) * 2


def test_querysets_stay_what_they_are(shop):
    rows = managed(Loud.as_manager()).filter(code="A")
    assert type(rows) is Loud
    assert type(Item.objects.all()) is QuerySet
    again = pickle.loads(pickle.dumps(Item.objects.filter(code="A")))
    assert again.update(title="x") == 1
    assert type(again) is QuerySet
    assert QuerySet.update.alters_data and QuerySet.bulk_create.alters_data
    assert QuerySet.update.__qualname__ == "QuerySet.update"
    assert recorded() == of_codes("A")


def test_law_10_other_models_are_left_alone(shop):
    Unrelated.objects.bulk_create([Unrelated(name="u")])
    Country.objects.bulk_create([Country(iso="ES", name="Spain")])
    Batch.objects.update(name="x")
    assert len(statements(lambda: Unrelated.objects.update(name="x"))) == 1
    assert recorded() == []


def test_law_10_a_migrations_models_are_others(shop):
    class OldItem(models.Model):
        title = models.CharField(max_length=50)

        class Meta:
            app_label = "shop"
            db_table = Item._meta.db_table
            apps = Apps()

    assert OldItem.objects.update(title="by a migration") == 4
    assert recorded() == []


# Who says it


def test_tell_bulk_writes_counts_from_then_on(use_items, monkeypatch):
    monkeypatch.setattr(registry, "bulk_models", [])
    use_items(depends_on=["offers"])
    with muted():
        item = Item.objects.create(code="A", title="A")
        item.offers.create(name="x")
    Item.objects.update(title="x")
    assert recorded() == []
    tell_bulk_writes(Item)
    tell_bulk_writes("shop.Offer")
    Item.objects.update(title="y")
    Offer.objects.update(name="y")
    assert recorded() == refs(item) * 2


@pytest.mark.parametrize("wrong", ["shop.Nothing", "Item", "", int, None, 3, models.Model, [Item]])
def test_what_is_no_model_is_refused(wrong):
    before = list(registry.bulk_models)
    with pytest.raises(ConfigurationError, match="no such model"):
        tell_bulk_writes(wrong)
    assert registry.bulk_models == before


def test_a_model_of_no_feed_is_nobodys(use_feeds, monkeypatch):
    monkeypatch.setattr(registry, "bulk_models", [])
    use_feeds((Soft, item_feed()))
    tell_bulk_writes(Unrelated)
    Unrelated.objects.bulk_create([Unrelated(name="u")])
    assert recorded() == []


@pytest.mark.parametrize("written", [Item, "shop.Item", ["shop.Nothing", Item], (3, None), []])
def test_wrong_entries_stop_no_site(use_items, written):
    """A check reports them (`tests/operators/checks/test_feeds.py`)."""
    use_items(bulk_writes=written)
    with muted():
        item = Item.objects.create(code="A", title="A")
    Item.objects.update(title="x")
    assert recorded() == (refs(item) if isinstance(written, list) and Item in written else [])


def test_it_is_public():
    assert "tell_bulk_writes" in neuroon_django.__all__
