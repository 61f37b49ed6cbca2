"""Parents before children: a product that names a parent is sent once Neuroon has that one."""

from __future__ import annotations

import itertools

import pytest

from neuroon_django.models import Change, SyncedProduct, WaitingChild, waiting
from neuroon_django.testing import Sandbox
from tests.factories import current_shop
from tests.feeds_in_use import item_feed
from tests.shop.models import Item, Maker

pytestmark = pytest.mark.django_db(transaction=True)


def family(*codes: str) -> dict[str, Item]:
    """Create items of which each is the parent of the next; the last one has the lowest key."""
    items: dict[str, Item] = {}
    for code in reversed(codes):
        items[code] = Item.objects.create(code=code, title=code)
    for parent, child in itertools.pairwise(codes):
        Item.objects.filter(pk=items[child].pk).update(parent=items[parent])
    return items


def order_of_arrival(neuroon: Sandbox) -> list[str]:
    """Return the external ids in the order in which they were sent."""
    syncs = [request for request in neuroon.requests if request.endpoint == "sync"]
    return [external_id for request in syncs for external_id in request.external_ids]


WAYS = {
    "a lookup of the object": "parent",
    "a lookup of its id": "parent__code",
    "a method that gives the object": lambda feed, item: item.parent,
    "a method that gives its id": lambda feed, item: item.parent and item.parent.code,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize("first_sync", [True, False])
def test_parents_arrive_before_their_children(
    neuroon, flush, use_items, settings, way, first_sync, in_flight
):
    settings.NEUROON_IN_FLIGHT = in_flight
    settings.NEUROON_BATCH_SIZE = 2
    use_items(parent=WAYS[way])
    if not first_sync:
        flush()
    items = family("A", "B", "C")
    for item in items.values():
        Item.objects.get(pk=item.pk).save()
    statistics = flush()
    assert order_of_arrival(neuroon) == ["A", "B", "C"]
    sent = {code: product.get("parentExternalId") for code, product in neuroon.products.items()}
    assert sent == {"A": None, "B": "A", "C": "B"}
    assert set(SyncedProduct.objects.values_list("status", "last_error")) == {("synced", "")}
    assert statistics.rejected == 0
    assert not WaitingChild.objects.exists()


def test_a_parent_whose_earlier_version_neuroon_has_holds_no_child_back(neuroon, flush, use_items):
    use_items(parent="parent", name=lambda feed, item: item.title)
    items = family("A", "B")
    flush()
    parent, child = (Item.objects.get(pk=items[code].pk) for code in "AB")
    parent.title = ""
    parent.save()
    flush()
    assert SyncedProduct.objects.get(external_id="A").status == "rejected"
    child.title = "new"
    child.save()
    flush()
    assert neuroon.products["B"]["name"] == "new"


def test_however_many_wait_they_are_woken_by_pages(neuroon, use_items, monkeypatch):
    use_items(parent="parent__code")
    monkeypatch.setattr(waiting, "MOST", 3)
    shop = current_shop()
    WaitingChild.objects.note(shop, ((("shop.item", str(n)), "P") for n in range(8)))
    assert WaitingChild.objects.wake(shop)
    assert not WaitingChild.objects.exists()
    assert Change.objects.count() == 8
    assert not WaitingChild.objects.wake(shop)


def test_a_child_waits_while_its_parent_cannot_be_sent(neuroon, flush, use_items):
    """It is told why, and goes as soon as its parent is accepted."""
    use_items(parent="parent", name=lambda feed, item: item.title)
    items = family("A", "B")
    Item.objects.filter(pk=items["A"].pk).update(title="")
    flush()
    assert neuroon.products == {}
    assert SyncedProduct.objects.get(external_id="B").last_error == "its parent 'A' is rejected"
    items["A"].save()
    flush()
    assert order_of_arrival(neuroon) == ["A", "B"]
    assert neuroon.products["B"]["parentExternalId"] == "A"


@pytest.mark.parametrize("parent", ["nobody", "unlisted"])
def test_a_parent_that_never_comes_is_told(neuroon, flush, use_items, parent):
    use_items(parent=lambda feed, item: parent, is_listed=lambda feed, item: item.code != parent)
    Item.objects.create(code="unlisted", title="u")
    Item.objects.create(code="B", title="B")
    flush()
    row = SyncedProduct.objects.get(external_id="B")
    reasons = {
        "nobody": "its parent 'nobody' is no product of the shop's feeds",
        "unlisted": "its parent 'unlisted' is unlisted",
    }
    assert (row.status, row.last_error) == ("rejected", reasons[parent])
    flush()
    assert neuroon.products == {}


def test_parents_that_go_round_in_a_circle_end_the_run(neuroon, flush, use_items):
    use_items(parent="parent__code")
    items = family("A", "B")
    Item.objects.filter(pk=items["A"].pk).update(parent=items["B"])
    for _ in range(3):
        flush()
        for item in items.values():
            Item.objects.get(pk=item.pk).save()
    assert neuroon.products == {}
    assert all("parent" in row.last_error for row in SyncedProduct.objects.all())


def test_the_shops_route_has_no_parents_and_waits_for_none(neuroon, flush, use_items, settings):
    settings.NEUROON_PRODUCTS_API = "shops"
    use_items(parent="parent", sku="code", rating=4.5, review_count=3, attributes={"a": "b"})
    family("A", "B")
    flush()
    assert set(neuroon.products) == {"A", "B"}
    assert (
        neuroon.products["B"]
        .keys()
        .isdisjoint({"parentExternalId", "sku", "rating", "reviewCount", "attributes"})
    )


def test_a_parent_of_another_model_is_found_by_its_own_feed(neuroon, flush, use_feeds):
    """A feed's external id may be anything, such as one with a prefix."""
    maker = Maker.objects.create(name="M")
    Item.objects.create(code="A", title="A", maker=maker)
    makers = item_feed(external_id=lambda feed, one: f"m-{one.pk}", name="name")
    use_feeds((Item, item_feed(parent="maker")), (Maker, makers))
    flush()
    assert order_of_arrival(neuroon) == [f"m-{maker.pk}", "A"]
    assert neuroon.products["A"]["parentExternalId"] == f"m-{maker.pk}"
