"""The state of the run lease's world: the endpoint's row, workers, work and messages.

The work is only there or not: change rows, and rows of the mirror that are due. Messages are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

FREE, LOST = 0, -1  # no lease; a lease that ended and that nobody asks for
FUTURE, OVER = "future", "over"
RUNNING = ("running", "empty", "asked", "clearing")


@dataclass(frozen=True)
class RunGuards:
    """The rules of the run lease; each can be broken alone."""

    wake_up_follows_the_commit: bool = True
    acquire_needs_a_free_lease: bool = True
    acquire_and_request_are_one_statement: bool = True
    acquire_clears_resume_at: bool = True
    hand_over_passes_resume_at: bool = True
    release_needs_the_lease: bool = True
    release_heeds_run_requested: bool = True
    run_requested_is_cleared_before_looking: bool = True


@dataclass(frozen=True)
class RunBounds:
    """How much is explored."""

    changes: int = 2
    workers: int = 2
    # With faults, messages are lost, workers die or stand still, and beat goes on waking them;
    # without, beat is silent too, so that everything has to come from wake-ups.
    faults: bool = True


class Endpoint(NamedTuple):
    """The row that holds the run lease of a shop and kind of work."""

    lease: int = FREE
    ended: bool = False  # its time is over
    run_requested: bool = False
    handed_over: int = FREE  # the lease of the run that ran out of time
    resume_at: str = ""

    def __str__(self) -> str:
        lease = f"lease {self.lease}{' ended' if self.ended else ''}" if self.lease else "free"
        parts = [lease, *(["run requested"] if self.run_requested else [])]
        return ", ".join(parts + ([f"resume_at {self.resume_at}"] if self.resume_at else []))


class Worker(NamedTuple):
    """What a worker is doing; one that stood still while its lease ended does not count as living."""

    does: str = "idle"
    lease: int = FREE
    stalled: bool = False


IDLE = Worker()


class State(NamedTuple):
    """Everything."""

    workers: tuple[Worker, ...]
    endpoint: Endpoint = Endpoint()
    commits: int = 0
    open: bool = False  # the shop has a change in an open transaction
    changed: bool = False  # change rows
    due: bool = False  # rows of the mirror
    flagged: bool = False  # the publisher will publish a wake-up
    wake_ups: int = 0
    hand_overs: tuple[int, ...] = ()  # each names the lease of the run that it goes on with

    def of_worker(self, n: int, worker: Worker) -> State:
        """Return the state with that worker."""
        return self._replace(workers=(*self.workers[:n], worker, *self.workers[n + 1 :]))

    def of_endpoint(self, **values: Any) -> State:
        """Return the state with other values in the endpoint's row."""
        return self._replace(endpoint=self.endpoint._replace(**values))

    def __str__(self) -> str:
        names = [n for n in ("open", "changed", "due", "flagged") if getattr(self, n)]
        names += [f"{n} {getattr(self, n)}" for n in ("wake_ups", "hand_overs") if getattr(self, n)]
        busy = [f"worker {w.does} lease {w.lease}" for w in self.workers if w.does != "idle"]
        return " | ".join([f"endpoint {self.endpoint}", *names, *busy])
