"""The history of runs: what a run of the engine did, written down by one statement at its end."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from neuroon_django.conf import conf
from neuroon_django.models import Conversion, Run, ShopState

if TYPE_CHECKING:
    from neuroon_django.delivery.engine import Engine

COUNTS = ("requests", "synced", "unchanged", "rejected", "deleted", "reported", "scanned")


def record_run(run: Engine, began_at: datetime) -> None:
    """Write down a run that did something; one that found nothing to do leaves no row."""
    done = run.statistics
    counts = {name: getattr(done, name) for name in COUNTS}
    counts["rejected"] += len(done.rejected_orders)
    if not any(counts.values()):
        return
    handed_over = run.follow_up is not None and bool(run.follow_up.resumes)
    Run.objects.record(
        run.shop,
        run.lease.endpoint.group,
        token=run.lease.token,
        resumes=run.lease.resumes,
        began_at=began_at,
        counts=counts,
        longest_wait=done.longest_wait,
        reason="; ".join(filter(None, [done.stopped, *dict.fromkeys(done.errors)])),
        handed_over=handed_over,
    )


def prune(shop: ShopState) -> None:
    """Delete old runs, and old orders of which nothing is kept: each scan does so at its end."""
    Run.objects.prune(shop)
    Conversion.objects.prune(conf.KEEP_CLICKS.total_seconds())
