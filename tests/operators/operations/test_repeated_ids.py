"""Two products, or two feeds, with one external id: told before the first sync, and rejected after."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError
from django.db.models import Value
from django.db.models.functions import Lower

from neuroon_django import muted
from neuroon_django.conf import conf
from neuroon_django.models import SyncedProduct
from neuroon_django.operations.repeated_ids import repeated_ids
from tests.feeds_in_use import item_feed
from tests.operators.commands import run
from tests.shop.models import Brand, Coded, Item, Maker, Product
from tests.shop.neuroon import CatalogueFeed

pytestmark = pytest.mark.django_db(transaction=True)


def ended(command: str, *arguments: str) -> tuple[int, str]:
    """The exit code of a command, with what it prints and says at its end."""
    try:
        return 0, run(command, *arguments)
    except CommandError as error:
        return error.returncode, f"{error}"


def products(*skus: str) -> None:
    for sku in skus:
        Product.objects.create(sku=sku, title=sku).stockrecords.create(price=1)


def rows(**filters: Any) -> Any:
    """A feed's `get_queryset()` with these filters."""
    return lambda feed: Product.objects.annotate(lower=Lower("sku")).filter(**filters)


LOWER = {"external_id": "lower", "get_queryset": rows()}
WITHIN = {
    "a column": ({}, ["A", "A", "B"], ["'A'"]),
    "several": ({}, ["A", "A", "B", "B", "C", "C", "D", "D"], ["'A', 'B' and 'C'"]),
    "none": ({}, ["A", "B"], []),
    "empty ones": ({}, ["", "", "A"], []),
    "an annotation": (LOWER, ["A", "a"], ["'a'"]),
    "over a relation": ({"external_id": "brand__name"}, ["A", "B"], []),
    "left out by the queryset": ({"get_queryset": rows(pk__lt=0)}, ["A", "A"], []),
    "joined by the queryset": ({"get_queryset": rows(stockrecords__price__gt=0)}, ["A", "B"], []),
    "code alone can say": ({"external_id": lambda feed, product: product.sku}, ["A", "A"], []),
}


@pytest.mark.parametrize("case", WITHIN)
def test_products_of_one_feed(use_feeds, django_assert_num_queries, case):
    entries, skus, named = WITHIN[case]
    use_feeds((Product, type("Catalogue", (CatalogueFeed,), entries)))
    products(*skus)
    with django_assert_num_queries(0 if "code" in case else 1):
        told = list(repeated_ids(conf.shop()))
    assert told == [f"Catalogue: several products have the external id {ids}" for ids in named]


def feed(name: str, **entries: Any) -> type:
    return type(name, (item_feed(name="name"),), {"external_id": "pk"} | entries)


ACROSS = {
    "both at pk": ({}, "'1' and '2'"),
    "one by a method": ({"external_id": lambda feed, maker: maker.pk}, "'1' and '2'"),
    "one with a prefix": ({"external_id": lambda feed, maker: f"M{maker.pk}"}, ""),
    "another column": ({"external_id": "name"}, ""),
}


@pytest.mark.parametrize("case", ACROSS)
def test_products_of_two_feeds(use_feeds, case):
    entries, ids = ACROSS[case]
    use_feeds((Brand, feed("Brands")), (Maker, feed("Makers", **entries)))
    for pk in (1, 2):
        Brand.objects.create(pk=pk, name="b")
        Maker.objects.create(pk=pk, name=f"m{pk}")
    told = list(repeated_ids(conf.shop()))
    assert told == ([f"Brands and Makers: products of both have the external id {ids}"] if ids else [])


def test_verify_tells_them_before_anything_is_sent(neuroon, settings):
    settings.NEUROON_AUTO_SYNC = False
    products("A", "A", "B")
    code, printed = ended("neuroon_verify")
    assert "warning  feeds    CatalogueFeed: several products have the external id 'A'\n" in printed
    assert "→ Let external_id name what differs in all products; all but one" in printed
    assert code == 0


def test_a_dry_run_rejects_all_but_one(neuroon, settings):
    settings.NEUROON_AUTO_SYNC = False
    with muted():
        products("A", "B", "A", "A")
    reason = "'A' is the external id of another product already"
    _, first = ended("neuroon_sync", "--dry-run")
    assert first.count(f"reject A {reason}\n") == 2
    assert "Nothing was sent: 2 to send, 0 to delete, 2 to reject." in first
    ended("neuroon_sync")
    products("B")
    owners = dict(
        SyncedProduct.objects.filter(id_conflict=False).values_list("external_id", "object_pk")
    )
    _, second = ended("neuroon_sync", "--dry-run", "--scan")
    taken = f"'A' is the external id of shop.product {owners['A']} already"
    assert second.count(f"reject A {taken}\n") == 2
    assert f"reject B 'B' is the external id of shop.product {owners['B']} already\n" in second
    assert "Nothing was sent: 0 to send, 0 to delete, 3 to reject." in second


def test_a_dry_run_over_two_feeds(neuroon, settings, use_feeds):
    settings.NEUROON_AUTO_SYNC = False
    use_feeds((Item, item_feed()), (Coded, item_feed()))
    with muted():
        for model in (Item, Coded):
            model.objects.create(code="A", title="t")
    _, printed = ended("neuroon_sync", "--dry-run")
    assert "reject A 'A' is the external id of another product already\n" in printed
    assert "Nothing was sent: 1 to send, 0 to delete, 1 to reject." in printed


@pytest.mark.parametrize("options", [[], ["--fix"]])
def test_reconcile_counts_them(neuroon, settings, options):
    settings.NEUROON_AUTO_SYNC = False
    products("A", "A", "B")
    ended("neuroon_sync")
    code, told = ended("neuroon_reconcile", *options)
    assert (code, told) == (1, "1 product cannot be sent: another product has the same external id.")
    Product.objects.order_by("-sku", "-pk").filter(sku="A").last().delete()
    ended("neuroon_sync", "--retry")
    code, told = ended("neuroon_reconcile", *options)
    assert code == 0, told


def test_an_id_that_is_constant_is_everyones(use_feeds):
    use_feeds((Product, type("Catalogue", (CatalogueFeed,), {"external_id": Value("A")})))
    products("A", "B")
    assert list(repeated_ids(conf.shop())) == []  # the database cannot tell; a dry run does
