"""The list of orders, and the page of one: what became of its report, and what it was worth."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy, ngettext_lazy

from neuroon_django.admin.detail import RowPage
from neuroon_django.admin.lists import Act
from neuroon_django.admin.periods import PeriodFilter
from neuroon_django.admin.rows import ErrorFilter, FeedFilter, ShopFilter
from neuroon_django.admin.words import number
from neuroon_django.delivery.orders import report_rows
from neuroon_django.feeds import registry
from neuroon_django.models import Conversion
from neuroon_django.recording.wakeup import ORDERS

QUEUED = ngettext_lazy("%(n)s order is queued.", "%(n)s orders are queued.", "count")


@admin.register(Conversion)
class ConversionAdmin(RowPage):
    """What became of each order's report."""

    list_display = ["state", "order_id", "error", "from_search", "order_value", "when"]
    list_display_links = ["order_id"]
    list_filter = ["status", PeriodFilter, ShopFilter, FeedFilter, ErrorFilter]
    search_fields = ["order_id"]
    search_help_text = gettext_lazy("The beginning of an order id, or an order's primary key")
    fields = (
        "state",
        "order_id",
        "shop_object",
        "order_value",
        "from_search",
        "answers",
        "due_at",
        "created_at",
        "payload",
    )
    readonly_fields = fields
    exported = (
        "status",
        "order_id",
        "value",
        "attributed_value",
        "currency",
        "last_error",
        "failed_at",
        "sent_at",
    )
    task = ORDERS
    feeds = staticmethod(registry.orders)
    acts = {
        "send_now": Act(
            gettext_lazy("Sync now"), lambda rows: rows.requeueable(), lambda r: r.requeue(), QUEUED
        ),
        "retry": Act(
            gettext_lazy("Retry"),
            lambda rows: rows.filter(status="rejected").requeueable(),
            lambda r: r.requeue(),
            QUEUED,
        ),
    }

    @admin.display(description=gettext_lazy("value"), ordering="value", empty_value="")
    def order_value(self, row: Conversion) -> str | None:
        """Return what the order was worth when it was reported."""
        return _amount(row.value, row.currency)

    @admin.display(description=gettext_lazy("from search"), ordering="attributed_value", empty_value="")
    def from_search(self, row: Conversion) -> str | None:
        """Return the value of the lines that a search led to."""
        return _amount(row.attributed_value, row.currency)

    def rendered(self, row: Conversion) -> object:
        """Return what the order is now."""
        return report_rows(row.shop, [row])[row.pk]

    def accepted_at(self, row: Conversion) -> Any:
        """Return when Neuroon accepted the report."""
        return row.sent_at


def _amount(value: Any, currency: str) -> str | None:
    return None if value is None else f"{number(value, 2)} {currency}"
