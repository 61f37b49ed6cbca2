"""What is recorded, what it costs the shop, and what is no change."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.core import serializers
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from neuroon_django import muted
from neuroon_django.recording.receivers import receivers
from tests.factories import recorded
from tests.feeds_in_use import item_feed
from tests.shop.models import (
    Category,
    Country,
    Gadget,
    Item,
    Label,
    Maker,
    Note,
    Offer,
    Part,
    Product,
    Tool,
    Unrelated,
    Voucher,
)
from tests.threads import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


def statements(action) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        action()
    return [query["sql"] for query in captured]


def test_law_01_a_save_costs_one_insert(use_items):
    use_items(tags="maker__name", depends_on=["offers", "labels"])
    maker = Maker.objects.create(name="m")
    item = Item.objects.create(code="A", title="A", maker=maker)
    offer = item.offers.create(name="offer")

    def bare_and_ours(action) -> tuple[int, list[str]]:
        """Statements without the app, and those that come with it."""
        with muted():
            bare = len(statements(action))
        ours = [sql for sql in statements(action) if "neuroon" in sql]
        whole = len(statements(action))
        assert whole == bare + len(ours) or whole == bare + len(ours) + 1  # the old owner is read
        return whole - bare, ours

    for thing, extra in ((item, 1), (maker, 1), (offer, 2)):
        more, ours = bare_and_ours(thing.save)
        assert (more, len(ours)) == (extra, 1)
        assert ours[0].startswith("INSERT INTO")
    assert statements(Unrelated(name="u").save) and len(statements(Unrelated(name="u").save)) == 1


def test_law_10_deleting_unrelated_rows_costs_the_same_with_and_without_the_app(use_items):
    use_items(tags="maker__name")
    rows = [Unrelated(name=str(n)) for n in range(20_000)]
    Unrelated.objects.bulk_create(rows)
    receivers.disconnect()
    without = statements(Unrelated.objects.filter(pk__gt=0).delete)
    receivers.connect()
    Unrelated.objects.bulk_create([Unrelated(name=str(n)) for n in range(20_000)])
    assert statements(Unrelated.objects.filter(pk__gt=0).delete) == without
    assert sum("DELETE" in sql for sql in without) == 1
    assert recorded() == []


def test_law_10_receivers_stand_on_the_models_of_the_feeds_and_no_other(use_items):
    use_items(tags="maker__country__name", depends_on=["offers__colours", "notes"])
    assert {model.__name__ for model in receivers.watches} == {
        *("Item", "ItemProxy", "Tool", "Maker", "MakerProxy", "House", "Country"),
        *("Offer", "Colour", "Note"),
    }
    assert set(receivers.through) == {Offer.colours.through}


def test_law_10_what_a_delete_costs(use_items):
    """One row for the product and what pointed to it; one statement for all that read a row."""
    use_items(tags="maker__name", depends_on=["offers"])
    maker = Maker.objects.create(name="m")
    items = [Item.objects.create(code=str(n), title="t", maker=maker) for n in range(5)]
    items[0].offers.create(name="one")
    recorded()
    deleted = ("shop.item", str(items[0].pk))
    ours = [sql for sql in statements(items[0].delete) if "neuroon" in sql]
    assert [sql.split(" (")[0].split()[0] for sql in ours] == ["INSERT"]
    assert recorded() == [deleted]
    ours = [sql for sql in statements(maker.delete) if "neuroon" in sql]
    assert len(ours) == 1
    assert ("SELECT" in ours[0]) == (connection.vendor != "mysql")
    assert recorded() == [("shop.item", str(item.pk)) for item in items[1:]]


@pytest.mark.parametrize("fields", [["title"], ["maker"], ["maker_id"], ["seen_at"], ["seo"], None])
def test_law_03_a_save_of_any_field_counts(use_items, fields):
    """No feed says which columns its lookups read: a translated name stands in another one."""
    use_items(tags="maker__name")
    item = Item.objects.create(code="A", title="A")
    recorded()
    item.save(update_fields=fields)
    assert recorded() == [("shop.item", str(item.pk))]


def test_law_03_a_save_of_no_field_is_none(use_items):
    use_items(tags="maker__name")
    item = Item.objects.create(code="A", title="A")
    recorded()
    assert statements(lambda: item.save(update_fields=[])) == []
    assert recorded() == []


@pytest.mark.parametrize(
    ("ignores", "fields", "counts"),
    [
        (["seen_at"], ["seen_at"], False),
        (["seen_at"], ["seen_at", "title"], True),
        (["seen_at"], ["title"], True),
        (["seen_at"], None, True),
        (["seen_at", "title"], ("seen_at", "title"), False),
        (["maker"], ["maker_id"], False),
        (["maker_id"], ["maker"], False),
        (["offers__counted_at"], ["seen_at"], True),
        ([], ["seen_at"], True),
    ],
)
def test_law_03_only_ignores_make_a_save_no_change(use_items, ignores, fields, counts):
    use_items(name="title", depends_on=["offers"], ignores=ignores)
    item = Item.objects.create(code="A", title="A")
    recorded()
    item.save(update_fields=fields)
    assert bool(recorded()) == counts


class Translated:
    """What django-modeltranslation makes of a name: a column per language behind one attribute."""

    def __get__(self, item: Item | None, owner: object = None) -> object:
        return self if item is None else item.maker.name if item.maker else item.title


def test_law_03_a_translated_column_counts(neuroon, flush, use_items, monkeypatch):
    """The feed reads `name`; what is saved is called `name_es`, here `title`."""
    monkeypatch.setattr(Item, "name", Translated(), raising=False)
    use_items(name="name")
    item = Item.objects.create(code="A", title="before")
    flush()
    item.title = "after"
    item.save(update_fields=["title"])
    flush()
    assert neuroon.products["A"]["name"] == "after"


def test_law_03_a_counter_that_methods_might_read_is_ignored_by_name(use_items):
    use_items(
        name=lambda feed, item: item.title,
        depends_on=["offers", "maker"],
        ignores=["seen_at", "offers__counted_at"],
    )
    item = Item.objects.create(code="A", title="A", maker=Maker.objects.create(name="m"))
    offer = item.offers.create(name="offer")
    recorded()
    item.save(update_fields=["seen_at"])
    offer.save(update_fields=["counted_at"])
    assert recorded() == []
    item.save(update_fields=["seen_at", "title"])
    offer.save(update_fields=["counted_at", "name"])
    item.maker.save(update_fields=["name"])
    name = ("shop.item", str(item.pk))
    assert recorded() == [name, name, ("shop.maker", str(item.maker_id))]


def test_law_03_any_field_of_related_objects_counts(use_items):
    use_items(
        tags="maker__country__name",
        categories="offers__seller__name",
        ignores=["maker__country__iso", "offers__counted_at"],
    )
    country = Country.objects.create(iso="ES", name="Spain")
    maker = Maker.objects.create(name="m", country=country)
    item = Item.objects.create(code="A", title="A", maker=maker)
    offer = item.offers.create(name="offer")
    recorded()
    country.save(update_fields=["iso"])
    offer.save(update_fields=["counted_at"])
    assert recorded() == []
    maker.save(update_fields=["name"])
    country.save(update_fields=["name"])
    offer.save(update_fields=["name", "counted_at"])
    assert recorded() == [
        ("shop.maker", str(maker.pk)),
        ("shop.country", str(country.pk)),
        ("shop.item", str(item.pk)),
    ]


def test_law_03_what_one_feed_ignores_another_may_read(use_feeds):
    tools = item_feed(tags="maker__name", ignores=["maker__name"])
    items = item_feed(tags="maker__name")
    use_feeds((Tool, tools), (Item, items))
    maker = Maker.objects.create(name="m")
    recorded()
    maker.save(update_fields=["name"])
    assert recorded() == [("shop.maker", str(maker.pk))]
    use_feeds((Tool, tools))
    maker.save(update_fields=["name"])
    assert recorded() == []


def test_deferred_fields_do_not_make_a_save_fail(use_items):
    use_items(tags="maker__name", depends_on=["offers"])
    item = Item.objects.create(code="A", title="A")
    offer = item.offers.create(name="offer")
    recorded()
    Offer.objects.only("name").get(pk=offer.pk).save()
    Item.objects.defer("maker").get().save()
    assert recorded() == [("shop.item", str(item.pk))] * 2


def test_law_16_fixtures_count(use_items):
    """A fixture overwrites rows by instances that were never read, before what they point to."""
    use_items(tags="maker__name", depends_on=["offers"])
    a, b = (Item.objects.create(code=code, title=code) for code in "AB")
    offer = a.offers.create(name="offer")
    maker = Maker.objects.create(name="m")
    fixture = serializers.serialize("json", [*Offer.objects.all(), *Maker.objects.all(), *[a, b]])
    recorded()
    Offer.objects.update(item=b)
    for restored in serializers.deserialize("json", fixture):
        restored.save()
    names = recorded()
    assert names[:2] == [("shop.item", str(b.pk)), ("shop.item", str(a.pk))]
    assert set(names) == {
        ("shop.item", str(a.pk)),
        ("shop.item", str(b.pk)),
        ("shop.maker", str(maker.pk)),
    }
    assert Offer.objects.get(pk=offer.pk).item == a


def test_law_02_rolled_back_is_not_recorded(use_items):
    use_items(tags="labels__name")
    item = Item.objects.create(code="A", title="A")
    label = Label.objects.create(name="label")
    recorded()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        item.save()
        item.labels.add(label)
        item.labels.clear()
        item.delete()
        raise ZeroDivisionError
    assert recorded() == []


def test_law_17_switched_off_makes_no_statement(use_items, settings):
    use_items(tags="labels__name", depends_on=["offers", "maker"])
    settings.NEUROON_ENABLED = False

    def everything() -> None:
        maker = Maker.objects.create(name="m")
        item = Item.objects.create(code="A", title="A", maker=maker)
        offer = item.offers.create(name="offer")
        offer.save()
        item.labels.add(Label.objects.create(name="label"))
        item.labels.clear()
        maker.delete()
        item.delete()

    made = statements(everything)
    assert [sql for sql in made if "neuroon" in sql] == []
    receivers.disconnect()
    without = statements(everything)
    receivers.connect()
    assert len(made) <= len(without) + 2  # Django reads before it deletes what somebody listens to
    assert recorded() == []


def test_clearing_from_the_other_side_is_one_statement(use_items):
    use_items(tags="labels__name")
    label = Label.objects.create(name="label")
    Item.objects.bulk_create(Item(code=str(n), title="t") for n in range(1200))
    label.items.set(Item.objects.all())
    recorded()
    ours = [sql for sql in statements(label.items.clear) if "neuroon" in sql]
    assert len(ours) == 1
    assert len(set(recorded())) == 1200


def test_adding_what_is_there_is_no_change(use_items):
    use_items(tags="labels__name")
    item = Item.objects.create(code="A", title="A")
    label = Label.objects.create(name="label")
    item.labels.add(label)
    recorded()
    item.labels.add(label)
    label.items.add(item)
    item.labels.set([label])
    assert recorded() == []


def test_muted_is_nestable_and_of_this_thread_only(use_items):
    use_items()
    with muted():
        with muted():
            Item.objects.create(code="A", title="A")
        Item.objects.create(code="B", title="B")
        elsewhere(save, "C").join()
    Item.objects.create(code="D", title="D")
    saved = Item.objects.filter(code__in="CD").order_by("pk")
    assert recorded() == [("shop.item", str(item.pk)) for item in saved]


def save(code: str) -> None:
    Item.objects.create(code=code, title=code)


def test_muted_is_of_this_task_only(use_items):
    use_items()

    async def quiet(hushed: asyncio.Event, spoken: asyncio.Event) -> None:
        with muted():
            hushed.set()
            await spoken.wait()
            await Item.objects.acreate(code="A", title="A")

    async def loud(hushed: asyncio.Event, spoken: asyncio.Event) -> None:
        await hushed.wait()
        await Item.objects.acreate(code="B", title="B")
        spoken.set()

    async def both() -> None:
        events = asyncio.Event(), asyncio.Event()
        await asyncio.gather(quiet(*events), loud(*events))
        await sync_to_async(connections.close_all)()

    asyncio.run(both())
    assert recorded() == [("shop.item", str(Item.objects.get(code="B").pk))]


def test_keys_of_every_kind_are_found_again(use_feeds, neuroon, flush):
    """UUIDs, which databases write in their own ways, and text."""
    use_feeds(
        (
            Gadget,
            item_feed(name="code", tags="labels__name", brand="maker__name", depends_on=["parts"]),
        ),
        (Voucher, item_feed(external_id="key", brand="maker__name")),
    )
    maker, label = Maker.objects.create(name="m"), Label.objects.create(name="label")
    one, two = (Gadget.objects.create(code=code, maker=maker) for code in ("G1", "G2"))
    one.labels.add(label)
    part = Part.objects.create(gadget=one, name="part")
    Voucher.objects.create(key="10 %: off/", title="v", maker=maker)
    flush()
    assert set(neuroon.products) == {"G1", "G2", "10 %: off/"}

    def sent_after(action) -> set[str]:
        neuroon.clear()
        action()
        flush()
        return {name for request in neuroon.sync_requests for name in request.external_ids}

    def move() -> None:
        part.gadget = two
        part.save()

    move()
    names = recorded()
    assert names == [("shop.gadget", str(one.pk)), ("shop.gadget", str(two.pk))]
    assert sent_after(lambda: label.items.clear() or label.gadget_set.clear()) == {"G1"}
    assert sent_after(maker.delete) == {"G1", "G2", "10 %: off/"}
    sent_after(lambda: Gadget.objects.filter(pk=one.pk).delete())
    assert set(neuroon.products) == {"G2", "10 %: off/"}


def test_a_product_that_others_hang_on_is_itself_looked_at(use_items, neuroon, flush):
    use_items(tags="parent__title")
    parent = Item.objects.create(code="P", title="P")
    child = Item.objects.create(code="C", title="C", parent=parent)
    flush()
    parent.title = "changed"
    parent.save()
    flush()
    assert neuroon.products["P"]["name"] == "changed"
    assert neuroon.products["C"]["tags"] == ["changed"]
    parent.delete()
    flush()
    child.refresh_from_db()
    assert "P" not in neuroon.products
    assert "tags" not in neuroon.products["C"]


def test_a_generic_row_that_changes_its_model_in_a_fixture(use_items):
    use_items(depends_on=["notes"])
    item = Item.objects.create(code="A", title="A")
    note = Note.objects.create(subject=item, name="n")
    recorded()
    Note(pk=note.pk, subject=Maker.objects.create(name="m"), name="n").save()
    assert recorded() == [("shop.item", str(item.pk))]


def test_the_old_owner_is_read_only_where_it_may_move(use_items):
    use_items(depends_on=["offers"])
    offer = Item.objects.create(code="A", title="A").offers.create(name="offer")
    assert len(statements(lambda: offer.save(update_fields=["name"]))) == 2
    assert len(statements(lambda: Offer.objects.create(name="new"))) == 1


def test_nothing_of_a_feed_runs_in_a_save(use_items):
    def explode(feed, item):
        raise AssertionError("in the shop's transaction")

    use_items(external_id=explode, name=explode, price=explode, depends_on=["maker"])
    maker = Maker.objects.create(name="m")
    item = Item.objects.create(code="A", title="A", maker=maker)
    maker.delete()
    item.delete()
    assert len(recorded()) == 4


def test_products_in_the_shops_own_feed(neuroon, flush):
    """The example's feed: a method behind `depends_on`, an ignored counter."""
    category = Category.objects.create(title="Tools")
    product = Product.objects.create(sku="A", title="A")
    product.stockrecords.create(price=1)
    product.categories.add(category)
    flush()
    neuroon.clear()
    product.views += 1
    product.save(update_fields=["views"])
    assert recorded() == []
    product.stockrecords.update(price=2)
    product.stockrecords.get().save()
    flush()
    assert [request.external_ids for request in neuroon.sync_requests] == [("A",)]
