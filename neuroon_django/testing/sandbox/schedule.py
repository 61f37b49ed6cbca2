"""Which request meets which fault: the faults that were asked for, in their order."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from .choices import check_choice
from .faults import Fault
from .messages import Request
from .routes import ENDPOINTS


@dataclass(eq=False)
class ScheduledFault:
    """A fault for the next `times` requests (None: all) to an endpoint (None: any).

    It is due once `after` of them have passed, until `until` in `time.monotonic()` seconds.
    """

    fault: Fault
    endpoint: str | None = None
    times: int | None = 1
    after: int = 0
    until: float | None = None

    def __post_init__(self) -> None:
        check_choice("endpoint", self.endpoint or "unknown", ENDPOINTS)

    def fits(self, request: Request) -> bool:
        """Return whether it waits for requests like this one and is not used up."""
        return self.in_force and self.endpoint in {None, request.endpoint}

    @property
    def in_force(self) -> bool:
        """Whether it is not used up and its time is not over."""
        return self.times != 0 and (self.until is None or time.monotonic() < self.until)


class Schedule:
    """The scheduled faults; the first one that is due is served, all that fit count the request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[ScheduledFault] = []

    def add(self, scheduled: ScheduledFault) -> None:
        """Put a fault at the end of the line."""
        self._faults.append(scheduled)

    def clear(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def in_force(self) -> list[ScheduledFault]:
        """Return the faults that are not over."""
        return [scheduled for scheduled in list(self._faults) if scheduled.in_force]

    def next_fault(self, request: Request) -> Fault | None:
        """Return the fault that this request meets and count the request, or None."""
        with self._lock:
            fitting = [scheduled for scheduled in self._faults if scheduled.fits(request)]
            due = next((scheduled for scheduled in fitting if scheduled.after <= 0), None)
            for scheduled in fitting:
                scheduled.after -= 1
            if due and due.times:
                due.times -= 1
        return due.fault if due else None
