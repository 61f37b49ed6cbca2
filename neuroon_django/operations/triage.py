"""What did not go, grouped by reason: how much, since when, and when last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min

SHOWN = 20  # reasons, the most frequent ones


@dataclass
class Reason:
    """Rejected rows with the same reason."""

    text: str
    count: int
    since: datetime | None
    last: datetime | None


def reasons_of(rows: Any) -> list[Reason]:
    """Group the rejected ones among these rows by their reason, in one query."""
    grouped = rows.filter(status="rejected").order_by().values_list("last_error")
    facts = grouped.annotate(n=Count("pk"), since=Min("failed_at"), last=Max("failed_at"))
    return [Reason(*values) for values in facts.order_by("-n", "last_error")[:SHOWN]]
