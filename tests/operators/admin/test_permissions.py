"""Who may look at the admin's pages, and who may act."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from neuroon_django.delivery import fold
from neuroon_django.models import Conversion, SyncedProduct
from tests.factories import current_shop
from tests.operators.admin.pages import CONVERSIONS, OVERVIEW, PRODUCTS, SHOP_PRODUCTS
from tests.operators.test_command_sync import make_product
from tests.shop.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


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
