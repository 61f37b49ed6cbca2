"""The admin's lists: what they show, filter and find."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.views.main import ChangeList
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from neuroon_django.admin.rows import COUNTED
from neuroon_django.feeds import registry
from neuroon_django.models import ShopState, SyncedProduct
from neuroon_django.operations.status import status_of
from tests.factories import current_shop
from tests.operators.admin.pages import PRODUCTS, cells
from tests.operators.test_command_sync import make_product

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_list_shows_state_object_and_error(neuroon, flush, operator):
    good, bad = make_product("A"), make_product("B", price=None)
    flush()
    answer = operator.get(reverse(PRODUCTS))
    assert [row[:4] for row in cells(answer)] == [
        ["B", "rejected", "no price", f"product {bad.pk}"],
        ["A", "synced", "-", f"product {good.pk}"],
    ]
    html = answer.content.decode()
    assert f'<a href="/admin/shop/product/{good.pk}/change/">' in html
    assert '<span class="neuroon-state neuroon-rejected">rejected</span>' in html


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {"A-1", "A-2", "B-1"}),
        ({"status__exact": "rejected"}, {"A-2", "B-1"}),
        ({"status__exact": "synced"}, {"A-1"}),
        ({"feed": "shop.product"}, {"A-1", "A-2", "B-1"}),
        ({"feed": "shop.order"}, set()),
        ({"error": "no price"}, {"A-2"}),
        ({"q": "A"}, {"A-1", "A-2"}),
        ({"q": "nothing"}, set()),
    ],
)
def test_filters_and_search(neuroon, flush, operator, query, found):
    make_product("A-1")
    make_product("A-2", price=None)
    make_product("B-1", price="-1")
    flush()
    answer = operator.get(reverse(PRODUCTS), query)
    assert {row[0] for row in cells(answer)} == found


@pytest.mark.parametrize("query", ["error=no+price", "feed=shop.order"])
def test_a_filter_that_offers_nothing_any_more_holds_back_an_action_for_all(
    neuroon, flush, operator, query
):
    make_product("A"), make_product("B")
    flush()
    url = f"{reverse(PRODUCTS)}?{query}"
    data = {"action": "remove", "_selected_action": [row.pk for row in SyncedProduct.objects.all()]}
    answer = operator.post(url, data | {"select_across": "1", "index": "0"}, follow=True)
    assert "0 rows are queued." in [str(message) for message in answer.context["messages"]]
    assert {row.status for row in SyncedProduct.objects.all()} == {"synced"}
    name, value = query.replace("+", " ").split("=")
    [chosen] = [
        s for s in answer.context["cl"].filter_specs if getattr(s, "parameter_name", "") == name
    ]
    assert value in [text for text, _shown in chosen.lookup_choices]


def test_no_feed_offers_none_and_the_filter_holds(neuroon, flush, operator, monkeypatch):
    make_product("A")
    flush()
    monkeypatch.setattr(registry, "feeds", {})
    assert cells(operator.get(reverse(PRODUCTS), {"feed": "shop.order"})) == []


def test_the_error_filter_offers_what_the_overview_tells(neuroon, flush, operator):
    shop = current_shop()
    for key, status in enumerate(["rejected", "pending", "deleting", "synced", "pending"]):
        SyncedProduct.objects.create(
            shop=shop, key=key, external_id=status, status=status, last_error=f"{status}!" * (key < 4)
        )
    told = [text for text, _n in status_of(shop).errors]
    assert sorted(told) == ["deleting!", "pending!", "rejected!"]
    answer = operator.get(reverse(PRODUCTS), {"error": "deleting!"})
    assert [row[0] for row in cells(answer)] == ["deleting"]
    offered = answer.context["cl"].filter_specs[-1].lookup_choices
    assert sorted(text for text, _shown in offered) == sorted(told)


def test_search_by_the_products_own_key(neuroon, flush, operator):
    make_product("A")
    product = make_product("B")
    flush()
    assert cells(operator.get(reverse(PRODUCTS), {"q": product.pk}))[0][0] == "B"


def test_the_list_opens_in_a_constant_number_of_queries(neuroon, operator):
    shop = current_shop()

    lists: list[ChangeList] = []

    def opened() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            answer = operator.get(reverse(PRODUCTS))
            assert answer.status_code == 200
        lists.append(answer.context["cl"])
        return [query["sql"] for query in captured]

    def fill(start: int, stop: int) -> None:
        SyncedProduct.objects.bulk_create(
            [
                SyncedProduct(
                    shop=shop,
                    key=str(n),
                    external_id=f"P-{n}",
                    model="shop.product",
                    object_pk=str(n),
                    status="rejected" if n % 1000 == 0 else "synced",
                    last_error="no price" if n % 1000 == 0 else "",
                )
                for n in range(start, stop)
            ],
            batch_size=500,
        )

    fill(0, 300)
    few = opened()
    shops = f"FROM {connection.ops.quote_name(ShopState._meta.db_table)}"
    assert len([sql for sql in few if shops in sql]) == 1
    fill(300, COUNTED + 300)
    many = opened()
    assert len(few) == len(many)
    counts = [sql for sql in many if "COUNT(" in sql]
    assert len(counts) == 1
    assert f"LIMIT {COUNTED}" in counts[0]
    # Once the database has its statistics, a page is read from the table's end and no further.
    with connection.cursor() as cursor:
        table = "TABLE " if connection.vendor == "mysql" else ""
        cursor.execute(f"ANALYZE {table}{SyncedProduct._meta.db_table}")
    plan = lists[-1].queryset[: lists[-1].list_per_page].explain()
    assert not re.search("TEMP B-TREE|Sort|filesort", plan), plan
