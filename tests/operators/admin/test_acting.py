"""What a press of a button does: a question first where it is dangerous, words, and a log entry."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from neuroon_django.admin.acting import MANY
from neuroon_django.admin.rows import COUNTED
from neuroon_django.models import Conversion, SyncedProduct
from tests.factories import current_shop, make_order, make_product
from tests.operators.admin.pages import CONVERSIONS, PRODUCTS, SHOP_PRODUCTS, act
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)


def fill(n: int, **values: object) -> None:
    """Make rows of products without products."""
    shop = current_shop()
    rows = (
        SyncedProduct(
            shop=shop,
            key=f"{i}",
            external_id=f"P-{i:05}",
            model="shop.product",
            object_pk=f"{i}",
            **values,
        )
        for i in range(n)
    )
    SyncedProduct.objects.bulk_create(rows, batch_size=1_000)


def press(client, action: str, query: str = "", **more: str):
    first = SyncedProduct.objects.first()
    data = {"action": action, "_selected_action": [first.pk], "select_across": "1", "index": "0"}
    return client.post(reverse(PRODUCTS) + query, data | more)


def test_select_all_over_a_filtered_list_asks_with_the_true_number(neuroon, operator):
    fill(COUNTED + 50, status="synced", in_neuroon=True)
    SyncedProduct.objects.filter(external_id__lt="P-00020").update(status="rejected", in_neuroon=False)
    html = operator.get(reverse(PRODUCTS), {"status__exact": "synced"}).content.decode()
    assert "more than 10,000 synced products" in " ".join(html.split())
    assert "Select all more than 10,000 synced products" in html
    query = "?status__exact=synced"
    answer = press(operator, "remove", query)
    html = " ".join(answer.content.decode().split())
    assert "<strong>10,030 products will be removed from Neuroon.</strong>" in html
    assert re.findall(r"<li>(.*?)</li>", html.partition("neuroon-examples")[2]) == [
        *(f"P-{n}" for n in range(10_049, 10_044, -1)),
        "… and 10,025 more",
    ]
    assert not SyncedProduct.objects.filter(status="deleting").exists()
    assert not LogEntry.objects.exists()
    given = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html))
    given.pop("csrfmiddlewaretoken")
    assert given.keys() == {"action", "_selected_action", "select_across", "index"}
    answer = operator.post(reverse(PRODUCTS) + query, {**given, "confirmed": "1"})
    assert (answer.status_code, answer["Location"]) == (302, reverse(PRODUCTS) + query)
    assert SyncedProduct.objects.filter(status="deleting").count() == COUNTED + 30
    entry = LogEntry.objects.get()
    assert entry.change_message == "10,030 products will be removed from Neuroon."
    assert entry.object_repr == "synced products"


@pytest.mark.parametrize("separated", [True, False])
def test_a_number_that_is_not_exact_is_not_shown_as_one(neuroon, operator, settings, separated):
    settings.USE_THOUSAND_SEPARATOR = separated
    settings.LANGUAGE_CODE = "es"
    fill(COUNTED + 1, status="synced")
    html = " ".join(operator.get(reverse(PRODUCTS)).content.decode().split())
    shown = re.findall(r"(más de 10\D000|10\D?00\d) productos sincronizados", html)
    assert shown and all(text.startswith("más de 10") for text in shown)


@pytest.mark.parametrize(("n", "asked"), [(MANY, False), (MANY + 1, True)])
def test_retry_over_many_asks(neuroon, operator, n, asked):
    fill(n, status="rejected", last_error="no price")
    answer = press(operator, "retry")
    assert (b"Are you sure?" in answer.content) is asked
    expected = "rejected" if asked else "pending"
    assert set(SyncedProduct.objects.values_list("status", flat=True)) == {expected}


@pytest.mark.parametrize(
    ("url", "action", "said"),
    [
        (PRODUCTS, "send_now", "1 product is queued."),
        (PRODUCTS, "retry", "0 products are queued."),
        (PRODUCTS, "remove", "1 product will be removed from Neuroon."),
        (CONVERSIONS, "send_now", "0 orders are queued."),
        (CONVERSIONS, "retry", "0 orders are queued."),
        (
            SHOP_PRODUCTS,
            "sync_to_neuroon",
            "1 product is queued, and sent if it differs from what Neuroon has.",
        ),
    ],
)
def test_every_action_is_in_the_log(neuroon, flush, flush_orders, operator, url, action, said):
    make_order("1", make_product("A"))
    flush()
    flush_orders()
    models = {PRODUCTS: SyncedProduct, CONVERSIONS: Conversion, SHOP_PRODUCTS: Product}
    assert act(operator, url, action, models[url].objects.all(), confirmed="1") == [said]
    entry = LogEntry.objects.get()
    assert (entry.change_message, entry.user.username) == (said, "staff10")
    assert entry.content_type.model_class() is models[url]


def test_who_may_not_act_is_not_asked(neuroon, flush, reader):
    make_product("A")
    flush()
    for more in ({}, {"confirmed": "1"}):
        press(reader, "remove", **more)
        assert SyncedProduct.objects.get().status == "synced"
    assert not LogEntry.objects.exists()
