"""A hierarchy of dates as a filter: years, then the months of one, then the days of one.

Django's own reads the dates of all rows, a million of them for each page; this one reads the first
and the last, which an index has.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _


class PeriodFilter(admin.SimpleListFilter):
    """When orders were reported: "2026", "2026-11" or "2026-11-30"."""

    title = _("sent")
    parameter_name = "sent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """Return the years that there are or, beside the chosen period, its months or its days."""
        rows = model_admin.get_queryset(request).exclude(sent_at=None)
        ends = [rows.order_by(order).values_list("sent_at", flat=True).first() for order in ORDERS]
        if ends[0] is None:
            return []
        first, last = (_local(moment).date() for moment in ends)
        chosen = self.value() or ""
        found = _period(chosen)
        if found is None:
            return [(f"{year}", f"{year}") for year in range(last.year, first.year - 1, -1)]
        begin = found[0].replace(day=1)
        year = (f"{begin:%Y}", f"{begin:%Y}")
        if "-" not in chosen:
            months = (begin.replace(month=month) for month in range(1, 13))
            return [year, *(_month(day) for day in months if first.replace(day=1) <= day <= last)]
        days = (begin + timedelta(days=n) for n in range(31))
        some = [day for day in days if day.month == begin.month and first <= day <= last]
        named = [(f"{day}", formats.date_format(day, "MONTH_DAY_FORMAT")) for day in some]
        return [year, _month(begin), *named]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that were sent in the chosen period."""
        found = _period(self.value() or "")
        if found is None:
            return queryset
        begin, end = map(_midnight, found)
        return queryset.filter(sent_at__gte=begin, sent_at__lt=end)


ORDERS = ("sent_at", "-sent_at")


def _period(text: str) -> tuple[date, date] | None:
    """Return the first day of a period and the one after its last; None for what is no period."""
    parts = text.split("-")
    try:
        begin = date(*(int(part) for part in [*parts, "1", "1"][:3]))
        if len(parts) == 1:
            return begin, begin.replace(year=begin.year + 1)
        if len(parts) == 2:
            return begin, (begin + timedelta(days=31)).replace(day=1)
        return begin, begin + timedelta(days=1)
    except (ValueError, OverflowError):
        return None


def _month(day: date) -> tuple[str, str]:
    return f"{day:%Y-%m}", formats.date_format(day, "YEAR_MONTH_FORMAT")


def _midnight(day: date) -> datetime:
    moment = datetime(day.year, day.month, day.day)
    return timezone.make_aware(moment) if timezone.is_aware(timezone.now()) else moment


def _local(moment: datetime) -> datetime:
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment
