"""`mark_changed`: whatever a shop has at hand, in one statement."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.functional import SimpleLazyObject

from neuroon_django import mark_changed, muted
from neuroon_django.models import Change
from tests.factories import recorded
from tests.feeds_in_use import item_feed
from tests.shop.models import (
    Gadget,
    Item,
    ItemProxy,
    Maker,
    MakerProxy,
    Offer,
    Order,
    Tool,
    Unrelated,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(use_items) -> list[Item]:
    """Four items, of which A and B have a maker and A an offer; nothing is recorded yet."""
    use_items(tags="maker__name", depends_on=["offers__seller"])
    with muted():
        maker = Maker.objects.create(name="m")
        items = [Item.objects.create(code=code, title=code) for code in "ABCD"]
        Item.objects.filter(code__in="AB").update(maker=maker)
        items[0].offers.create(name="offer")
    return items


def inserts(action) -> int:
    with CaptureQueriesContext(connection) as captured:
        action()
    ours = [query["sql"] for query in captured if "neuroon" in query["sql"]]
    assert all(sql.startswith("INSERT INTO") for sql in ours)
    return len(ours)


def named(*items: Item) -> list[tuple[str, str]]:
    return sorted(("shop.item", str(item.pk)) for item in items)


WAYS = {
    "an instance": (lambda items: items[0], "A"),
    "a list": (lambda items: items[:3], "ABC"),
    "a generator": (lambda items: (item for item in items), "ABCD"),
    "nothing": (lambda items: [], ""),
    "a queryset": (lambda items: Item.objects.filter(code__in="BC"), "BC"),
    "no rows": (lambda items: Item.objects.none(), ""),
    "an order": (lambda items: Item.objects.order_by("-title", "maker__name"), "ABCD"),
    "a slice": (lambda items: Item.objects.order_by("code")[1:3], "BC"),
    "a union": (
        lambda items: (
            Item.objects.order_by()
            .filter(code="A")
            .union(Item.objects.order_by().filter(code__in="AD"))
        ),
        "AD",
    ),
    "a related manager's queryset": (lambda items: Maker.objects.get().items.all(), "AB"),
    "joins that double": (
        lambda items: Item.objects.filter(maker__items__code__in="AB").exclude(code="D"),
        "AB",
    ),
    "values": (lambda items: Item.objects.filter(code="A").values("title"), "A"),
    "only": (lambda items: Item.objects.filter(code="A").only("title"), "A"),
    "related": (lambda items: Item.objects.filter(code="A").select_related("maker"), "A"),
    "locked": (lambda items: Item.objects.filter(code="A").select_for_update(), "A"),
}


@pytest.mark.parametrize("way", WAYS)
def test_products_are_marked_by_one_statement(shop, way):
    ask, codes = WAYS[way]
    with transaction.atomic():
        assert inserts(lambda: mark_changed(ask(shop))) <= 1
    assert sorted(recorded()) == named(*(item for item in shop if item.code in codes))


def test_anything_that_products_hang_on_can_be_marked(shop, neuroon, flush):
    flush()
    neuroon.clear()
    Maker.objects.update(name="changed")
    mark_changed(Maker.objects.all())
    flush()
    assert [set(request.external_ids) for request in neuroon.sync_requests] == [{"A", "B"}]


@pytest.mark.parametrize("one", [True, False])
def test_rows_that_point_to_a_product_can_be_marked(shop, looked_at, flush, one):
    flush()
    mark_changed(Offer.objects.get() if one else Offer.objects.all())
    assert looked_at() == {"A"}


def test_law_16_kin_by_proxy_and_by_table_is_marked(use_items):
    use_items(tags="agent__name")
    with muted():
        maker = Maker.objects.create(name="m")
        tool = Tool.objects.create(code="T", title="T")
    mark_changed(maker)
    mark_changed(MakerProxy.objects.get())
    proxy = ("shop.makerproxy", str(maker.pk))
    assert recorded() == [proxy, proxy]
    mark_changed([tool, ItemProxy.objects.get()])
    assert recorded() == named(tool, tool)


def test_a_lazy_object_is_marked_as_what_it_stands_for(shop):
    """As `request.user` is one, where products hang on users."""
    maker = Maker.objects.get()
    mark_changed(SimpleLazyObject(lambda: maker))
    mark_changed([SimpleLazyObject(lambda: shop[0])])
    assert recorded() == [("shop.maker", str(maker.pk)), *named(shop[0])]


def test_uuids_are_found_again(use_feeds, neuroon, flush):
    use_feeds((Gadget, item_feed(name="code")))
    with muted():
        for code in "AB":
            Gadget.objects.create(code=code)
    mark_changed(Gadget.objects.filter(code="A"))
    mark_changed(Gadget.objects.get(code="B"))
    flush()
    assert set(neuroon.products) == {"A", "B"}


def test_a_list_is_written_500_to_a_statement(use_items):
    use_items()
    with muted():
        items = Item.objects.bulk_create(Item(code=str(n), title="t") for n in range(1200))
    items = list(Item.objects.all())
    assert inserts(lambda: mark_changed(items)) == 3
    assert inserts(lambda: mark_changed(Item.objects.all())) == 1
    assert Change.objects.count() == 2400


def test_what_no_feed_reads_is_not_marked(shop):
    mark_changed(Unrelated.objects.create(name="u"))
    mark_changed(Unrelated.objects.all())
    mark_changed(Item(code="unsaved"))
    assert recorded() == []


def test_orders_are_marked_as_orders():
    with muted():
        order = Order.objects.create(number="1")
    mark_changed(order)
    mark_changed(Order.objects.all())
    rows = Change.objects.values_list("model", "object_pk")
    assert list(rows) == [("order:shop.order", str(order.pk))] * 2


def test_law_17_nothing_is_marked_while_muted_or_off(shop, settings):
    with muted():
        mark_changed(shop)
        mark_changed(Item.objects.all())
    settings.NEUROON_ENABLED = False
    mark_changed(Item.objects.all())
    assert recorded() == []
