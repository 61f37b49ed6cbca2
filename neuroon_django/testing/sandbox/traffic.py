"""The requests in progress: which of them overlap, and which are held back by a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .choices import check_choice
from .messages import Request
from .routes import ENDPOINTS


@dataclass(eq=False)
class Hold:
    """Stops the requests to an endpoint (None: to any), read but not applied, until released."""

    endpoint: str | None
    inside: int = 0
    released: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        check_choice("endpoint", self.endpoint or "unknown", ENDPOINTS)

    def wait(self, n: int = 1, timeout: float = 10) -> None:
        """Wait until `n` requests are inside; `TimeoutError` after `timeout` seconds."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.inside >= n, timeout):
                raise TimeoutError(f"{self.inside} of {n} requests held after {timeout} s")

    def release(self) -> None:
        """Let all requests go on, those to come as well."""
        with self.changed:
            self.released = True
            self.changed.notify_all()

    def pass_through(self) -> None:
        """Stop the calling request until the hold is released."""
        with self.changed:
            self.inside += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.released)
            self.inside -= 1


class Traffic:
    """The requests in progress and the holds that are in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_progress: list[set[str]] = []
        self._holds: list[Hold] = []

    @contextmanager
    def held(self, endpoint: str | None) -> Iterator[Hold]:
        """Hold back the requests to an endpoint (None: to any) within the block."""
        hold = Hold(endpoint)
        self._holds.append(hold)
        try:
            yield hold
        finally:
            self._holds.remove(hold)
            hold.release()

    def release_all(self) -> None:
        """Release every hold that is in force."""
        for hold in list(self._holds):
            hold.release()

    @contextmanager
    def in_progress(self, request: Request, overlaps: list[str]) -> Iterator[None]:
        """Count the request as in progress within the block, which it enters when no hold stops it.

        Appends to `overlaps` the external ids that another request in progress names as well.
        """
        own = set(request.external_ids)
        with self._lock:
            overlaps += sorted(own & set().union(*self._in_progress))
            self._in_progress.append(own)
            holds = [hold for hold in self._holds if hold.endpoint in {None, request.endpoint}]
        try:
            for hold in holds:
                hold.pass_through()
            yield
        finally:
            with self._lock:
                self._in_progress = [other for other in self._in_progress if other is not own]
