"""The run lease, as a model: one run per shop and kind of work, and no wake-up that is forgotten.

A run folds, sends, and ends when it finds nothing left, or hands over when its budget is spent.
Messages are wake-ups (from the shop's publisher), hand-overs (from a run to the next) and beat's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.system.explorer import invariants
from tests.system.explorer.endpoint import (
    FREE,
    FUTURE,
    IDLE,
    LOST,
    OVER,
    RUNNING,
    Endpoint,
    RunBounds,
    RunGuards,
    State,
    Worker,
)

MESSAGES = 2  # hand-overs in the queue at once; beyond that one is lost

Steps = Iterator[tuple[str, State, bool]]


class Runs:
    """The model of workers that wake up and run."""

    describe = staticmethod(State.__str__)

    def __init__(self, bounds: RunBounds, guards: RunGuards | None = None) -> None:
        self.bounds = bounds
        self.guards = guards or RunGuards()
        self.rest = invariants.COMES_TO_REST if bounds.faults else invariants.NO_BEAT_NEEDED

    def starts(self) -> Iterable[State]:
        """Yield a shop in which nothing is to be done."""
        yield State((IDLE,) * self.bounds.workers)

    def canonical(self, state: State) -> State:
        """Return the state with the present lease, or the one handed over, as 1; all in order."""
        lease, handed_over = state.endpoint.lease, state.endpoint.handed_over
        names = {lease or handed_over: 1, FREE: FREE}
        workers = (w._replace(lease=names.get(w.lease, LOST)) for w in state.workers)
        messages = (names.get(message, LOST) for message in state.hand_overs)
        state = state._replace(workers=tuple(sorted(workers)), hand_overs=tuple(sorted(messages)))
        return state.of_endpoint(lease=names[lease], handed_over=names[handed_over])

    def broken(self, state: State) -> str:
        """Return the name of an invariant that this state breaks, "" where it breaks none."""
        runs = sum(w.does in RUNNING and not w.stalled for w in state.workers)
        return invariants.ONE_RUN if runs > 1 else ""

    def rests(self, state: State) -> bool:
        """Return whether every change has been folded and sent, and nothing is on its way."""
        waiting = state.open or state.changed or state.due or state.flagged
        messages = state.wake_ups or state.hand_overs
        return not waiting and not messages and all(w.does == "idle" for w in state.workers)

    def steps(self, state: State) -> Steps:
        """Yield whatever may happen."""
        yield from self._shop(state)
        yield from self._messages(state)
        for n, worker in enumerate(state.workers):
            if worker.does != "idle":
                yield from getattr(self, "_" + worker.does)(state, n, worker)
                if self.bounds.faults:
                    yield f"worker {n + 1} dies", state.of_worker(n, IDLE), False
        yield from self._time(state)

    def _shop(self, state: State) -> Steps:
        """The shop commits a change and its change row; the publisher's flag is set after that."""
        if state.open:
            after = state._replace(open=False, changed=True)
            if self.guards.wake_up_follows_the_commit:
                after = after._replace(flagged=True)
            yield "the shop commits", after, True
        elif state.commits < self.bounds.changes:
            after = state._replace(commits=state.commits + 1, open=True)
            if not self.guards.wake_up_follows_the_commit:
                after = after._replace(flagged=True)
            yield "the shop changes a product", after, False
        if state.flagged:
            silent = state._replace(flagged=False)
            yield "the publisher wakes a worker", silent._replace(wake_ups=state.wake_ups + 1), True
            if self.bounds.faults:
                yield "the wake-up is lost", silent, False

    def _messages(self, state: State) -> Steps:
        """A message reaches an idle worker; those are alike."""
        n = next((n for n, worker in enumerate(state.workers) if worker.does == "idle"), None)
        if n is None:
            return
        if state.wake_ups:
            after = state._replace(wake_ups=state.wake_ups - 1)
            yield f"a wake-up reaches worker {n + 1}", self._acquire(after, n), True
        for message in sorted(set(state.hand_overs)):
            rest = list(state.hand_overs)
            rest.remove(message)
            after = self._acquire(state._replace(hand_overs=tuple(rest)), n, resumes=message)
            yield f"a hand-over reaches worker {n + 1}", after, True
        if self.bounds.faults:
            yield f"beat wakes worker {n + 1}", self._acquire(state, n), True

    def _acquire(self, state: State, n: int, resumes: int = FREE) -> State:
        """Take the run lease, or ask its holder to look again; in one statement."""
        endpoint = state.endpoint
        passes = self.guards.hand_over_passes_resume_at and resumes == endpoint.handed_over != FREE
        if endpoint.resume_at == FUTURE and not passes:
            return state
        held = endpoint.lease != FREE and not endpoint.ended
        if held and self.guards.acquire_needs_a_free_lease:
            if self.guards.acquire_and_request_are_one_statement:
                return state.of_endpoint(run_requested=True)
            return state.of_worker(n, Worker("requesting"))
        known = [endpoint.lease, endpoint.handed_over, *state.hand_overs]
        lease = 1 + max(*known, *(worker.lease for worker in state.workers))
        kept = "" if self.guards.acquire_clears_resume_at else endpoint.resume_at
        after = state._replace(endpoint=Endpoint(lease, resume_at=kept))
        return after.of_worker(n, Worker("running", lease))

    def _requesting(self, state: State, n: int, worker: Worker) -> Steps:
        after = state.of_worker(n, IDLE).of_endpoint(run_requested=True)
        yield f"worker {n + 1} requests a run", after, True

    def _running(self, state: State, n: int, worker: Worker) -> Steps:
        """Fold, then send, then find nothing left; or run out of budget anywhere."""
        if state.changed:
            yield f"worker {n + 1} folds", state._replace(changed=False, due=True), True
        elif state.due:
            yield f"worker {n + 1} sends what is due", state._replace(due=False), True
        else:
            empty = worker._replace(does="empty")
            yield f"worker {n + 1} finds nothing left", state.of_worker(n, empty), True
        after = state.of_worker(n, worker._replace(does="leaving"))
        if self._may_release(state, worker):
            token = worker.lease
            after = after.of_endpoint(lease=FREE, ended=False, handed_over=token, resume_at=FUTURE)
        yield f"worker {n + 1} has spent its budget and releases", after, False

    def _leaving(self, state: State, n: int, worker: Worker) -> Steps:
        after, room = state.of_worker(n, IDLE), len(state.hand_overs) < MESSAGES
        if room or not self.bounds.faults:
            published = after._replace(hand_overs=(*state.hand_overs, worker.lease))
            yield f"worker {n + 1} publishes a hand-over", published, True
        if self.bounds.faults:
            yield f"the hand-over of worker {n + 1} is lost", after, not room

    def _empty(self, state: State, n: int, worker: Worker) -> Steps:
        """Release, if no run was requested since this one began to look."""
        requested = state.endpoint.run_requested and self.guards.release_heeds_run_requested
        if self._may_release(state, worker) and requested:
            asked = state.of_worker(n, worker._replace(does="asked"))
            yield f"worker {n + 1} may not release: a run was requested", asked, True
            return
        after = state.of_worker(n, IDLE)
        if self._may_release(state, worker):
            after = after.of_endpoint(lease=FREE, ended=False)
        yield f"worker {n + 1} releases", after, True

    def _asked(self, state: State, n: int, worker: Worker) -> Steps:
        """Clear the request, then look again."""
        before = self.guards.run_requested_is_cleared_before_looking
        if before:
            yield self._clear(state, n, worker._replace(does="running"))
        elif state.changed or state.due:
            running = state.of_worker(n, worker._replace(does="running"))
            yield f"worker {n + 1} looks again", running, True
        else:
            clearing = state.of_worker(n, worker._replace(does="clearing"))
            yield f"worker {n + 1} looks again and finds nothing", clearing, True

    def _clearing(self, state: State, n: int, worker: Worker) -> Steps:
        yield self._clear(state, n, worker._replace(does="empty"))

    def _clear(self, state: State, n: int, worker: Worker) -> tuple[str, State, bool]:
        if self._may_release(state, worker):
            state = state.of_endpoint(run_requested=False)
        return f"worker {n + 1} clears the request", state.of_worker(n, worker), True

    def _may_release(self, state: State, worker: Worker) -> bool:
        mine = state.endpoint.lease == worker.lease
        return mine or not self.guards.release_needs_the_lease

    def _time(self, state: State) -> Steps:
        """Pauses are over some day; a lease ends when its holder is dead, or stands still."""
        endpoint = state.endpoint
        if endpoint.resume_at == FUTURE:
            yield "resume_at is over", state.of_endpoint(resume_at=OVER), True
        if self.bounds.faults and endpoint.lease and not endpoint.ended:
            after, dead = state.of_endpoint(ended=True), True
            for n, worker in enumerate(state.workers):
                if worker.lease == endpoint.lease:
                    after, dead = after.of_worker(n, worker._replace(stalled=True)), False
            yield "the run lease ends", after, dead
