"""The page of one row: its buttons, what was answered, and what Neuroon has of it."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from neuroon_django.models import Conversion, SyncedProduct
from tests.factories import make_order, make_product
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)


def address(row, page: str = "act") -> str:
    return reverse(f"admin:neuroon_django_{row._meta.model_name}_{page}", args=[row.pk])


def press(client, row, act: str, **more: str) -> list[str]:
    answer = client.post(address(row), {"act": act, **more}, follow=True)
    assert answer.redirect_chain == [(address(row, "change"), 302)]
    return [str(message) for message in answer.context["messages"]]


@pytest.fixture
def row(neuroon, flush) -> SyncedProduct:
    make_product("A")
    flush()
    return SyncedProduct.objects.get()


def test_sync_now(row, flush, neuroon, operator):
    assert press(operator, row, "send_now") == ["1 product is queued."]
    neuroon.clear()
    flush(foreground=False)
    assert [r.external_ids for r in neuroon.sync_requests] == [("A",)]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.object_repr) == (str(row.pk), "A")
    html = operator.get(address(row, "change")).content.decode()
    assert "Done by people" in html and "1 product is queued." in html


def test_remove_asks_and_does(row, flush, neuroon, operator):
    html = operator.post(address(row), {"act": "remove"}).content.decode()
    assert "1 product will be removed from Neuroon." in html and "A · Product A" in html
    assert f'href="{address(row, "change")}"' in html
    assert press(operator, row, "remove", confirmed="1") == ["1 product will be removed from Neuroon."]
    flush()
    assert neuroon.products == {}


def test_the_buttons_are_those_that_do_something(row, flush, operator, reader):
    make_product("B", price=None)
    flush()
    rejected = SyncedProduct.objects.get(external_id="B")

    def buttons(client, row) -> list[str]:
        html = client.get(address(row, "change")).content.decode()
        return [name for name in ("send_now", "retry", "remove", "ask") if f'value="{name}"' in html]

    assert buttons(operator, row) == ["send_now", "remove", "ask"]
    assert buttons(operator, rejected) == ["send_now", "retry", "ask"]
    assert buttons(reader, row) == []


@pytest.mark.parametrize("act", ["send_now", "retry", "remove", "ask"])
def test_who_may_look_may_not_press(row, neuroon, reader, act):
    before, requests = list(SyncedProduct.objects.values()), len(neuroon.requests)
    assert reader.post(address(row), {"act": act, "confirmed": "1"}).status_code == 403
    assert list(SyncedProduct.objects.values()) == before and len(neuroon.requests) == requests


def test_what_is_no_button_or_no_row(row, operator):
    assert operator.get(address(row)).status_code == 403
    assert operator.post(address(row), {"act": "explode"}).status_code == 404
    assert operator.get(f"{address(row, 'change')}more/change/").status_code == 302
    row.delete()
    row.pk = 12345
    assert operator.post(address(row), {"act": "ask"}).status_code == 404


def test_what_neuroon_has(row, neuroon, operator):
    assert press(operator, row, "ask") == ["Neuroon has it as it would be sent now."]
    Product.objects.update(title="New")
    assert press(operator, row, "ask") == ["It differs: name is New here and Product A at Neuroon"]
    Product.objects.update(is_published=False)
    assert press(operator, row, "ask") == ["Neuroon has it, and nothing would be sent now."]
    neuroon.products.clear()
    assert press(operator, row, "ask") == ["Neuroon's list does not have it."]
    neuroon.fault("status", status=503, endpoint="list")
    [said] = press(operator, row, "ask")
    assert "503" in said
    assert neuroon.api_key not in said


def test_the_last_attempts_with_time_and_answer(row, flush, operator):
    page = operator.get(address(row, "change")).content.decode()
    assert "</time> accepted</li>" in page
    product = Product.objects.get()
    product.stockrecords.all().delete()
    product.save()
    flush()
    page = " ".join(operator.get(address(row, "change")).content.decode().split())
    answers = page.partition("neuroon-answers")[2].partition("</ul>")[0]
    assert answers.index("no price; Neuroon still shows the previous version") < answers.index(
        "accepted"
    )


def test_a_page_has_no_button_for_a_history_that_there_is_not(row, operator):
    assert "/history/" not in operator.get(address(row, "change")).content.decode()


def test_an_order_that_was_reported(neuroon, flush_orders, operator):
    make_order("1001", make_product("A"), total="1234.50")
    flush_orders()
    page = operator.get(address(Conversion.objects.get(), "change")).content.decode()
    assert "1,234.50 EUR" in page and "20.00 EUR" in page
    assert 'value="send_now"' not in page and 'value="ask"' not in page
