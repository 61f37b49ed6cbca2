"""Deletes that are not simply answered: by Neuroon's own id, by its list, or told on the row."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from neuroon_django.api import Client
from neuroon_django.api.text import text_of
from neuroon_django.delivery import deletes
from neuroon_django.delivery.reconcile import Reconciliation
from neuroon_django.exceptions import Refused
from neuroon_django.models import ShopState, SyncedProduct, endpoint
from neuroon_django.operations.status import status_of
from neuroon_django.testing.sandbox import Fault
from tests.factories import current_shop, make_product, pauses
from tests.naming import case
from tests.operators.management.test_neuroon_reconcile import neuroon_reconcile, stray
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)

NOT_DELETED = Fault("shape", body={"deleted": False}, apply=False)


@pytest.fixture(autouse=True)
def _quick(monkeypatch) -> None:
    monkeypatch.setattr(endpoint, "FIRST_BACKOFF", 0.01)


def refusing(neuroon, fault: Fault, *, own_id_too: bool = False, has_list: bool = True) -> None:
    """Answer deletes by the plugin path with this fault, and those by Neuroon's own id perhaps."""

    def plan(call):
        if call.endpoint == "delete" and (call.plugin or own_id_too):
            return fault
        return Fault("status", status=404) if call.endpoint == "list" and not has_list else None

    neuroon.plan = plan


REFUSALS = [*(Fault("status", status=status) for status in (400, 405, 422, 500)), NOT_DELETED]


@pytest.mark.parametrize("fault", REFUSALS, ids=case)
@pytest.mark.parametrize("sku", ["A", "a/b", "50%", "x;y", "back\\slash", "ü 1", "?#"])
def test_a_refused_delete_goes_by_neuroons_own_id(neuroon, flush, fault, sku):
    make_product(sku)
    flush()
    own_id = neuroon.identify(sku)[0]
    Product.objects.get().delete()
    refusing(neuroon, fault)
    for _ in range(3):
        flush()
    deletes = [call.path for call in neuroon.requests_to("delete")]
    assert deletes[-1] == f"/api/shops/{neuroon.shop_id}/products/{own_id}"
    assert neuroon.products == {}
    assert not SyncedProduct.objects.exists()
    assert pauses() == {}


@pytest.mark.parametrize("fault", REFUSALS, ids=case)
@pytest.mark.parametrize("has_list", [True, False])
def test_a_delete_that_no_id_is_accepted_for_is_told_on_the_row(neuroon, flush, fault, has_list):
    for sku in ("A-1", "A-2"):
        make_product(sku)
    flush()
    Product.objects.all().delete()
    refusing(neuroon, fault, own_id_too=True, has_list=has_list)
    for _ in range(3):
        done = flush()
    rows = SyncedProduct.objects.all()
    assert {row.status for row in rows} == {"deleting"}
    assert len({row.last_error for row in rows}) == 1  # one outage, one line
    assert str(fault.status or "not deleted") in rows[0].last_error
    assert len(status_of(current_shop()).errors) == 1
    assert len(done.errors) <= 1
    neuroon.plan = None
    flush()
    assert neuroon.products == {}


@pytest.mark.parametrize("fault", [Fault("status", status=404), *REFUSALS], ids=case)
def test_what_the_list_does_not_show_is_gone(neuroon, flush, fault):
    make_product("A")
    flush()
    Product.objects.get().delete()
    neuroon.products.clear()
    ShopState.objects.update(route="shops" if fault.status == 404 else "plugin")
    with neuroon.faulty(**vars(fault), endpoint="delete"):
        for _ in range(3):
            flush()
    assert not SyncedProduct.objects.exists()
    assert pauses() == {}


def test_a_404_is_looked_up_as_long_as_the_route_is_not_known(neuroon, flush):
    make_product("A")
    flush()
    Product.objects.get().delete()
    ShopState.objects.update(route="")
    refusing(neuroon, Fault("status", status=404))
    flush()
    assert neuroon.requests_to("list")
    assert neuroon.products == {}
    assert not SyncedProduct.objects.exists()


@pytest.mark.parametrize(
    ("body", "gone"),
    [
        (None, True),
        ({"deleted": True}, True),
        ({}, True),
        ({"ok": 1}, True),
        ([1], True),
        ("bye", True),
        ({"deleted": False}, False),
        ({"deleted": "false"}, False),
        ({"deleted": 0}, False),
        ({"success": False}, False),
        ({"data": {"deleted": False}}, False),
    ],
    ids=case,
)
def test_a_2xx_means_gone_unless_it_says_otherwise(neuroon, flush, body, gone):
    make_product("A")
    flush()
    Product.objects.get().delete()
    fault = {"kind": "empty"} if body is None else {"kind": "shape", "body": body}
    with neuroon.faulty(**fault, endpoint="delete", apply=False):
        flush()
    assert SyncedProduct.objects.exists() is not gone
    assert bool(neuroon.requests_to("list")) is not gone


@pytest.mark.parametrize("external_id", ["", ".", ".."])
def test_law_07_an_id_that_would_change_the_path_never_goes_into_one(neuroon, external_id):
    with Client(**current_shop().config.client_options()) as client:
        for route in ("plugin", "shops"):
            with pytest.raises(Refused, match="cannot be in a path"):
                client.delete_product(external_id, route)
    assert neuroon.requests == []


@pytest.mark.parametrize("name", ["..", ".", "a/b", "x" * 255])
def test_law_07_what_only_neuroon_has_goes_whatever_its_id(neuroon, flush, name):
    for n in range(3):
        make_product(f"P-{n}")
    flush()
    stray(neuroon, name)
    own_id = neuroon.identify(name)[0]
    assert neuroon_reconcile("--fix")[1] is None
    last = neuroon.requests_to("delete")[-1].path.rpartition("/")[2]
    assert last == own_id if name in ("..", ".") else last != own_id
    assert name not in neuroon.products


@pytest.mark.parametrize("name", ["x" * 300, "nul\0", "\x1b[31m\u202e" + "x" * 300])
def test_law_18_an_id_that_fits_no_column_is_told_and_harms_nobody(neuroon, flush, name):
    for n in range(3):
        make_product(f"P-{n}")
    flush()
    body = {"externalId": name, "name": "\0" * 600, "price": 1, "url": "https://x.test/"}
    neuroon.products[name] = body
    out, failed = neuroon_reconcile("--fix")
    assert f"Only at Neuroon: {text_of(name)}\n" in out
    assert "nothing can be deleted by" in str(failed)
    assert all(line.isprintable() for line in [*out.splitlines(), str(failed)])
    assert not neuroon.requests_to("delete")
    assert SyncedProduct.objects.filter(status="synced").count() == 3


def test_a_list_is_asked_for_without_an_order(neuroon, flush):
    make_product("A")
    flush()
    neuroon_reconcile()
    assert [call.query for call in neuroon.requests_to("list")] == [{"page": "0", "size": "100"}]


def test_a_page_that_slips_while_the_list_is_read_deletes_nobody(neuroon, flush, settings):
    """The product goes from page two to page one between the two requests: it is not gone."""
    settings.NEUROON_PRODUCTS_API = "shops"
    for n in range(120):
        make_product(f"P-{n:03}")
    flush()
    Product.objects.get(sku="P-100").delete()

    def plan(call):
        if call.endpoint == "list" and "page=1" in call.path and "P-000" in neuroon.products:
            del neuroon.products["P-000"]
        missing = call.endpoint == "delete" and "/P-100" in call.path
        return Fault("status", status=404) if missing else None

    neuroon.plan = plan
    flush()
    assert len(neuroon.requests_to("list")) == 4
    assert "P-100" not in neuroon.products


def waits_of(row: SyncedProduct) -> timedelta:
    return row.due_at - timezone.now()


def test_law_09_a_task_reads_a_list_no_longer_than_it_may(neuroon, flush, monkeypatch):
    """What half of the list shows is used, what it does not show proves nothing: that is told."""
    for n in range(250):
        make_product(f"P-{n:03}")
    flush()
    Product.objects.filter(sku__in=["P-001", "P-240"]).delete()
    refusing(neuroon, NOT_DELETED)
    monkeypatch.setattr(deletes, "MAX_LISTING", -60.0)  # beyond the time that the task has
    in_time = time.monotonic() + 60
    for _ in range(2):
        flush(foreground=False, until=in_time)
    assert {"P-001", "P-240"} - neuroon.products.keys() == {"P-001"}
    row = SyncedProduct.objects.exclude(status="synced").get()
    assert (row.external_id, row.status, row.lease) == ("P-240", "deleting", "")
    assert "was not deleted; Neuroon's list is too long" in row.last_error
    assert len(neuroon.requests_to("list")) == 1
    flush()  # in the foreground the list is read to its end
    assert "P-240" not in neuroon.products
    assert not SyncedProduct.objects.exclude(status="synced").exists()


def test_law_09_the_list_is_read_less_and_less_often_for_one_odd_id(neuroon, flush):
    make_product("A")
    flush()
    Product.objects.get().delete()
    refusing(neuroon, NOT_DELETED, own_id_too=True)
    listings, waits = [], []
    for _ in range(5):
        neuroon.clear()
        flush(foreground=False)
        listings.append(len(neuroon.requests_to("list")))
        waits.append(waits_of(SyncedProduct.objects.get()))
        SyncedProduct.objects.update(due_at="2020-01-01T00:00:00Z")
    assert listings == [1, 1, 1, 1, 1]
    hours = [round(wait / timedelta(hours=1)) for wait in waits]
    assert hours == [1, 4, 16, 24, 24]


def test_reconcile_reads_no_further_than_the_list_goes(neuroon, flush):
    make_product("A")
    flush()
    pages = []
    with neuroon.faulty("shape", endpoint="list", body={"content": [], "totalPages": 10**8}):
        shop = current_shop()
        with Client(**shop.config.client_options()) as client:
            pages.extend(Reconciliation(shop, client)._pages())
    assert len(pages) == 1
