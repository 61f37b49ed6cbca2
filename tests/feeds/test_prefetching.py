"""Relations to many are read as Django's own prefetch reads them, in fewer steps (laws 11 and 12)."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.db.models import Count, prefetch_related_objects
from django.test.utils import CaptureQueriesContext

from neuroon_django.conf import conf
from neuroon_django.feeds import ProductSource, payload_context
from neuroon_django.feeds.prefetching import PrefetchCache, prefetched_rows
from tests.feeds_in_use import item_feed
from tests.shop.models import (
    Colour,
    Country,
    Detail,
    Group,
    Item,
    Label,
    Maker,
    Note,
    Price,
    RankedTag,
    Seller,
    Shelf,
    Soft,
    SoftTag,
    Stock,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def items() -> list[Item]:
    """Three items with everything that can hang on one; links cross and have no order of keys."""
    made = [Item.objects.create(code=code, title=code) for code in "ABC"]
    labels = [Label.objects.create(name=n, group=Group.objects.create(name=f"g{n}")) for n in "zyx"]
    seller = Seller.objects.create(name="s")
    for number, item in enumerate(made):
        item.labels.add(*reversed(labels[number:]))
        item.shelves.add(Shelf.objects.create(name=f"shelf {number}"))
        item.twins.add(made[number - 1])
        item.extras.add(made[0])
        item.successors.add(made[2])
        for name in "ba":
            offer = item.offers.create(name=name, seller=seller)
            offer.colours.add(Colour.objects.create(name=f"{name}{number}"))
            Price.objects.create(item=item, name=name)
        Stock.objects.create(item=item, name="here")
        Detail.objects.create(item=item, name="d")
        Note.objects.create(
            name="n", content_type=ContentType.objects.get_for_model(Item), object_id=item.pk
        )
        item.maker = Maker.objects.create(name="m", country=Country.objects.create(iso=str(number)))
        item.save()
        made[0].variants.add(item) if number else None
    return made


PATHS = [
    "labels__name",
    "labels__group__name",
    "shelves__name",
    "twins__code",
    "extras__code",
    "fits__code",
    "successors__code",
    "predecessors__code",
    "offers__name",
    "offers__seller__name",
    "offers__colours__name",
    "price_set__name",
    "price__name",
    "stocks__name",
    "variants__labels__name",
    "notes__name",
    "maker__items__code",
]


def values_of(source: ProductSource[Any], name: str) -> dict[str, Any]:
    """Return what an entry says of every object of the shop."""
    pks = source.model._base_manager.values_list("pk", flat=True)
    with payload_context(source.shop):
        return {pk: source.value(name, one) for pk, one in source.load(pks).items()}


def source_of(model: type[models.Model] = Item, **entries: object) -> ProductSource[Any]:
    return ProductSource(item_feed(**entries), model, conf.shop())


@pytest.mark.parametrize("path", PATHS)
def test_law_12_lookups_give_what_an_unloaded_object_gives(items, path):
    source = source_of(tags=path)
    one_by_one = {str(item.pk): source.value("tags", item) for item in Item.objects.all()}
    assert values_of(source, "tags") == one_by_one
    assert any(one_by_one.values())


@pytest.mark.parametrize("path", PATHS)
def test_law_11_methods_find_what_lookups_have_prefetched(items, path):
    """Without naming it in `depends_on`: the relation was read for the lookup."""
    relation = path.split("__", maxsplit=1)[0].removesuffix("_set")

    def description(feed: object, item: Item) -> str:
        if relation == "maker":
            return str(sorted(one.code for one in item.maker.items.all()))
        manager = getattr(item, f"{relation}_set" if relation == "price" else relation)
        return str(sorted(str(one.pk) for one in manager.all()))

    source = source_of(tags=path, description=description)
    bare = {str(item.pk): description(None, item) for item in Item.objects.all()}
    with payload_context(source.shop):
        loaded = source.load([item.pk for item in items])
        with CaptureQueriesContext(connection) as captured:
            assert {pk: source.value("description", one) for pk, one in loaded.items()} == bare
            assert any(source.value("tags", one) for one in loaded.values())
    assert len(captured) == 0


def test_law_11_a_linked_object_is_one_instance(items):
    loaded = source_of(tags="labels__name").load([item.pk for item in items])
    rows = [row for item in loaded.values() for row in prefetched_rows(item, "labels") or []]
    assert (len(rows), len({id(row) for row in rows})) == (6, 3)


def test_managers_that_leave_rows_out_or_order_them_are_asked():
    soft = Soft.objects.create(code="A", title="A")
    soft.tags.add(
        SoftTag.objects.create(name="seen"), SoftTag.objects.create(name="gone", deleted=True)
    )
    for position, name in enumerate("cba"):
        soft.ranked.add(RankedTag.objects.create(name=name, position=-position))
    source = source_of(Soft, tags="tags__name", categories="ranked__name")
    assert values_of(source, "tags") == {str(soft.pk): ["seen"]}
    assert values_of(source, "categories") == {str(soft.pk): ["a", "b", "c"]}


class Counting(models.Manager[models.Model]):
    def get_queryset(self) -> models.QuerySet[models.Model]:
        return super().get_queryset().annotate(used=Count("items"))


class Prefetching(models.Manager[models.Model]):
    def get_queryset(self) -> models.QuerySet[models.Model]:
        return super().get_queryset().prefetch_related("items")


class Joining(models.Manager[models.Model]):
    def get_queryset(self) -> models.QuerySet[models.Model]:
        return super().get_queryset().select_related("group").defer("name")


@pytest.fixture
def labels_have(monkeypatch) -> Iterator[Callable[[type[models.Manager[Any]]], None]]:
    """Give labels another default manager; Django derives the relation's own from it once."""
    derived = vars(Item.labels)

    def use(manager_class: type[models.Manager[Any]]) -> None:
        manager = manager_class()
        manager.model, manager.name = Label, "objects"
        monkeypatch.setitem(vars(Label._meta), "default_manager", manager)
        derived.pop("related_manager_cls", None)

    yield use
    derived.pop("related_manager_cls", None)


@pytest.mark.parametrize("manager", [Counting, Prefetching, Joining])
def test_managers_with_queries_of_their_own_are_left_to_django(items, labels_have, manager):
    labels_have(manager)
    entries = {"tags": "labels__name", "categories": "labels__group__name"}
    if manager is Counting:
        entries["description"] = "labels__used"
    source = source_of(**entries)
    with payload_context(source.shop):
        [first] = source.load([items[0].pk]).values()
        assert sorted(source.value("tags", first)) == ["x", "y", "z"]
        assert sorted(source.value("categories", first)) == ["gx", "gy", "gz"]
        if manager is Counting:
            assert source.value("description", first) == [1, 1, 1]


# What shops' methods do with an object that was loaded


def loaded_item(items: list[Item]) -> Item:
    source = source_of(tags="labels__name", categories="offers__name")
    return source.load([items[0].pk])[str(items[0].pk)]


USES = {
    "the first": lambda item: str(item.offers.first().name),
    "an index": lambda item: item.labels.all()[1].name,
    "a filter": lambda item: [one.name for one in item.labels.filter(name="y")],
    "a filter of all": lambda item: [one.name for one in item.labels.all().filter(name="y")],
    "a count": lambda item: (item.labels.count(), item.offers.all().exists()),
    "an addition": lambda item: (item.labels.clear(), item.labels.count())[1],
    "a removal": lambda item: (item.offers.all().delete(), list(item.offers.filter()))[1],
    "one more prefetch": lambda item: (
        prefetch_related_objects([item], "labels__group"),
        [one.group.name for one in item.labels.all()],
    )[1],
    "a refresh of one": lambda item: (
        item.refresh_from_db(fields=["labels"]),
        len(item.labels.all()),
    )[1],
    "a refresh": lambda item: (item.refresh_from_db(), len(item.labels.all()))[1],
    "a copy": lambda item: [one.name for one in copy.copy(item).labels.all()],
    "a deep copy": lambda item: [one.name for one in copy.deepcopy(item).labels.all()],
    "a pickle": lambda item: [one.name for one in pickle.loads(pickle.dumps(item)).labels.all()],
    "the other way": lambda item: {one.item.code for one in item.offers.all()},
}


@pytest.mark.parametrize("use", USES)
def test_an_object_behaves_as_django_would_have_loaded_it(items, use):
    plain = Item.objects.prefetch_related("labels", "offers")
    given = USES[use](loaded_item(items))
    assert sorted_if_list(given) == sorted_if_list(USES[use](plain.get(pk=items[0].pk)))


def sorted_if_list(value: Any) -> Any:
    """Labels have no order of their own."""
    return sorted(value) if isinstance(value, list) else value


def test_the_page_is_freed_without_the_garbage_collector(items):
    [item] = source_of(tags="labels__name").load([items[0].pk]).values()
    cache = vars(item)["_prefetched_objects_cache"]
    assert type(cache) is PrefetchCache
    assert cache.instance() is item
    del item
    assert cache.instance() is None
    with pytest.raises(KeyError):
        cache["labels"]
