"""Waiting for a slot: how long a run sleeps for one, and when it ends instead (law 9)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from neuroon_django.models import ShopState
from neuroon_django.models.endpoint import MAX_INLINE_WAIT

logger = logging.getLogger("neuroon_django")

MAX_TASK_SLEEP = 1.0  # seconds that a task sleeps for its slot inside a worker
SLICE = 5.0  # seconds slept at once: between two, the run's leases are extended
ASKED_TO_WAIT = "Neuroon asked to wait"
LEASE_LOST = "another run took the work over, as this one stood still for too long"


class Pacing:
    """Takes the slots of one run.

    A task sleeps at most one slot; a `foreground` run sits a `Retry-After` out, and a block that is
    about to end, and tries each blocked group once all the same. Meanwhile `keep_leases` keeps the
    run's lease and rows; it returns False where they are lost. `on_wait` is called with the seconds
    and the reason of a wait.
    """

    def __init__(
        self,
        shop: ShopState,
        foreground: bool,
        until: float,
        keep_leases: Callable[[], bool] = lambda: True,
        on_wait: Callable[[float, str], None] = lambda seconds, reason: None,
    ) -> None:
        self.shop = shop
        self.foreground = foreground
        self.until = until
        self.keep_leases = keep_leases
        self.on_wait = on_wait
        self.forced: set[str] = set()  # groups whose block has been tried all the same

    def wait_for_slot(self, group: str) -> str:
        """Sleep until a request of the group may leave: ""; or return why none may in this run."""
        force = self.foreground and group not in self.forced
        self.forced.add(group)
        return self._wait(group, force=force, sits_out=self.foreground, until=self.until)

    def wait_in_task(self, group: str, seconds: float) -> str:
        """Do the same inside a request that is at work already, for at most so many seconds."""
        return self._wait(group, force=True, sits_out=True, until=time.monotonic() + seconds)

    def _wait(self, group: str, *, force: bool, sits_out: bool, until: float) -> str:
        endpoint = self.shop.endpoint(group)
        near = MAX_INLINE_WAIT if sits_out else min(endpoint.slot, MAX_TASK_SLEEP)
        while (seconds := endpoint.acquire_slot(near=near, force=force)) is None:
            closed = endpoint.seconds_closed()
            waits = sits_out and (closed <= MAX_INLINE_WAIT or not endpoint.reason)
            if not waits or time.monotonic() + closed > until:
                return endpoint.reason or f"{ASKED_TO_WAIT} for another {closed:.0f} s"
            why = endpoint.reason or ASKED_TO_WAIT
            logger.warning("waiting seconds=%.0f group=%s reason=%s", closed, group, why)
            self.on_wait(closed, why)
            if not self._sleep(closed):
                return LEASE_LOST
        return "" if self._sleep(seconds) else LEASE_LOST

    def _sleep(self, seconds: float) -> bool:
        """Sleep, and keep the leases meanwhile; return False where they were lost."""
        while seconds > SLICE:
            time.sleep(SLICE)
            seconds -= SLICE
            if not self.keep_leases():
                return False
        time.sleep(seconds)
        return True
