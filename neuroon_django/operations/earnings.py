"""What search earned: the values of the reported orders, by day and currency."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Case, Count, SmallIntegerField, Sum, When
from django.utils import timezone

from neuroon_django.models import Conversion, ShopState
from neuroon_django.operations.remembered import remembered

DAYS = 30


class Earned(NamedTuple):
    """What the orders of one currency were worth: the lines that a search led to, and all of them."""

    currency: str
    orders: int
    attributed: Decimal
    value: Decimal
    days: list[tuple[date, Decimal]]  # the attributed values of the last thirty days, oldest first


def earnings_of(shop: ShopState) -> list[Earned]:
    """Return what search earned in the last thirty days per currency, the most orders first."""
    today = timezone.localdate() if timezone.is_aware(timezone.now()) else date.today()
    days = [today - timedelta(days=n) for n in reversed(range(DAYS))]
    return remembered(f"earned:{shop.pk}:{today}", lambda: _earnings(shop, days))


def _earnings(shop: ShopState, days: list[date]) -> list[Earned]:
    begins = [_midnight(day) for day in days]
    # Not by status: SQLite would take its index, and read all orders that were ever sent.
    sent = Conversion.objects.of(shop).filter(sent_at__gte=begins[0])
    # By comparing with each midnight: SQLite makes a date of a moment by a call into Python.
    ends = [When(sent_at__lt=end, then=n) for n, end in enumerate(begins[1:])]
    day = Case(*ends, default=DAYS - 1, output_field=SmallIntegerField())
    grouped = sent.order_by().values_list("currency", day)
    facts = grouped.annotate(Count("pk"), Sum("attributed_value"), Sum("value"))
    by_currency: dict[str, dict[date, tuple[int, Decimal, Decimal]]] = defaultdict(dict)
    for currency, n, orders, attributed, value in facts:
        if currency:  # reported before values were kept
            by_currency[currency][days[n]] = orders, attributed or Decimal(0), value or Decimal(0)
    earned = [_earned(currency, found, days) for currency, found in by_currency.items()]
    return sorted(earned, key=lambda one: -one.orders)


def _midnight(day: date) -> datetime:
    moment = datetime.combine(day, time.min)
    return timezone.make_aware(moment) if timezone.is_aware(timezone.now()) else moment


def _earned(currency: str, found: dict[date, tuple[int, Decimal, Decimal]], days: list[date]) -> Earned:
    orders, attributed, value = (sum(column) for column in zip(*found.values(), strict=True))
    nothing = (0, Decimal(0), Decimal(0))
    by_day = [(day, found.get(day, nothing)[1]) for day in days]
    return Earned(currency, int(orders), Decimal(attributed), Decimal(value), by_day)
