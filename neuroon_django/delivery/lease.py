"""The lease by which one run of a kind is at work in the whole system (law 9)."""

from __future__ import annotations

import logging
import time
from uuid import uuid4

from neuroon_django.models import Endpoint

logger = logging.getLogger("neuroon_django")

POLL = 0.2  # seconds between two looks of a foreground run that waits for its turn


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
