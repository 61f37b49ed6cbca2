"""A list as a CSV file: what is in it, how much it costs, and that no spreadsheet runs it."""

from __future__ import annotations

import csv

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from neuroon_django.admin.export import PAGE
from neuroon_django.models import SyncedProduct
from tests.factories import current_shop, make_order, make_product

pytestmark = pytest.mark.django_db(transaction=True)

PRODUCTS = "/admin/neuroon_django/syncedproduct/export/"


def lines(answer) -> list[list[str]]:
    assert answer.streaming and answer["Content-Type"] == "text/csv"
    return list(csv.reader(b"".join(answer.streaming_content).decode().splitlines()))


def test_the_filtered_list(neuroon, flush, reader):
    make_product("A")
    make_product("B", price=None)
    flush()
    answer = reader.get(PRODUCTS, {"error": "no price"})
    assert answer["Content-Disposition"] == 'attachment; filename="synced-products.csv"'
    [head, row] = lines(answer)
    assert head == ["status", "external_id", "object_name", "last_error", "failed_at", "synced_at"]
    assert row[:4] == ["rejected", "B", "Product B", "no price"]
    assert len(row[4]) == len("2026-11-30 01:02:03") and row[5] == ""
    assert len(lines(reader.get(PRODUCTS))) == 3


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_cell_is_a_formula(neuroon, reader, start):
    text = f"{start}HYPERLINK(1)"
    SyncedProduct.objects.create(shop=current_shop(), key="1", external_id=text, last_error=text)
    [_head, row] = lines(reader.get(PRODUCTS))
    assert row[1] == row[3] == f"'{text}"


def test_it_costs_so_many_queries_a_page(neuroon, reader):
    shop, counts = current_shop(), []
    for n in (10, PAGE, 2 * PAGE):
        SyncedProduct.objects.all().delete()
        rows = (
            SyncedProduct(shop=shop, key=f"{i}", model="shop.product", object_pk=f"{i}")
            for i in range(n)
        )
        SyncedProduct.objects.bulk_create(rows, batch_size=500)
        with CaptureQueriesContext(connection) as captured:
            assert len(lines(reader.get(PRODUCTS))) == n + 1
        counts.append(len(captured))
    assert counts[1] - counts[0] <= 1  # the page that is empty
    assert counts[2] - counts[1] <= 8


def test_orders_with_what_they_were_worth(neuroon, flush_orders, reader):
    make_order("1001", make_product("A"), total="1234.50")
    flush_orders()
    [_head, row] = lines(reader.get("/admin/neuroon_django/conversion/export/"))
    assert row[:5] == ["sent", "1001", "1234.50", "20.00", "EUR"]


def test_who_may_not_look(neuroon, person):
    assert person().get(PRODUCTS).status_code == 403
