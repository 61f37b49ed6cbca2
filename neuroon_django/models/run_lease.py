"""Which run is at work on an endpoint's rows: one of a kind in the whole system (law 9).

run_token       the run at work, until `run_until` unless it is extended; it dies with its holder
run_requested   somebody asked the run at work to look once more before it ends
resume_at       a run out of time is gone on with then, and others leave it alone until then
retry_at        a message comes then to try what is blocked now
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q, QuerySet

from neuroon_django.models.sql import DbNow, from_now, retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models.endpoint import Endpoint  # noqa: F401 - named in a string

IDLE = Q(run_until__isnull=True) | Q(run_until__lte=DbNow())


class RunLeaseQuerySet(QuerySet["Endpoint"]):
    """How a run begins, goes on and ends; each method is one statement, or two."""

    @retry_on_deadlock
    def begin_run(self, token: str, seconds: float, *, handed_over: bool = False) -> bool:
        """Let one run at a time be at work; return whether it is the caller's now.

        A run that is gone on with later (`resume_at`) is left to the message that goes on with it:
        whatever else wakes a worker meanwhile finds nothing to do.
        """
        mine = IDLE if handed_over else IDLE & (Q(resume_at=None) | Q(resume_at__lte=DbNow()))
        run = {"run_token": token, "run_until": from_now(seconds)}
        return bool(self.filter(mine).update(**run, run_requested=False, resume_at=None))

    @retry_on_deadlock
    def extend_run(self, token: str, seconds: float) -> bool:
        """Keep the run for so long from now; False where it belongs to another one already."""
        return bool(self.filter(run_token=token).update(run_until=from_now(seconds)))

    @retry_on_deadlock
    def leave_it(self) -> bool:
        """Leave the work to the run that is at it, which is asked to look once more before it ends.

        Or to the message that goes on with it. Returns False where there is neither any more.
        """
        asked = self.filter(run_until__gt=DbNow()).update(run_requested=True)
        return bool(asked) or self.filter(resume_at__gt=DbNow()).exists()

    @retry_on_deadlock
    def end_run(self, token: str) -> bool:
        """End the run, unless it was asked to look once more: then it goes on, and False."""
        mine = self.filter(run_token=token)
        if mine.filter(run_requested=False).update(run_token="", run_until=None):
            return True
        return not mine.update(run_requested=False)

    @retry_on_deadlock
    def pause_run(self, token: str, seconds: float | None = None) -> None:
        """End the run before its work is done; with seconds, a message goes on with it after them."""
        resume_at = None if seconds is None else from_now(seconds)
        ended = {"run_token": "", "run_until": None, "run_requested": False}
        self.filter(run_token=token).update(**ended, resume_at=resume_at)

    @retry_on_deadlock
    def schedule_retry(self, seconds: float) -> bool:
        """Return whether the caller publishes the message that tries what is blocked, so much later.

        One message at a time: were every run that meets a block to publish one, a long block would
        fill the queue. A message that is lost keeps the others back no longer than that.
        """
        free = Q(retry_at=None) | Q(retry_at__lte=DbNow())
        return bool(self.filter(free).update(retry_at=from_now(seconds)))


class RunLeaseColumns(models.Model):
    """The columns of a run's lease; the top of this file tells what they are for."""

    run_token = models.CharField(max_length=32, default="", blank=True)
    run_until = models.DateTimeField(null=True, blank=True)
    run_requested = models.BooleanField(default=False)
    resume_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
