"""What somebody hostile tries in the admin: links, crafted forms, and what others named things."""

from __future__ import annotations

import csv
import io

import pytest
from django.urls import reverse

from neuroon_django.admin import buttons
from neuroon_django.models import Conversion, Endpoint, Run, ShopState, SyncedProduct
from tests.factories import another_shop, current_shop, make_order, make_product
from tests.operators.admin.pages import CONVERSIONS, OVERVIEW, PRODUCTS

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
MODELS = (SyncedProduct, Conversion, ShopState, Endpoint, Run)


def everything() -> list[list[dict[str, object]]]:
    return [list(model.objects.order_by("pk").values()) for model in MODELS]


def row_url(row: SyncedProduct) -> str:
    return reverse("admin:neuroon_django_syncedproduct_act", args=[row.pk])


@pytest.fixture
def rejected(neuroon, flush) -> SyncedProduct:
    make_product("A")
    make_product("B", price=None)
    flush()
    neuroon.requests.clear()
    return SyncedProduct.objects.get(status="rejected")


def test_nothing_is_done_by_a_link(rejected, neuroon, operator):
    before = everything()
    for button in buttons.BUTTONS:
        operator.get(reverse(OVERVIEW), {button: "1", "confirmed": "1"})
    for act in ("send_now", "retry", "remove", "ask"):
        assert operator.get(row_url(rejected), {"act": act, "confirmed": "1"}).status_code == 403
        query = {"action": act, "_selected_action": rejected.pk, "confirmed": "1"}
        operator.get(reverse(PRODUCTS), query)
    assert everything() == before
    assert neuroon.requests == []


@pytest.mark.parametrize("names", [(), ("view_syncedproduct",), ("view_shopstate", "change_shopstate")])
def test_nothing_is_done_without_permission(rejected, neuroon, person, names):
    client, before = person(*names), everything()
    for act in ("send_now", "retry", "remove", "ask"):
        data = {"act": act, "confirmed": "1"}
        assert client.post(row_url(rejected), data).status_code == 403
        data = {"action": act, "_selected_action": rejected.pk, "confirmed": "1", "index": "0"}
        client.post(reverse(PRODUCTS), data)
    for button in ("retry", "retry_orders"):
        assert client.post(reverse(OVERVIEW), {button: "1"}).status_code == 403
    assert everything() == before
    assert neuroon.requests == []


def test_nothing_is_done_by_a_form_of_another_site(rejected, person):
    client = person("view_shopstate", "change_shopstate", "change_syncedproduct", csrf=True)
    before = everything()
    assert client.post(reverse(OVERVIEW), {"retry": "1"}).status_code == 403
    assert client.post(row_url(rejected), {"act": "retry"}).status_code == 403
    assert everything() == before


@pytest.mark.parametrize("across", ["0", "1"])
def test_a_row_outside_of_the_filter_or_the_shops_is_not_reached(rejected, operator, across):
    other = another_shop("former", "https://api.neuroon.ai")
    far = SyncedProduct.objects.create(shop=other, key="x", external_id="FAR", in_neuroon=True)
    synced = SyncedProduct.objects.get(external_id="A")
    before = everything()[0]
    data = {"action": "remove", "_selected_action": [synced.pk, far.pk], "index": "0"}
    data |= {"confirmed": "1", "select_across": across}
    operator.post(f"{reverse(PRODUCTS)}?status__exact=pending", data)
    assert operator.post(row_url(far), {"act": "remove", "confirmed": "1"}).status_code == 404
    assert everything()[0] == before
    operator.post(reverse(PRODUCTS), data)
    assert SyncedProduct.objects.get(pk=far.pk).status == "pending"
    assert SyncedProduct.objects.get(pk=synced.pk).status == "deleting"


def test_a_crafted_kind_is_none(rejected, operator):
    data = {"retry": "1", "kind": "shopstate"}
    assert operator.post(reverse(OVERVIEW), data).status_code == 404


def test_names_and_answers_are_text_on_every_page(neuroon, flush, flush_orders, operator):
    product = make_product("X")
    type(product).objects.filter(pk=product.pk).update(title=SCRIPT)
    order = make_order("1", product)
    flush()
    flush_orders()
    SyncedProduct.objects.update(last_error=SCRIPT, status="rejected", external_id=SCRIPT)
    Conversion.objects.update(last_error=SCRIPT, status="rejected", order_id=SCRIPT)
    shop = current_shop()
    Endpoint.objects.filter(shop=shop).update(reason=SCRIPT, status=403, failures=1)
    ShopState.objects.update(scan_warning=SCRIPT, fold_error=SCRIPT, verified_domain=SCRIPT)
    run = Run.objects.first()
    Run.objects.update(reason=SCRIPT)
    row, report = SyncedProduct.objects.get(), Conversion.objects.get()
    assert run and order
    pages = [
        reverse(OVERVIEW),
        reverse(PRODUCTS),
        reverse(CONVERSIONS),
        reverse("admin:neuroon_django_run_changelist"),
        reverse("admin:neuroon_django_syncedproduct_change", args=[row.pk]),
        reverse("admin:neuroon_django_conversion_change", args=[report.pk]),
        reverse("admin:shop_product_change", args=[product.pk]),
    ]
    for page in pages:
        html = operator.get(page, {"error": SCRIPT} if "error" in page else {}).content.decode()
        assert "&lt;script&gt;" in html, page
        assert "<script>alert" not in html and "<img src=x" not in html, page
    data = {"action": "remove", "_selected_action": [row.pk], "index": "0"}
    SyncedProduct.objects.update(in_neuroon=True)
    asked = operator.post(reverse(PRODUCTS), data).content.decode()
    assert "&lt;script&gt;" in asked and "<script>alert" not in asked


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t=", "\r=", "\n=", "＝", "＋", "－", "＠"])
def test_no_cell_of_an_export_is_a_formula(rejected, operator, begin):
    SyncedProduct.objects.update(last_error=f'{begin}HYPERLINK("http://evil")')
    answer = operator.get(f"{reverse(PRODUCTS)}export/")
    text = b"".join(answer.streaming_content).decode()
    for line in [*csv.DictReader(io.StringIO(text, newline=""))]:
        assert line["last_error"].startswith("'")
