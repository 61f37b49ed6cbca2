"""The admin's lists: what they show, filter, find and change, and who may use them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.admin.views.main import ChangeList
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from neuroon_django import clicks
from neuroon_django.admin.rows import COUNTED, object_link
from neuroon_django.conf import conf
from neuroon_django.delivery import fold
from neuroon_django.feeds import registry
from neuroon_django.models import Conversion, ShopState, SyncedProduct
from neuroon_django.operations.status import status_of
from tests.factories import current_shop, make_product
from tests.operators.admin.pages import CONVERSIONS, OVERVIEW, PRODUCTS, SHOP_PRODUCTS, act, cells
from tests.shop.models import Order, Product

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_list_shows_state_object_and_error(neuroon, flush, operator):
    good, bad = make_product("A"), make_product("B", price=None)
    flush()
    answer = operator.get(reverse(PRODUCTS))
    assert [row[:4] for row in cells(answer)] == [
        ["rejected", "B", "Product B", "no price"],
        ["synced", "A", "Product A", "-"],
    ]
    html = answer.content.decode()
    assert f'<a href="/admin/shop/product/{good.pk}/change/">Product A</a>' in html
    assert f'<a href="/admin/shop/product/{bad.pk}/change/">Product B</a>' in html
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
        ({"q": "duct a-"}, {"A-1", "A-2"}),
        ({"q": "nothing"}, set()),
    ],
)
def test_filters_and_search(neuroon, flush, operator, query, found):
    make_product("A-1")
    make_product("A-2", price=None)
    make_product("B-1", price="-1")
    flush()
    answer = operator.get(reverse(PRODUCTS), query)
    assert {row[1] for row in cells(answer)} == found


def test_the_filter_names_the_shops_feeds(neuroon, flush, operator):
    html = operator.get(reverse(PRODUCTS)).content.decode()
    assert "CatalogueFeed (product)" in html


@pytest.mark.parametrize("query", ["error=no+price", "feed=shop.order"])
def test_a_filter_that_offers_nothing_any_more_holds_back_an_action_for_all(
    neuroon, flush, operator, query
):
    make_product("A"), make_product("B")
    flush()
    url = f"{reverse(PRODUCTS)}?{query}"
    data = {"action": "remove", "_selected_action": [row.pk for row in SyncedProduct.objects.all()]}
    answer = operator.post(url, data | {"select_across": "1", "index": "0"}, follow=True)
    output = [str(message) for message in answer.context["messages"]]
    assert output == ["0 products will be removed from Neuroon."]
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
    output = [text for text, _n in status_of(shop).errors]
    assert sorted(output) == ["deleting!", "pending!", "rejected!"]
    answer = operator.get(reverse(PRODUCTS), {"error": "deleting!"})
    assert [row[1] for row in cells(answer)] == ["deleting"]
    offered = answer.context["cl"].filter_specs[-1].lookup_choices
    assert sorted(text for text, _shown in offered) == sorted(output)


def test_search_by_the_products_own_key(neuroon, flush, operator):
    make_product("A")
    product = make_product("B")
    flush()
    assert cells(operator.get(reverse(PRODUCTS), {"q": product.pk}))[0][1] == "B"


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
    assert f"LIMIT {COUNTED + 1}" in counts[0]
    # Once the database has its statistics, a page is read from the table's end and no further.
    with connection.cursor() as cursor:
        table = "TABLE " if connection.vendor == "mysql" else ""
        cursor.execute(f"ANALYZE {table}{SyncedProduct._meta.db_table}")
    plan = lists[-1].queryset[: lists[-1].list_per_page].explain()
    assert not re.search("TEMP B-TREE|Sort|filesort", plan), plan
    if connection.vendor == "sqlite":  # which keeps them, for the plans of later tests
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM sqlite_stat1")
            cursor.execute("ANALYZE sqlite_schema")


@pytest.mark.parametrize("url", [PRODUCTS, CONVERSIONS, OVERVIEW])
def test_who_may_not_look(neuroon, person, url):
    assert person().get(reverse(url)).status_code == 403
    assert Client().get(reverse(url)).status_code == 302


@pytest.mark.parametrize(
    ("url", "action"),
    [(PRODUCTS, a) for a in ("send_now", "retry", "remove")]
    + [(CONVERSIONS, a) for a in ("send_now", "retry")],
)
def test_who_may_look_may_not_act(neuroon, flush, reader, url, action):
    make_product("A")
    flush()
    Order.objects.create(number="1")
    fold(current_shop())
    model = SyncedProduct if url == PRODUCTS else Conversion
    before = list(model.objects.values())
    assert f'value="{action}"' not in reader.get(reverse(url)).content.decode()
    data = {"action": action, "_selected_action": [row["id"] for row in before]}
    reader.post(reverse(url), data)
    assert list(model.objects.values()) == before


@pytest.mark.parametrize(
    ("url", "data"),
    [
        (PRODUCTS, {"action": "send_now"}),
        (PRODUCTS, {"action": "retry"}),
        (PRODUCTS, {"action": "remove"}),
        (CONVERSIONS, {"action": "send_now"}),
        (CONVERSIONS, {"action": "retry"}),
        (OVERVIEW, {"resume": "1"}),
        (OVERVIEW, {"scan": "1"}),
        (OVERVIEW, {"verify": "1"}),
        (SHOP_PRODUCTS, {"action": "sync_to_neuroon"}),
    ],
)
def test_csrf(neuroon, person, url, data):
    names = ("syncedproduct", "conversion", "shopstate", "product")
    client = person(*(f"{verb}_{name}" for name in names for verb in ("view", "change")), csrf=True)
    assert client.post(reverse(url), data).status_code == 403


@pytest.mark.parametrize("name", ["syncedproduct", "conversion", "shopstate"])
def test_nobody_adds_edits_or_deletes(neuroon, flush, admin_client, name):
    make_product("A")
    flush()
    for page in ("add/", "1/delete/"):
        assert admin_client.get(f"/admin/neuroon_django/{name}/{page}").status_code in (302, 403, 404)
    row = SyncedProduct.objects.get()
    url = reverse("admin:neuroon_django_syncedproduct_change", args=[row.pk])
    assert admin_client.post(url, {"external_id": "Z"}).status_code == 403


def test_sync_now_sends_again_what_is_known(neuroon, flush, operator):
    make_product("A"), make_product("B")
    flush()
    neuroon.clear()
    rows = SyncedProduct.objects.filter(external_id="A")
    assert act(operator, PRODUCTS, "send_now", rows) == ["1 product is queued."]
    flush(foreground=False)
    assert [r.external_ids for r in neuroon.sync_requests] == [("A",)]


def test_retry_takes_the_rejected_only(neuroon, flush, operator):
    make_product("A")
    make_product("B", price=None)
    flush()
    assert act(operator, PRODUCTS, "retry", SyncedProduct.objects.all()) == ["1 product is queued."]
    assert SyncedProduct.objects.get(external_id="B").status == "pending"
    assert SyncedProduct.objects.get(external_id="A").status == "synced"


def test_remove_takes_out_what_neuroon_has(neuroon, flush, operator):
    make_product("A")
    make_product("B", price=None)
    flush()
    output = act(operator, PRODUCTS, "remove", SyncedProduct.objects.all(), confirmed="1")
    assert output == ["1 product will be removed from Neuroon."]
    flush()
    assert neuroon.products == {}
    assert SyncedProduct.objects.get(external_id="A").status == "unlisted"


def test_actions_cost_the_same_for_one_and_for_all(neuroon, flush, operator):
    for n in range(150):
        make_product(f"P-{n:03}")
    flush()
    counts = []
    for across in ("0", "1"):  # of many it is asked first
        with CaptureQueriesContext(connection) as captured:
            output = act(
                operator,
                PRODUCTS,
                "send_now",
                SyncedProduct.objects.all()[:1],
                select_across=across,
                index="0",
                confirmed="1",
            )
        counts.append(len(captured))
    assert output == ["150 products are queued."]
    assert counts[0] == counts[1]


def test_conversions_are_sent_again(neuroon, flush_orders, operator):
    product = make_product("A")
    token = clicks.current.set('{"A": "search-1"}')
    order = Order.objects.create(number="1001", total=Decimal("20"), status="paid")
    order.lines.create(product=product, quantity=2, total=Decimal("20"))
    clicks.current.reset(token)
    neuroon.fault("status", status=422, endpoint="conversion")
    flush_orders()
    assert Conversion.objects.get().status == "rejected"
    assert act(operator, CONVERSIONS, "retry", Conversion.objects.all()) == ["1 order is queued."]
    flush_orders(foreground=False)
    assert list(neuroon.conversions) == ["1001"]
    assert act(operator, CONVERSIONS, "send_now", Conversion.objects.all()) == ["0 orders are queued."]


def test_one_rows_page_shows_the_payload_as_it_would_be_sent_now(neuroon, flush, operator):
    product = make_product("A")
    flush()
    Product.objects.update(title="<b>New</b>")
    row = SyncedProduct.objects.get()
    answer = operator.get(reverse("admin:neuroon_django_syncedproduct_change", args=[row.pk]))
    html = answer.content.decode()
    assert "&quot;name&quot;: &quot;&lt;b&gt;New&lt;/b&gt;&quot;" in html
    assert "&quot;price&quot;: 10.00" in html
    assert 'name="_save"' not in html
    product.stockrecords.all().delete()
    assert "no price" in operator.get(answer.wsgi_request.path).content.decode()
    product.delete()
    assert operator.get(answer.wsgi_request.path).status_code == 200
    assert neuroon.api_key not in html


@pytest.mark.parametrize("object_pk", ["abc", ""])
@pytest.mark.parametrize("model", [SyncedProduct, Conversion])
def test_the_page_of_a_row_whose_object_has_no_such_key(neuroon, operator, model, object_pk):
    label = "shop.product" if model is SyncedProduct else "shop.order"
    row = model.objects.create(shop=current_shop(), key="k", model=label, object_pk=object_pk)
    Conversion.objects.update(clicks='{"A": "1"}')
    url = reverse(f"admin:neuroon_django_{model._meta.model_name}_change", args=[row.pk])
    answer = operator.get(url)
    assert answer.status_code == 200
    assert '<div class="readonly">nothing</div>' in answer.content.decode()


def test_a_key_of_any_text_leads_to_its_object():
    row = SyncedProduct(model="shop.product", object_pk="a_5Fb/c")
    assert 'href="/admin/shop/product/a_5F5Fb_2Fc/change/"' in object_link(row, "admin")


def test_a_conversions_page(neuroon, flush_orders, operator):
    product = make_product("A")
    token = clicks.current.set('{"A": "search-1"}')
    order = Order.objects.create(number="1001", total=Decimal("20"))
    order.lines.create(product=product, quantity=2, total=Decimal("20"))
    clicks.current.reset(token)
    flush_orders()
    assert cells(operator.get(reverse(CONVERSIONS)))[0][:2] == ["waiting for payment", "1001"]
    row = Conversion.objects.get()
    url = reverse("admin:neuroon_django_conversion_change", args=[row.pk])
    assert "searchLogId" not in operator.get(url).content.decode()  # it is not paid
    Order.objects.update(status="paid")
    answer = operator.get(url)
    assert "&quot;searchLogId&quot;: &quot;search-1&quot;" in answer.content.decode()


@pytest.fixture
def two_shops(neuroon, settings):
    """Two shops at one Neuroon, each with a product of its own."""
    key, url = neuroon.api_key, neuroon.url
    settings.NEUROON_SHOP_ID = settings.NEUROON_API_KEY = ""
    settings.NEUROON_SHOPS = {
        alias: {"SHOP_ID": f"shop_{alias}", "API_KEY": key, "API_URL": url} for alias in ("es", "uk")
    }
    for alias, config in conf.shops().items():
        shop = ShopState.objects.for_config(config)
        values = {"shop": shop, "key": alias, "status": "synced"}
        SyncedProduct.objects.create(external_id=f"P-{alias}", model="shop.product", **values)
        Conversion.objects.create(order_id=f"O-{alias}", model="shop.order", **values)


@pytest.mark.parametrize(("url", "letter"), [(PRODUCTS, "P"), (CONVERSIONS, "O")])
def test_law_20_lists_show_all_shops_and_each(two_shops, operator, url, letter):
    answer = operator.get(reverse(url))
    assert {row[1] for row in cells(answer)} == {f"{letter}-es", f"{letter}-uk"}
    assert {row[-1] for row in cells(answer)} == {"es", "uk"}
    assert "?shop=uk" in answer.content.decode()
    assert {row[1] for row in cells(operator.get(reverse(url), {"shop": "uk"}))} == {f"{letter}-uk"}


def test_law_20_the_pages_of_one_shop(two_shops, operator):
    for name in ("run_changelist", "shopstate_preview"):
        url = reverse(f"admin:neuroon_django_{name}")
        assert operator.get(url, {"shop": "uk"}).status_code == 200
    html = operator.get(reverse(OVERVIEW), {"shop": "uk"}).content.decode()
    assert "shop_uk · " in html and '<a href="?shop=uk" aria-current="page">uk</a>' in html
    assert "shop_es · " in operator.get(reverse(OVERVIEW)).content.decode()
    operator.post(f"{reverse(OVERVIEW)}?shop=uk", {"scan": "1"})
    row = SyncedProduct.objects.get(external_id="P-uk")
    page = reverse("admin:neuroon_django_syncedproduct_change", args=[row.pk])
    assert operator.get(page).status_code == 200


def test_law_20_actions_keep_to_the_shop_that_is_shown(two_shops, operator):
    row = SyncedProduct.objects.get(external_id="P-uk")
    data = {"action": "send_now", "_selected_action": [row.pk], "select_across": "1", "index": "0"}
    operator.post(f"{reverse(PRODUCTS)}?shop=uk", data)
    statuses = dict(SyncedProduct.objects.values_list("external_id", "status"))
    assert statuses == {"P-es": "synced", "P-uk": "pending"}


PERIODS = {
    "": ({"1", "2", "3"}, ["2026", "2025"]),
    "2025": ({"1"}, ["2025", "2025-12"]),
    "2026": ({"2", "3"}, ["2026", "2026-01", "2026-02"]),
    "2026-02": ({"2"}, ["2026", "2026-02", "2026-02-01"]),
    "2026-02-01": ({"2"}, ["2026", "2026-02", "2026-02-01"]),
    "2026-13": ({"1", "2", "3"}, ["2026", "2025"]),
    "x-y": ({"1", "2", "3"}, ["2026", "2025"]),
}


@pytest.mark.parametrize("chosen", [*PERIODS])
def test_orders_by_year_month_and_day(neuroon, operator, chosen):
    shop = current_shop()
    sent = {"1": (2025, 12, 31, 10), "2": (2026, 1, 31, 23), "3": (2026, 1, 1, 0)}
    for number, parts in sent.items():
        moment = datetime(*parts, tzinfo=UTC)  # an hour later in Madrid
        Conversion.objects.create(shop=shop, key=number, order_id=number, status="sent", sent_at=moment)
    answer = operator.get(reverse(CONVERSIONS), {"sent": chosen} if chosen else {})
    found, offered = PERIODS[chosen]
    assert {row[1] for row in cells(answer)} == found
    [period] = [s for s in answer.context["cl"].filter_specs if getattr(s, "title", "") == "sent"]
    assert [value for value, _text in period.lookup_choices] == offered
