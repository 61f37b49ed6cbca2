"""The last runs of a shop by the hour: what they sent, and how long the oldest of it had waited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from neuroon_django.models import Run, ShopState, SyncedProduct

HOURS = 24
READ = 5_000  # runs of a day that are looked at, the latest


@dataclass
class Hour:
    """What left in one hour, and the longest wait among it in seconds."""

    begin: datetime
    sent: float = 0.0
    longest_wait: float = 0.0


def hours_of(shop: ShopState) -> list[Hour]:
    """Return the last 24 hours, oldest first, in one query; a long run is spread over its hours."""
    now = timezone.now()
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    hours = [Hour(first + timedelta(hours=n)) for n in range(HOURS)]
    for run in Run.objects.filter(shop=shop, ended_at__gte=first).order_by("-ended_at")[:READ]:
        _spread(run, hours)
    return hours


def _spread(run: Run, hours: list[Hour]) -> None:
    """Add a run to the hours that it took, each its share."""
    sent = run.synced + run.deleted + run.reported
    for hour in hours:
        end = hour.begin + timedelta(hours=1)
        share = (min(run.ended_at, end) - max(run.began_at, hour.begin)).total_seconds()
        ends_here = hour.begin <= run.ended_at < end
        if share > 0 and run.seconds:
            hour.sent += sent * share / run.seconds
        elif ends_here and not run.seconds:
            hour.sent += sent
        if ends_here:
            hour.longest_wait = max(hour.longest_wait, run.longest_wait)


def time_left(run: Run, shop: ShopState) -> timedelta | None:
    """Return how long a run under way still takes at its rate so far; None where nobody can say."""
    done = run.synced + run.rejected + run.deleted + run.unchanged
    if not run.is_under_way or not done or run.seconds < 1:
        return None
    left = SyncedProduct.objects.of(shop).waiting().count()
    if shop.scan_cursor:
        left += max(0, shop.totals.get("shop", 0) - run.scanned)
    return timedelta(seconds=left * run.seconds / done)
