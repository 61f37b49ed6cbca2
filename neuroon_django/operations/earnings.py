"""What search earned: the values of the reported orders, by day and currency."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from neuroon_django.models import Conversion, ConversionStatus, ShopState

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
    begin = timezone.now() - timedelta(days=DAYS)
    sent = Conversion.objects.of(shop).filter(status=ConversionStatus.SENT, sent_at__gte=begin)
    grouped = sent.order_by().values_list("currency", TruncDate("sent_at"))
    facts = grouped.annotate(Count("pk"), Sum("attributed_value"), Sum("value"))
    by_currency: dict[str, dict[date, tuple[int, Decimal, Decimal]]] = defaultdict(dict)
    for currency, day, orders, attributed, value in facts:
        if currency:  # reported before values were kept
            by_currency[currency][day] = orders, attributed or Decimal(0), value or Decimal(0)
    earned = [_earned(currency, found, days) for currency, found in by_currency.items()]
    return sorted(earned, key=lambda one: -one.orders)


def _earned(currency: str, found: dict[date, tuple[int, Decimal, Decimal]], days: list[date]) -> Earned:
    orders, attributed, value = (sum(column) for column in zip(*found.values(), strict=True))
    nothing = (0, Decimal(0), Decimal(0))
    by_day = [(day, found.get(day, nothing)[1]) for day in days]
    return Earned(currency, int(orders), Decimal(attributed), Decimal(value), by_day)
