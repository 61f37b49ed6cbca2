"""What nobody needs any more is deleted; how long a change has waited is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from neuroon_django import tasks
from neuroon_django.delivery import fold_all, pruning
from neuroon_django.models import Change, Conversion, ShopState, SyncedProduct
from neuroon_django.operations.status import status_of
from tests.factories import current_shop, make_order, make_product, place, recorded
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)


def test_changes_that_wait_for_a_key_are_bounded_and_a_scan_stands_for_the_rest(
    neuroon, flush, settings, monkeypatch, caplog
):
    monkeypatch.setattr(pruning, "MOST_CHANGES", 5)
    make_product("A")
    flush()
    settings.NEUROON_API_KEY = ""
    product = Product.objects.get()
    product.title = "Changed"
    product.save()
    order = make_order("1001", product)  # its clicks are in no table of the shop's
    Change.objects.append([("old.gadget", "1")])
    Change.objects.append([("shop.product", "9")] * 20)
    tasks.flush_products()
    left = dict.fromkeys(recorded())
    assert list(left) == [
        ("order:shop.order", str(order.pk)),
        ("old.gadget", "1"),
        ("shop.product", "9"),
    ]
    assert "changes_pruned count=" in caplog.text
    settings.NEUROON_API_KEY = neuroon.api_key
    tasks.flush_products()
    assert neuroon.products["A"]["name"] == "Changed"


def test_a_scan_deletes_old_orders_that_nothing_was_clicked_for(neuroon, flush, flush_orders, settings):
    settings.NEUROON_KEEP_CLICKS = 30
    product = make_product("A")
    make_order("old", product, searched=False), make_order("new", product, searched=False)
    make_order("sent", product), place("clicked", sku="A")
    flush(), flush_orders()
    Conversion.objects.exclude(order_id="new").update(created_at=timezone.now() - timedelta(days=31))
    ShopState.objects.request_scan(current_shop().pk)
    flush()
    assert sorted(Conversion.objects.values_list("order_id", flat=True)) == ["clicked", "new", "sent"]


def test_a_change_is_as_old_when_it_is_folded_as_before(neuroon, flush):
    make_product("A")
    moment = timezone.now() - timedelta(hours=1)
    Change.objects.update(created_at=moment)
    fold_all(current_shop())
    assert SyncedProduct.objects.get().waiting_since == moment
    assert status_of(current_shop()).oldest == moment
    flush()
    half, _ = status_of(current_shop()).index_times
    assert half is not None and 3_600 <= half < 3_600 * 2**0.5 * 1.01
    product = Product.objects.get()
    product.save()
    Change.objects.update(created_at=moment)
    fold_all(current_shop())
    assert SyncedProduct.objects.get().waiting_since == moment
