"""Which run is at work on an endpoint's rows: one of a kind in the whole system (law 9).

run_token       the run at work, or the one that handed over; another one begins with a new token
run_until       until when it is at work unless it is extended: a run dies with its holder
run_requested   somebody asked the run at work to look once more before it ends
resume_at       a run out of time was handed over: until then only its message goes on with it
retry_at        a message comes then to try what is blocked now

`RunLease` is what a run has in its hands, the columns and their queryset are what all workers see.
A worker that dies here is forgotten at `run_until`; its rows have leases of their own (`delivery`).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from django.db import models
from django.db.models import Q, QuerySet

from neuroon_django.models.sql import DbNow, from_now, retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models.endpoint import Endpoint

logger = logging.getLogger("neuroon_django")

POLL = 0.2  # seconds between two looks of a foreground run that waits for its turn

IDLE = Q(run_until__isnull=True) | Q(run_until__lte=DbNow())
NOT_HANDED_OVER = Q(resume_at=None) | Q(resume_at__lte=DbNow())


class RunLeaseQuerySet(QuerySet["Endpoint"]):
    """How a run begins, goes on and ends; each method is one statement, or two."""

    @retry_on_deadlock
    def begin_run(
        self, token: str, seconds: float, *, resumes: str = "", takes_over: bool = False
    ) -> bool:
        """Let one run at a time be at work; return whether it is the caller's now.

        A run that was handed over is left to the message that carries its token, `resumes`: whatever
        else wakes a worker meanwhile finds nothing to do, unless it `takes_over`.
        """
        passes = NOT_HANDED_OVER | Q(run_token=resumes) if resumes else NOT_HANDED_OVER
        free = IDLE if takes_over else IDLE & passes
        run = {"run_token": token, "run_until": from_now(seconds)}
        return bool(self.filter(free).update(**run, run_requested=False, resume_at=None))

    def is_run_at_work(self) -> bool:
        """Return whether somebody's run is at work."""
        return self.filter(run_until__gt=DbNow()).exists()

    @retry_on_deadlock
    def extend_run(self, token: str, seconds: float) -> bool:
        """Keep the run for so long from now; False where it belongs to another one already."""
        mine = self.filter(run_token=token, run_until__isnull=False)
        return bool(mine.update(run_until=from_now(seconds)))

    @retry_on_deadlock
    def request_another_look(self) -> bool:
        """Ask the run at work to look once more before it ends.

        Returns False where no run is at work and none was handed over: the caller may begin one.
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
    def release_run(self, token: str) -> None:
        """End the run whatever is left to do."""
        ended = {"run_token": "", "run_until": None, "run_requested": False}
        self.filter(run_token=token).update(**ended)

    @retry_on_deadlock
    def hand_over_run(self, token: str, seconds: float) -> None:
        """End the run, and leave its work for so long to the message that carries its token."""
        ended = {"run_until": None, "run_requested": False}
        self.filter(run_token=token).update(**ended, resume_at=from_now(seconds))

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


class RunLease:
    """One run's claim to be the one at work on an endpoint's rows.

    It lasts twice as long as a request can take unless it is extended, so it dies with its holder.
    Rows have leases of their own: two runs at once would be impolite, not wrong.
    """

    def __init__(self, endpoint: Endpoint, *, resumes: str = "") -> None:
        self.endpoint = endpoint
        self.resumes = resumes
        self.token = uuid4().hex
        self.seconds = 2 * endpoint.shop.config.TIMEOUT
        self.extended_at = 0.0
        self.is_held = False
        self.has_waited = False

    def begin(self, *, wait_until: float = 0.0) -> bool:
        """Begin the run; where another one is at work ask that one to look again, and return False.

        With `wait_until`, a monotonic second, the run at work is waited for instead.
        """
        takes_over = wait_until > 0
        while not self._try(takes_over=takes_over):
            if time.monotonic() >= wait_until:
                if self.endpoint.row.request_another_look() or not self.endpoint.row.exists():
                    return False
            else:
                self._wait()
        return True

    def _wait(self) -> None:
        if not self.has_waited:
            logger.info("waiting_for_run group=%s", self.endpoint.group)
            self.has_waited = True
        time.sleep(POLL)

    def _try(self, *, takes_over: bool) -> bool:
        row = self.endpoint.row
        self.is_held = row.begin_run(
            self.token, self.seconds, resumes=self.resumes, takes_over=takes_over
        )
        self.extended_at = time.monotonic()
        return self.is_held

    def extend(self) -> bool:
        """Keep the lease, by a statement now and then; return False where it was lost."""
        now = time.monotonic()
        if self.is_held and now - self.extended_at > self.seconds / 4:
            self.is_held = self.endpoint.row.extend_run(self.token, self.seconds)
            self.extended_at = now
        return self.is_held

    def end(self) -> bool:
        """End the run; return False where somebody asked for another look, and it goes on."""
        ended = self.endpoint.row.end_run(self.token)
        self.is_held = not ended
        return ended

    def release(self) -> None:
        """End the run whatever is left to do, if it is held."""
        if self.is_held:
            self.endpoint.row.release_run(self.token)
            self.is_held = False

    def hand_over(self, seconds: float) -> None:
        """End the run; for so long its work is left to a message that carries its token."""
        self.endpoint.row.hand_over_run(self.token, seconds)
        self.is_held = False
