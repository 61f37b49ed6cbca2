"""What search earned: kept when a report was accepted, summed by day and currency."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from neuroon_django.api.messages import ConversionItem, ConversionReport
from neuroon_django.models import Conversion, ConversionOutcomes
from neuroon_django.operations.earnings import earnings_of
from tests.factories import current_shop, make_order, make_product
from tests.shop.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


def test_values_are_kept_when_a_conversion_is_sent(neuroon, flush_orders):
    make_order("1", make_product("A"), None, total="75.50")
    flush_orders()
    row = Conversion.objects.get()
    assert (row.value, row.attributed_value, row.currency) == (Decimal("75.50"), Decimal(20), "EUR")
    assert row.clicks == ""


def test_what_was_refused_earned_nothing(neuroon, flush_orders):
    make_order("1", make_product("A"))
    neuroon.fault("status", status=422, endpoint="conversion")
    flush_orders()
    row = Conversion.objects.get()
    assert (row.status, row.value, row.currency) == ("rejected", None, "")
    assert earnings_of(current_shop()) == []


def test_sums_by_currency_and_day(neuroon, flush_orders):
    product = make_product("A")
    for n, currency in enumerate(["EUR", "EUR", "GBP", "EUR"]):
        order = make_order(str(n), product, total="100", status="open")
        Order.objects.filter(pk=order.pk).update(currency=currency, status="paid")
    flush_orders()
    old = timezone.now() - timedelta(days=31)
    Conversion.objects.filter(order_id="3").update(sent_at=old)
    euros, pounds = earnings_of(current_shop())
    assert (euros.currency, euros.orders, euros.attributed, euros.value) == ("EUR", 2, 40, 200)
    assert (pounds.currency, pounds.orders, pounds.attributed, pounds.value) == ("GBP", 1, 20, 100)
    assert len(euros.days) == 30
    assert [n for _day, n in euros.days] == [0] * 29 + [40]


def test_a_value_that_no_column_holds_is_left_out(neuroon):
    row = Conversion.objects.create(shop=current_shop(), key="1", lease="mine")
    line = ConversionItem(product_id="A", search_log_id="s", quantity=1, line_total=Decimal(10) ** 30)
    report = ConversionReport(
        order_id="1", order_value=Decimal(10) ** 30, currency="EUR", conversions=[line]
    )
    outcomes = ConversionOutcomes()
    outcomes.sent(row, report)
    assert Conversion.objects.settle(outcomes) == 1
    row.refresh_from_db()
    assert (row.status, row.value, row.attributed_value) == ("sent", None, None)
