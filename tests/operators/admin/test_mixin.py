"""The mixin for the shop's own product admin: its column and its action."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from neuroon_django.admin import NeuroonProductAdminMixin
from neuroon_django.models import Change, SyncedProduct
from tests.factories import make_product
from tests.operators.admin.pages import SHOP_PRODUCTS, act

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_shops_own_list_has_a_state_column_in_one_query(neuroon, flush, operator):
    make_product("A")
    make_product("B", price=None)
    flush()
    with CaptureQueriesContext(connection) as few:
        html = operator.get(reverse(SHOP_PRODUCTS)).content.decode()
    row = SyncedProduct.objects.get(external_id="B")
    assert (
        f'<a href="/admin/neuroon_django/syncedproduct/{row.pk}/change/">'
        '<span class="neuroon-state neuroon-rejected">rejected</span></a>'
    ) in html
    for n in range(50):
        make_product(f"P-{n}")
    with CaptureQueriesContext(connection) as many:
        operator.get(reverse(SHOP_PRODUCTS))
    assert len(few) == len(many)


def test_without_permission_the_state_is_no_link(neuroon, flush, person):
    make_product("A")
    flush()
    html = person("view_product").get(reverse(SHOP_PRODUCTS)).content.decode()
    assert '<span class="neuroon-state neuroon-synced">synced</span>' in html
    assert "/admin/neuroon_django/" not in html
    assert "sync_to_neuroon" not in html


def test_sync_to_neuroon_marks_the_selection(neuroon, flush, operator):
    products = [make_product("A"), make_product("B")]
    flush()
    assert act(operator, SHOP_PRODUCTS, "sync_to_neuroon", products[:1]) == [
        "1 product is queued, and sent if it differs from what Neuroon has."
    ]
    assert [c.object_pk for c in Change.objects.all()] == [str(products[0].pk)]


def test_sync_to_neuroon_without_permission(neuroon, flush, reader):
    product = make_product("A")
    flush()
    data = {"action": "sync_to_neuroon", "_selected_action": [product.pk]}
    reader.post(reverse(SHOP_PRODUCTS), data)
    assert not Change.objects.exists()


def test_law_17_sync_to_neuroon_says_that_it_is_switched_off(neuroon, settings, operator):
    product = make_product("A")
    Change.objects.all().delete()
    settings.NEUROON_ENABLED = False
    output = act(operator, SHOP_PRODUCTS, "sync_to_neuroon", [product])
    assert output == ["Nothing was recorded: NEUROON_ENABLED is False."]
    assert not Change.objects.exists()


def test_a_mixin_of_the_shops_own():
    class ShopMixin(NeuroonProductAdminMixin):
        pass

    class ShopAdmin(ShopMixin, admin.ModelAdmin):
        actions = ["publish"]

    assert ShopAdmin.actions == ["publish", "sync_to_neuroon"]
