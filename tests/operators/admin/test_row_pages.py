"""The page of one row: what would be sent now, and the shop's object."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from neuroon_django import clicks
from neuroon_django.admin.rows import object_link
from neuroon_django.models import Conversion, SyncedProduct
from tests.factories import current_shop
from tests.operators.admin.pages import CONVERSIONS, cells
from tests.operators.test_command_sync import make_product
from tests.shop.models import Order, Product

pytestmark = pytest.mark.django_db(transaction=True)


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
    assert cells(operator.get(reverse(CONVERSIONS)))[0][:2] == ["1001", "waiting for payment"]
    row = Conversion.objects.get()
    url = reverse("admin:neuroon_django_conversion_change", args=[row.pk])
    assert "searchLogId" not in operator.get(url).content.decode()  # it is not paid
    Order.objects.update(status="paid")
    answer = operator.get(url)
    assert "&quot;searchLogId&quot;: &quot;search-1&quot;" in answer.content.decode()
