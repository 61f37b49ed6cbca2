"""Change rows to due rows: by pages, by whoever comes next, and when ids move between products."""

from __future__ import annotations

import importlib
import itertools

import pytest
from django.db import connection, transaction

from neuroon_django import mark_changed, muted
from neuroon_django.delivery import fold, fold_all
from neuroon_django.models import Change, ShopState, SyncedProduct
from tests.factories import current_shop
from tests.feeds_in_use import item_feed
from tests.shop.models import Gadget, Item, ItemProxy, Label, Maker, Voucher

pytestmark = pytest.mark.django_db(transaction=True)

folding = importlib.import_module(
    "neuroon_django.delivery.fold"
)  # the package has its verb by that name


def items(count: int, **values: object) -> list[Item]:
    with muted():
        Item.objects.bulk_create(Item(code=f"C{n:05}", title=f"T{n}", **values) for n in range(count))
    return list(Item.objects.order_by("pk"))


def due() -> set[str]:
    return set(SyncedProduct.objects.waiting().values_list("external_id", flat=True))


def test_a_big_brand_is_one_insert_and_folded_by_pages(use_items, monkeypatch, flush, neuroon):
    use_items(brand="maker__name", tags="labels__name")
    monkeypatch.setattr(folding, "PAGE", 300)
    maker = Maker.objects.create(name="m")
    items(2000, maker=maker)
    mark_changed(Item.objects.all())
    flush()
    neuroon.clear()
    maker.name = "changed"
    maker.save()
    assert Change.objects.count() == 1
    pages = []
    shop = current_shop()
    while fold(shop):
        pages.append((Change.objects.count(), len(due())))
    assert pages == [(1, 300), (1, 600), (1, 900), (1, 1200), (1, 1500), (1, 1800), (0, 2000)]
    flush()
    sent = [name for request in neuroon.sync_requests for name in request.external_ids]
    assert len(sent) == len(set(sent)) == 2000


def test_a_page_may_end_between_two_paths(use_feeds, monkeypatch, looked_at):
    """Several feeds and several paths to one object: each is walked once, to its end."""
    use_feeds(
        (Item, item_feed(brand="maker__name", tags="agent__name")),
        (Voucher, item_feed(external_id="key", brand="maker__name")),
    )
    monkeypatch.setattr(folding, "PAGE", 2)
    with muted():
        maker = Maker.objects.create(name="m")
        for n in range(3):
            Item.objects.create(code=f"M{n}", title="t", maker=maker)
            Item.objects.create(code=f"A{n}", title="t", agent_id=maker.pk)
            Voucher.objects.create(key=f"V:{n}", title="t", maker=maker)
        Item.objects.create(code="none", title="t")
    maker.save()
    assert looked_at() == {f"M{n}" for n in range(3)} | {f"A{n}" for n in range(3)} | {
        f"V:{n}" for n in range(3)
    }


def test_law_02_a_worker_killed_between_pages_leaves_the_rest_to_the_next(use_items, monkeypatch):
    use_items(brand="maker__name")
    monkeypatch.setattr(folding, "PAGE", 10)
    maker = Maker.objects.create(name="m")
    items(35, maker=maker)
    maker.save()
    shop = current_shop()
    assert fold(shop)
    assert len(due()) == 10

    class Killed(BaseException):
        pass

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(folding, "_assign", die)
        fold(shop)
    assert len(due()) == 10
    row = Change.objects.get()
    assert row.after_pk.endswith(f":{Item.objects.order_by('pk')[9].pk}")
    fold_all(shop)
    assert len(due()) == 35
    assert not Change.objects.exists()


def test_a_change_during_the_expansion_begins_it_anew(use_items, monkeypatch):
    use_items(brand="maker__name")
    monkeypatch.setattr(folding, "PAGE", 10)
    maker = Maker.objects.create(name="m")
    items(15, maker=maker)
    maker.save()
    shop = current_shop()
    fold(shop)
    maker.save()
    fold_all(shop)
    revisions = SyncedProduct.objects.order_by("external_id").values_list("revision", flat=True)
    assert list(revisions) == [2] * 15


def test_an_expansion_whose_path_is_gone_after_a_deploy_begins_anew(use_items, looked_at):
    use_items(brand="maker__name")
    maker = Maker.objects.create(name="m")
    items(3, maker=maker)
    Change.objects.all().delete()
    Change.objects.append([("shop.maker", maker.pk)])
    assert len(looked_at()) == 3


def test_names_that_are_no_keys_do_not_stop_the_fold(use_feeds, looked_at):
    use_feeds((Item, item_feed(brand="maker__name")), (Gadget, item_feed(name="code")))
    Change.objects.append(
        [
            ("shop.item", "abc"),
            ("shop.item", "9" * 30),
            ("shop.maker", "abc"),
            ("shop.maker", "-" + "9" * 30),
            ("shop.maker", "٣" * 5_000),
            ("shop.gadget", "7"),
            ("shop.unheard_of", "1"),
        ],
    )
    Item.objects.create(code="A", title="A")
    assert looked_at() == {"A"}
    assert [change.model for change in Change.objects.all()] == ["shop.unheard_of"]


def test_live_products_go_before_long_expansions(use_items, monkeypatch):
    use_items(brand="maker__name")
    monkeypatch.setattr(folding, "PAGE", 10)
    maker = Maker.objects.create(name="m")
    items(30, maker=maker)
    maker.save()
    shop = current_shop()
    fold(shop)
    Item.objects.create(code="LIVE", title="t")
    fold(shop)
    assert "LIVE" in due()
    assert Change.objects.count() == 1


# What becomes of ids, whichever order the changes are folded in


def one_at_a_time(monkeypatch) -> None:
    monkeypatch.setattr(folding, "MAX_CHANGES", 1)


@pytest.mark.parametrize("order", list(itertools.permutations("ABC")), ids="".join)
@pytest.mark.parametrize("at_once", [True, False], ids=["one-page", "across-pages"])
def test_law_07_a_chain_of_renames(neuroon, flush, use_items, monkeypatch, order, at_once):
    """A takes B's id, B takes C's, C takes A's."""
    use_items()
    if not at_once:
        one_at_a_time(monkeypatch)
    things = {code: Item.objects.create(code=code, title=code) for code in "ABC"}
    flush()
    with transaction.atomic():
        for code in "ABC":
            Item.objects.filter(code=code).update(code=f"-{code}")
        for code in order:
            things[code].code = {"A": "B", "B": "C", "C": "A"}[code]
            things[code].save()
    flush()
    assert {k: v["name"] for k, v in neuroon.products.items()} == {"A": "C", "B": "A", "C": "B"}
    rows = SyncedProduct.objects.order_by("external_id")
    assert list(rows.values_list("external_id", "status")) == [(c, "synced") for c in "ABC"]
    assert neuroon.overlaps == []


@pytest.mark.parametrize("at_once", [True, False], ids=["one-page", "across-pages"])
def test_law_07_a_swap(neuroon, flush, use_items, monkeypatch, at_once):
    use_items()
    if not at_once:
        one_at_a_time(monkeypatch)
    one, two = Item.objects.create(code="A", title="1"), Item.objects.create(code="B", title="2")
    flush()
    with transaction.atomic():
        Item.objects.filter(pk=one.pk).update(code="-")
        two.code, one.code = "A", "B"
        two.save()
        one.save()
    flush()
    assert {k: v["name"] for k, v in neuroon.products.items()} == {"A": "2", "B": "1"}
    assert SyncedProduct.objects.filter(status="synced").count() == 2


def test_law_07_a_rename_takes_the_old_id_out(neuroon, flush, use_items):
    use_items()
    item = Item.objects.create(code="OLD", title="t")
    flush()
    item.code = "NEW"
    item.save()
    flush()
    assert set(neuroon.products) == {"NEW"}
    assert [(row.external_id, row.status) for row in SyncedProduct.objects.all()] == [("NEW", "synced")]


def test_law_07_created_again_under_an_old_id(neuroon, flush, use_items):
    """Before and after the delete reached Neuroon."""
    use_items()
    Item.objects.create(code="A", title="first")
    flush()
    Item.objects.get().delete()
    Item.objects.create(code="A", title="second")
    flush()
    assert neuroon.products["A"]["name"] == "second"
    assert [request.method for request in neuroon.requests] == ["POST", "POST"]
    Item.objects.get().delete()
    flush()
    assert neuroon.products == {}
    Item.objects.create(code="A", title="third")
    flush()
    assert neuroon.products["A"]["name"] == "third"
    assert SyncedProduct.objects.get().status == "synced"


def twins() -> tuple[Voucher, Voucher]:
    """Two living products with one id: `title` is no unique column."""
    return (
        Voucher.objects.create(key="v1", title="SAME"),
        Voucher.objects.create(key="v2", title="SAME"),
    )


def statuses() -> dict[str, str]:
    return dict(SyncedProduct.objects.exclude(model="").values_list("object_pk", "status"))


@pytest.mark.parametrize("ending", ["deleted", "renamed", "left", "deleted_unseen", "renamed_unseen"])
def test_law_07_two_living_products_with_one_id(neuroon, flush, use_feeds, ending):
    """The first stays, the second is told who is first, and goes when that lets go."""

    def get_queryset(feed):
        return Voucher.objects.exclude(maker__name="hidden")

    use_feeds(
        (
            Voucher,
            item_feed(external_id="title", description="key", get_queryset=get_queryset),
        )
    )
    hidden = Maker.objects.create(name="hidden")
    first, second = twins()
    Voucher.objects.create(key="w", title="W")
    flush()
    assert neuroon.products["SAME"]["description"] == "v1"
    assert statuses() == {"v1": "synced", "v2": "rejected", "w": "synced"}
    row = SyncedProduct.objects.get(object_pk="v2")
    assert row.last_error == "'SAME' is the external id of shop.voucher v1 already"
    second.save()
    flush()
    assert statuses() == {"v1": "synced", "v2": "rejected", "w": "synced"}
    if ending == "deleted":
        first.delete()
    elif ending == "renamed":
        first.title = "OTHER"
        first.save()
    elif ending == "left":
        first.maker = hidden
        first.save()
    elif ending == "deleted_unseen":
        Voucher.objects.filter(key="v1")._raw_delete("default")
    else:
        Voucher.objects.filter(key="v1").update(title="OTHER")
    if ending.endswith("unseen"):
        ShopState.objects.request_scan(current_shop().pk)
    flush()
    assert neuroon.products["SAME"]["description"] == "v2"
    assert statuses()["v2"] == "synced"
    assert set(neuroon.products) == {"SAME", "W"} | ({"OTHER"} if "renamed" in ending else set())


def test_a_scan_leaves_two_products_with_one_id_as_they_are(neuroon, flush, use_feeds):
    use_feeds((Voucher, item_feed(external_id="title")))
    twins()
    flush()
    before = list(SyncedProduct.objects.order_by("pk").values())
    neuroon.clear()
    ShopState.objects.request_scan(current_shop().pk)
    tally = flush()
    assert tally.scanned == 2
    assert list(SyncedProduct.objects.order_by("pk").values()) == before
    assert neuroon.requests == []


def test_law_07_registering_another_model_hands_the_ids_over(neuroon, flush, use_feeds):
    """The feed moves from the model to a proxy of it: other labels, the same products."""
    use_feeds((Item, item_feed()))
    for code in "AB":
        Item.objects.create(code=code, title=code)
    flush()
    neuroon.clear()
    use_feeds((ItemProxy, item_feed()))
    ShopState.objects.request_scan(current_shop().pk)
    flush()
    assert set(neuroon.products) == {"A", "B"}
    owners = SyncedProduct.objects.order_by("external_id").values_list("model", "status")
    assert list(owners) == [("shop.itemproxy", "synced")] * 2
    assert [r for r in neuroon.requests if r.method == "DELETE"] == []


def test_law_03_any_number_of_changes_is_one_entry(neuroon, flush, use_items):
    use_items(tags="labels__name", brand="maker__name")
    maker, label = Maker.objects.create(name="m"), Label.objects.create(name="l")
    item = Item.objects.create(code="A", title="A", maker=maker)
    for n in range(10):
        item.labels.add(label)
        label.name = maker.name = f"n{n}"
        label.save()
        maker.save()
        item.labels.clear()
    flush()
    assert [request.external_ids for request in neuroon.sync_requests] == [("A",)]


def test_rows_stand_in_the_order_of_first_sight(use_items):
    use_items()
    made = items(30)
    seen = [*made[20:], *made[:20], made[25]]
    mark_changed(seen)
    fold_all(current_shop())
    rows = SyncedProduct.objects.order_by("pk").values_list("object_pk", flat=True)
    assert list(rows) == [str(item.pk) for item in dict.fromkeys(seen)]


def test_the_outbox_is_folded_in_a_constant_number_of_statements(
    use_items, django_assert_max_num_queries
):
    use_items()
    items(50)
    mark_changed(Item.objects.all())
    shop = current_shop()
    with django_assert_max_num_queries(14, connection=connection):
        fold_all(shop)
    assert len(due()) == 50
