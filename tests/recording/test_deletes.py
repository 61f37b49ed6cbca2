"""Deletes and their cascades: what they cost, and that nobody is forgotten (law 1, law 10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import FieldError
from django.db import IntegrityError, connection, transaction
from django.db.models import SET, Model
from django.db.models.signals import post_delete, pre_delete
from django.test.utils import CaptureQueriesContext

from neuroon_django import OrderFeed, muted
from neuroon_django.models import Change
from neuroon_django.models.change import ChangeQuerySet
from tests.factories import recorded
from tests.feeds_in_use import item_feed
from tests.shop.models import (
    Batch,
    Category,
    Depot,
    Gadget,
    Group,
    Item,
    Label,
    Maker,
    Note,
    Offer,
    Pallet,
    Part,
    Placement,
    Price,
    Product,
    Seller,
    Shelf,
    Soft,
    Stock,
    Succession,
    Tool,
    Ware,
)

pytestmark = pytest.mark.django_db(transaction=True)

Made = tuple[Callable[[], Any], set[tuple[str, str]]]


def statements(action: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        action()
    return [query["sql"] for query in captured]


def refs(*instances: Model) -> set[tuple[str, str]]:
    return {(instance._meta.label_lower, str(instance.pk)) for instance in instances}


def item(code: str, **values: Any) -> Item:
    return Item.objects.create(code=code, title=code, **values)


# A cascade of n rows, what it is made of, and what must be recorded. Each feed reads what is deleted.


def a_product_and_its_rows(n: int) -> Made:
    product = item("A")
    for each in range(n):
        offer = product.offers.create(name=str(each))
        offer.batches.create(name=str(each))
    return product.delete, refs(product)


def products_by_queryset(n: int) -> Made:
    products = [item(str(each)) for each in range(n)]
    return Item.objects.all().delete, refs(*products)


def rows_by_queryset(n: int) -> Made:
    products = [item(str(each)) for each in range(2)]
    for each in range(n):
        products[each % 2].offers.create(name="x")
    return Offer.objects.all().delete, refs(*products[:n])


def rows_of_many_products(n: int) -> Made:
    products = [item(str(each)) for each in range(n)]
    for product in products:
        product.offers.create(name="x")
    return Offer.objects.all().delete, refs(*products)


def rows_of_rows(n: int) -> Made:
    offer = item("A").offers.create(name="x")
    for _ in range(n):
        Batch.objects.create(offer=offer, name="x")
    return Batch.objects.all().delete, refs(offer)


def what_products_point_to(n: int) -> Made:
    makers = [Maker.objects.create(name="m") for _ in range(n)]
    products = [item(str(each), maker=maker) for each, maker in enumerate(makers)]
    return Maker.objects.all().delete, refs(*products)


def links(n: int) -> Made:
    labels = [Label.objects.create(name="l") for _ in range(n)]
    products = [item(code) for code in "AB"]
    for product in products:
        product.labels.set(labels)
    return Label.objects.all().delete, refs(*products)


def link_rows(n: int) -> Made:
    product = item("A")
    for _ in range(n):
        Placement.objects.create(item=product, shelf=Shelf.objects.create(name="s"))
    return Shelf.objects.all().delete, refs(product)


def generic_rows(n: int) -> Made:
    product, maker = item("A"), Maker.objects.create(name="m")
    for _ in range(n):
        Note.objects.create(subject=product, name="n")
    Note.objects.create(subject=maker, name="of nobody's")
    return Note.objects.all().delete, refs(product)


def rows_by_another_column(n: int) -> Made:
    products = [item(str(each)) for each in range(n)]
    for product in products:
        Price.objects.create(item=product, name="p")
    return Price.objects.all().delete, refs(*products)


def rows_of_a_childs_table(n: int) -> Made:
    product = item("A")
    for _ in range(n):
        Stock.objects.create(item=product, name="s")
    return Stock.objects.all().delete, refs(product)


def children_by_table(n: int) -> Made:
    tools = [Tool.objects.create(code=str(each), title="t") for each in range(n)]
    found = {("shop.item", str(tool.pk)) for tool in tools}
    return Item.objects.all().delete, found


def a_tree(n: int) -> Made:
    parent = item("A")
    variants = [item(f"v{each}", parent=parent) for each in range(n)]
    successor = item("B")
    for variant in variants:
        Succession.objects.create(older=variant, newer=successor)
    return successor.delete, refs(successor, *variants)


def far_away(n: int) -> Made:
    group = Group.objects.create(name="g")
    product = item("A")
    product.labels.set([Label.objects.create(name="l", group=group) for _ in range(n)])
    return group.delete, refs(product)


CASCADES: dict[str, tuple[Callable[[int], Made], dict[str, Any]]] = {
    "a product and its rows": (a_product_and_its_rows, {"depends_on": ["offers__batches"]}),
    "products": (products_by_queryset, {"depends_on": ["offers__batches"]}),
    "rows": (rows_by_queryset, {"depends_on": ["offers"]}),
    "rows of many products": (rows_of_many_products, {"tags": "offers__name"}),
    "rows of rows": (rows_of_rows, {"tags": "offers__batches__name"}),
    "what products point to": (what_products_point_to, {"tags": "maker__name"}),
    "links": (links, {"tags": "labels__name"}),
    "link rows": (link_rows, {"tags": "shelves__name"}),
    "generic rows": (generic_rows, {"depends_on": ["notes"]}),
    "rows by another column": (rows_by_another_column, {"tags": "price__name"}),
    "rows of a child's table": (rows_of_a_childs_table, {"tags": "stocks__name"}),
    "children by table": (children_by_table, {"depends_on": ["offers"]}),
    "a tree": (a_tree, {"tags": "successors__title"}),
    "far away": (far_away, {"tags": "labels__group__name"}),
}


@pytest.mark.parametrize("kind", CASCADES)
def test_law_01_a_cascade_costs_as_much_for_400_rows_as_for_one(use_items, kind):
    make, entries = CASCADES[kind]
    use_items(**entries)

    def ours(n: int) -> int:
        """Return the statements that come with the app, after a look at what they record."""
        counts = []
        for silent in (True, False):
            with muted():
                for model in (Note, Item, Maker, Label, Shelf, Group, Offer):
                    model._base_manager.all().delete()
                delete, expected = make(n)
            if silent:
                with muted():
                    counts.append(len(statements(delete)))
            else:
                counts.append(len(statements(delete)))
        found = recorded()
        assert set(found) == expected
        assert len(found) <= 3 * len(expected)
        return counts[1] - counts[0]

    ours(1)  # what Django remembers of content types, it reads once
    assert ours(1) == ours(400) <= 8


def test_law_01_statements_of_a_product_with_50_variants_and_400_records(use_items):
    """The kind of issue: it was one statement for each row of the cascade."""
    use_items(depends_on=["offers__batches"])
    counts = []
    for silent in (True, False):
        with muted():
            product = item("A")
            offers = Offer.objects.bulk_create(Offer(item=product, name="v") for _ in range(50))
            Batch.objects.bulk_create(Batch(offer=o, name="s") for o in offers for _ in range(8))
        ref = refs(product)
        if silent:
            with muted():
                counts.append(len(statements(product.delete)))
        else:
            counts.append(len(statements(product.delete)))
    assert counts[1] - counts[0] <= 4
    assert ref <= set(recorded())


def test_law_01_a_long_cascade_is_recorded_500_at_a_time(use_items):
    use_items(depends_on=["offers"])
    with muted():
        Item.objects.bulk_create(Item(code=str(n), title="t") for n in range(1200))
    pks = {str(pk) for pk in Item.objects.values_list("pk", flat=True)}
    ours = [sql for sql in statements(Item.objects.all().delete) if "neuroon" in sql]
    assert len(ours) == 3
    assert {pk for _, pk in recorded()} == pks


# Shops that do something themselves while rows are deleted


@pytest.fixture
def when_deleted() -> Iterator[Callable[..., None]]:
    """Connect a receiver of the shop's, before or after ours, for one test."""
    connected: list[tuple[Any, Any, type[Model]]] = []

    def connect(model: type[Model], action: Callable[[Any], None], signal: Any = pre_delete) -> None:
        def hear(instance: Any, **kwargs: Any) -> None:
            action(instance)

        signal.connect(hear, sender=model, weak=False)
        connected.append((signal, hear, model))

    yield connect
    for signal, hear, model in connected:
        signal.disconnect(hear, sender=model)


def logged(row: Any) -> None:
    Category.objects.create(title=f"deleted {row.pk}")


def counted(row: Any) -> None:
    Seller.objects.update(name=str(row.pk))


def nested_delete(row: Any) -> None:
    Label.objects.filter(name=row.name).delete()


def nested_transaction(row: Any) -> None:
    with transaction.atomic():
        Seller.objects.update(name=str(row.pk))


def failed_transaction(row: Any) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Seller.objects.update(name=str(row.pk))
        raise ZeroDivisionError


def failed_statement(row: Any) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Item.objects.create(code="taken", title="twice")


@pytest.mark.parametrize("signal", [pre_delete, post_delete], ids=["before", "after"])
@pytest.mark.parametrize(
    "action",
    [logged, counted, nested_delete, nested_transaction, failed_transaction, failed_statement],
)
def test_law_10_nobody_is_forgotten_whatever_the_shop_does_meanwhile(
    use_items, when_deleted, action, signal
):
    use_items(depends_on=["offers", "labels"], tags="maker__name")
    with muted():
        item("taken"), Seller.objects.create(name="s")
        products = [item(code) for code in "ABCD"]
        for product in products:
            product.offers.create(name="x")
        label = Label.objects.create(name="x")
        label.items.add(products[3])
    when_deleted(Offer, action, signal)
    Offer.objects.filter(item__in=products[:3]).delete()
    expected = refs(*products[:3]) | (refs(products[3]) if action is nested_delete else set())
    assert set(recorded()) == expected


@pytest.mark.parametrize("action", [logged, counted, nested_transaction])
def test_law_01_a_shop_that_listens_itself_pays_no_statement_of_ours_per_row(
    use_items, when_deleted, action
):
    use_items(depends_on=["offers"])
    when_deleted(Offer, action)

    def inserts(n: int) -> int:
        with muted():
            Item.objects.all().delete()
            product = item("A")
            Offer.objects.bulk_create(Offer(item=product, name="x") for _ in range(n))
        return sum("neuroon" in sql for sql in statements(Offer.objects.all().delete))

    assert inserts(1) == inserts(30) == 1


def test_law_10_links_that_the_shop_takes_away_first(use_items, when_deleted):
    """The products of a maker are let go in an inner block while the maker's delete has begun."""
    use_items(tags="maker__name")
    with muted():
        makers = [Maker.objects.create(name="m") for _ in range(2)]
        products = [item(str(n), maker=maker) for n, maker in enumerate(makers)]

    def let_go(maker: Maker) -> None:
        with transaction.atomic():
            Item.objects.filter(maker=maker).update(maker=None)

    when_deleted(Maker, let_go)
    Maker.objects.all().delete()
    assert set(recorded()) == refs(*products)


def test_law_02_a_delete_that_fails_is_not_recorded(use_items, when_deleted):
    use_items(depends_on=["offers"])
    with muted():
        product = item("A")
        product.offers.create(name="x")

    def fail(row: Any) -> None:
        raise ZeroDivisionError

    when_deleted(Offer, fail)
    for outer in (False, True):
        with pytest.raises(ZeroDivisionError):
            if outer:
                with transaction.atomic():
                    Offer.objects.all().delete()
            else:
                Offer.objects.all().delete()
        Seller.objects.update(name="what comes next")
        assert recorded() == []


def test_law_02_a_delete_that_fails_in_a_savepoint_leaves_the_rest(use_items, when_deleted):
    use_items(depends_on=["offers"])
    with muted():
        a, b = item("A"), item("B")
        a.offers.create(name="x"), b.offers.create(name="y")

    def fail(row: Any) -> None:
        if row.name == "x":
            raise ZeroDivisionError

    when_deleted(Offer, fail)
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Offer.objects.filter(name="x").delete()
        Offer.objects.filter(name="y").delete()
    assert set(recorded()) == refs(b)


@pytest.mark.parametrize("how", ["an instance", "a queryset", "asynchronously"])
def test_law_01_a_product_is_recorded_once(use_items, how):
    use_items(depends_on=["offers"])
    with muted():
        product = item("A")
        product.offers.create(name="x"), product.offers.create(name="y")
    ref = refs(product)
    if how == "an instance":
        product.delete()
    elif how == "a queryset":
        Item.objects.filter(code="A").delete()
    else:
        from asgiref.sync import async_to_sync

        async_to_sync(Item.objects.filter(code="A").adelete)()
    assert recorded() == list(ref)


def test_keys_of_other_kinds(use_feeds):
    use_feeds((Gadget, item_feed(name="code", depends_on=["parts", "labels"])))
    with muted():
        gadgets = [Gadget.objects.create(code=code) for code in "ABC"]
        for gadget in gadgets:
            Part.objects.create(gadget=gadget, name="p")
    Part.objects.exclude(gadget=gadgets[2]).delete()
    # SQLite's columns hold such keys in another spelling, which a fold understands as well.
    assert {(label, str(UUID(key))) for label, key in recorded()} == refs(*gadgets[:2])
    found = refs(*gadgets)
    Gadget.objects.all().delete()
    assert set(recorded()) == found


def test_rows_with_a_composite_key(use_feeds):
    use_feeds((Soft, item_feed(depends_on=["ratings"])))
    with muted():
        softs = [Soft.objects.create(code=code, title=code) for code in "AB"]
        for soft in softs:
            soft.ratings.create(source=1), soft.ratings.create(source=2)
    softs[0].ratings.all().delete()
    assert recorded() == list(refs(softs[0]))


@pytest.mark.parametrize("unread", [True, False], ids=["a queryset", "an instance"])
def test_law_10_what_the_database_deletes_by_itself(use_feeds, unread):
    """From Django 6.1 on no signal tells of such rows, nor does Django look at them."""
    use_feeds((Ware, item_feed(name="code", depends_on=["pallets__layers"])))
    with muted():
        wares = [Ware.objects.create(code=code) for code in "AB"]
        depots = [Depot.objects.create(name="d") for _ in wares]
        pallets = [ware.pallets.create(depot=depots[0]) for ware in wares]
        pallets[0].layers.create()
    if unread:
        Depot.objects.filter(pk=depots[0].pk).delete()
    else:
        depots[0].delete()
    assert set(recorded()) >= refs(*wares)
    assert not Pallet.objects.exists()
    depots[1].delete()
    assert recorded() == []
    [expected] = refs(wares[0])
    wares[0].delete()
    assert recorded() == [expected]


def test_orders_and_their_rows(use_feeds):
    """An order's own delete is nobody's business; one of a row that pays it is the order's."""
    feed = type("Orders", (OrderFeed,), {"order_value": 1, "is_paid": True, "depends_on": ["offers"]})
    use_feeds((Item, feed))
    with muted():
        orders = [item(code) for code in "ABC"]
        for order in orders:
            order.offers.create(name="x")
    Offer.objects.exclude(item=orders[2]).delete()
    assert set(recorded()) == {("order:shop.item", str(order.pk)) for order in orders[:2]}


def test_law_11_what_reads_a_deleted_row_is_recorded_unread(use_items):
    """A maker of 50,000 products is one statement more, and no key of theirs comes into memory."""
    use_items(tags="maker__name")
    with muted():
        maker = Maker.objects.create(name="m")
        Item.objects.bulk_create(Item(code=str(n), title="t", maker=maker) for n in range(1_200))
    sql = statements(maker.delete)
    ours = [each for each in sql if "neuroon" in each]
    assert len(ours) == (3 if connection.vendor == "mysql" else 1)
    assert len(recorded()) == 1_200


def test_law_01_a_set_that_cannot_be_recorded_raises_nothing_into_the_delete(
    use_items, monkeypatch, caplog
):
    use_items(tags="maker__name")
    with muted():
        maker = Maker.objects.create(name="m")
        item("A", maker=maker)

    def fail(*args: Any, **options: Any) -> None:
        raise FieldError("the shop's own queryset cannot be compiled")

    monkeypatch.setattr(ChangeQuerySet, "append_all", fail)
    maker.delete()
    assert not Maker.objects.exists()
    assert "change_not_recorded model=shop.item error=FieldError" in caplog.text


def test_law_01_django_reads_no_more_of_a_cascade_than_without_the_app(use_items):
    """Rows that are deleted unread stay unread, and of ours one row's columns are read per table."""
    use_items(depends_on=["offers__batches"])
    with muted():
        product = item("A")
        product.offers.create(name="x").batches.create(name="y")
    [ref] = refs(product)
    sql = statements(product.delete)
    whole = [each for each in sql if each.startswith("SELECT") and '"shop_batch"."name"' in each]
    assert whole == []
    assert recorded() == [ref]


def test_law_17_switched_off(use_items, settings):
    use_items(depends_on=["offers"])
    item("A").offers.create(name="x")
    settings.NEUROON_ENABLED = False
    recorded()
    assert not any("neuroon" in sql for sql in statements(Item.objects.all().delete))
    assert not Change.objects.exists()


def test_a_products_delete_reaches_neuroon(neuroon, flush, use_items):
    use_items(depends_on=["offers"], tags="maker__name")
    maker = Maker.objects.create(name="m")
    for code in "ABC":
        item(code, maker=maker).offers.create(name="x")
    flush()
    Item.objects.filter(code__in="AB").delete()
    maker.delete()
    flush()
    assert set(neuroon.products) == {"C"}
    assert "tags" not in neuroon.products["C"]
    assert Product.objects.count() == 0


@pytest.mark.parametrize("given", ["key", "object"])
def test_law_10_rows_that_a_delete_gives_to_another_product_change_it(use_items, monkeypatch, given):
    """As `SET_DEFAULT` and `SET` do."""
    use_items(depends_on=["offers"])
    product, other = item("A"), item("B")
    value = other if given == "object" else other.pk
    remote = Offer._meta.get_field("item").remote_field
    monkeypatch.setattr(remote, "on_delete", SET(lambda: value))
    product.offers.create(name="o")
    recorded()
    expected = refs(product, other)
    product.delete()
    assert expected <= set(recorded())
    assert [offer.name for offer in other.offers.all()] == ["o"]
