"""Feeds and sources: lookups, methods and constants, what they join, and what exists for Neuroon."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.models import Count, F, Prefetch, Value
from django.test.utils import CaptureQueriesContext

from neuroon_django import register
from neuroon_django.api import messages
from neuroon_django.conf import conf
from neuroon_django.exceptions import ConfigurationError
from neuroon_django.feeds import Invalid, ProductSource, Rendered, payload_context, registry
from neuroon_django.feeds.declarations import PRODUCT_ENTRIES
from neuroon_django.feeds.registry import Registration
from neuroon_django.models import SyncedProduct
from tests.feeds_in_use import item_feed
from tests.shop.models import (
    Detail,
    Item,
    Label,
    Maker,
    Offer,
    Price,
    Seller,
    Shelf,
)


def source_of(**entries: object) -> ProductSource[Item]:
    return ProductSource(item_feed(**entries), Item, conf.shop())


def build(source: ProductSource[Item]) -> dict[str, dict[str, object]]:
    """Every product's payload by its external id, as a worker builds a batch."""
    pks = source.feed.get_queryset().values_list("pk", flat=True)
    found = list(source.render_many(map(str, pks)).values())
    assert {type(result) for result in found} <= {Rendered}, found
    return {result.external_id: messages.decode(result.payload) for result in found}


@pytest.mark.django_db
def test_lookups_go_along_relations_callables_and_properties(monkeypatch):
    maker = Maker.objects.create(name="Acme")
    item = Item.objects.create(code="A", title="chair", maker=maker)
    Detail.objects.create(item=item, name="oak")
    Price.objects.create(item=item, name="12.50")
    item.shelves.add(Shelf.objects.create(name="top"))
    monkeypatch.setattr(Maker, "shout", lambda self: self.name.upper(), raising=False)
    monkeypatch.setattr(Item, "label", property(lambda self: f"a {self.title}"), raising=False)
    entries = {
        "name": "label",
        "brand": "maker__shout",
        "description": "detail__name",
        "categories": "shelves__name",
        "tags": "price_set__name",
    }
    several = source_of(**entries, stock_quantity="price__pk").render_many([str(item.pk)])
    assert several == {
        str(item.pk): Invalid(
            "stock quantity: several values where one is expected; write a method that picks one"
        )
    }
    assert build(source_of(**entries))["A"] == {
        "externalId": "A",
        "name": "a chair",
        "price": 1,
        "currency": "EUR",
        "url": "https://mystore.com/",
        "brand": "ACME",
        "brands": ["ACME"],
        "description": "oak",
        "categories": ["top"],
        "tags": ["12.50"],
    }


@pytest.mark.django_db
def test_a_reverse_relation_may_be_named_as_in_lookups_or_as_the_attribute():
    """`price__name` and `price_set__name` are one path."""
    item = Item.objects.create(code="A", title="A")
    Price.objects.create(item=item, name="x")
    one, two = source_of(tags="price__name"), source_of(tags="price_set__name")
    assert build(one) == build(two)
    assert one.paths == two.paths
    assert build(one)["A"]["tags"] == ["x"]


@pytest.mark.django_db
def test_where_a_path_ends_early_there_is_nothing():
    Item.objects.create(code="A", title="A")
    source = source_of(
        brand="maker__country__name", description="detail__name", tags="offers__seller__name"
    )
    assert build(source)["A"].keys() == {"externalId", "name", "price", "currency", "url"}


@pytest.mark.django_db
def test_constants_are_values_or_anything_that_is_no_string():
    Item.objects.create(code="A", title="A")
    sent = build(source_of(brand=Value("EUR"), categories=["x", "y"], in_stock=False))["A"]
    assert (sent["brand"], sent["categories"], sent["inStock"]) == ("EUR", ["x", "y"], False)


@pytest.mark.django_db
def test_annotations_of_the_queryset_are_lookups(neuroon, flush, use_items, transactional_db):
    def get_queryset(feed):
        return Item.objects.annotate(offered=Count("offers"), alias=F("code"))

    use_items(get_queryset=get_queryset, external_id="alias", stock_quantity="offered")
    Item.objects.create(code="A", title="A").offers.create(name="o")
    flush()
    assert neuroon.products["A"]["stockQuantity"] == 1


# What sources have, and what feeds had before there were sources.
SOURCES = {name for name in dir(ProductSource) if not name.startswith("_")} | {"feed", "label"}
FORMER = {"payload", "related", "plan", "home", "present", "beyond", "mark", "ask"}
FREE = sorted((SOURCES | FORMER).difference(PRODUCT_ENTRIES))


@pytest.mark.django_db
@pytest.mark.parametrize("name", FREE)
def test_the_shops_methods_may_have_the_names_that_a_source_uses(name):
    Item.objects.create(code="A", title="A")

    def brand(feed, item):
        return getattr(feed, name)(item)

    source = source_of(brand=brand, **{name: lambda feed, item: f"own {item.code}"})
    assert build(source)["A"]["brand"] == "own A"


@pytest.mark.django_db
def test_law_11_a_batch_costs_a_constant_number_of_queries():
    def build_some(count: int) -> int:
        before = Item.objects.count()
        for n in range(count):
            item = Item.objects.create(
                code=f"{Item.objects.count()}",
                title="t",
                maker=Maker.objects.create(name=f"m{n}"),
            )
            seller = Seller.objects.create(name=f"s{n}")
            Offer.objects.create(item=item, name="o", seller=seller)
            Detail.objects.create(item=item, name="d")
            item.labels.add(Label.objects.create(name=f"l{n}"))
        source = source_of(
            brand="maker__country__name",
            tags="labels__group__name",
            categories="offers__seller__name",
            description="detail__name",
            depends_on=["notes", "twins", "offers__batches"],
        )
        with CaptureQueriesContext(connection) as captured:
            assert len(build(source)) == count + before
        return len(captured)

    build_some(1)  # Django asks for a content type once per process
    assert build_some(2) == build_some(20) == 8


@pytest.mark.django_db
def test_the_shops_own_prefetch_is_kept():
    """`get_queryset()` may load a relation in its own way."""
    item = Item.objects.create(code="A", title="A")
    for name in ("seen", "hidden"):
        item.offers.create(name=name)

    def get_queryset(feed):
        return Item.objects.prefetch_related(
            Prefetch("offers", queryset=Offer.objects.exclude(name="hidden"))
        )

    source = source_of(get_queryset=get_queryset, tags="offers__name")
    assert build(source)["A"]["tags"] == ["seen"]


IDS = {
    "a column": "code",
    "the key": "pk",
    "a path": "maker__name",
    "a path whose lookup has another name": "detail__name",
    "a path over many": "price__name",
    "a property of a related object": "maker__pk",
    "a method": lambda feed, item: item.code.lower(),
}


@pytest.mark.django_db
@pytest.mark.parametrize("way", IDS)
def test_law_07_the_row_has_the_name_that_the_payload_has(way):
    """The fold asks the database where it can, the payload asks the object: they agree."""
    maker = Maker.objects.create(name="Acme")
    item = Item.objects.create(code="A", title="A", maker=maker)
    Detail.objects.create(item=item, name="oak")
    source = source_of(external_id=IDS[way])
    external_ids = source.external_ids([item.pk])
    with payload_context(source.shop):
        loaded = source.load([item.pk])[str(item.pk)]
        assert external_ids == {str(item.pk): source.external_id_of(loaded)}
    assert bool(external_ids[str(item.pk)]) == (way != "a path over many")


# Leaving and coming back

LISTED = {
    "lookup": "title",
    "method": lambda feed, item: item.title != "",
    "path": "maker__name",
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", LISTED)
def test_law_07_unlisted_and_listed_again(neuroon, flush, use_items, way):
    use_items(name="code", is_listed=LISTED[way])
    maker = Maker.objects.create(name="m")
    item = Item.objects.create(code="A", title="yes", maker=maker)
    thing, name = (maker, "name") if way == "path" else (item, "title")
    flush()
    assert set(neuroon.products) == {"A"}
    for _ in range(2):
        setattr(thing, name, "")
        thing.save()
        flush()
        assert neuroon.products == {}
        assert SyncedProduct.objects.get().status == "unlisted"
        setattr(thing, name, "yes")
        thing.save()
        flush()
        assert set(neuroon.products) == {"A"}
        assert SyncedProduct.objects.get().status == "synced"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("listed", [False, Value(False), None])
def test_law_07_a_constant_lists_nothing(neuroon, flush, use_items, listed):
    use_items(is_listed=True)
    Item.objects.create(code="A", title="A")
    flush()
    use_items(is_listed=listed)
    Item.objects.get().save()
    Item.objects.create(code="B", title="B")
    flush()
    assert neuroon.products == {}
    assert set(SyncedProduct.objects.values_list("status", flat=True)) == {"unlisted"}


@pytest.mark.django_db(transaction=True)
def test_law_07_leaving_the_queryset_and_coming_back(neuroon, flush, use_items):
    use_items(get_queryset=lambda feed: Item.objects.exclude(title="hidden"))
    item = Item.objects.create(code="A", title="A")
    flush()
    item.title = "hidden"
    item.save()
    flush()
    assert neuroon.products == {}
    assert not SyncedProduct.objects.exists()
    item.title = "back"
    item.save()
    flush()
    assert neuroon.products["A"]["name"] == "back"


@pytest.mark.django_db(transaction=True)
def test_law_07_what_neuroon_never_had_is_not_deleted_there(neuroon, flush, use_items):
    use_items(is_listed="title")
    item = Item.objects.create(code="A", title="")
    flush()
    item.delete()
    flush()
    assert neuroon.requests == []
    assert not SyncedProduct.objects.exists()


# Registering


def test_law_16_registering_after_start_up_says_where_to_put_it():
    with pytest.raises(
        ImproperlyConfigured, match=r"neuroon\.py of an installed app: shop/neuroon\.py"
    ):
        register(Item)(item_feed())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("shop.Product",), r"from shop\.models import Product, then @register\(Product\)"),
        (("Product",), r"from <app>\.models import Product, then @register\(Product\)"),
        ((), r"Write @register\(Product\) above the feed"),
        ((item_feed(),), r"Write @register\(Product\) above class ItemFeed"),
        ((5,), r"@register\(5\) takes the shop's models"),
    ],
)
def test_registering_without_a_model_says_what_to_write(given, told):
    """A feed is given by `@register` without parentheses."""
    with pytest.raises(ConfigurationError, match=told):
        register(*given)


def test_a_class_that_is_no_feed_says_what_to_write():
    class Forgetful:
        pass

    with pytest.raises(ConfigurationError, match=r"Write class Forgetful\(ProductFeed\): or class"):
        register(Item)(Forgetful)


def test_two_feeds_for_one_model_are_noticed(use_feeds):
    one, two = item_feed(), item_feed()
    duplicates = list(registry.duplicates)
    try:
        use_feeds((Item, one), (Item, one), (Item, two))
        assert registry.duplicates[len(duplicates) :] == [Registration(Item, two)]
        assert registry.feeds == {"shop.item": Registration(Item, one)}
        assert type(registry.product_source("shop.item").feed) is one
    finally:
        registry.duplicates[:] = duplicates
