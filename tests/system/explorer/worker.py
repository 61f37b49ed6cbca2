"""What a worker does with rows: fold, claim, render, begin sending, send and settle.

Each method is named after what the worker is doing, and yields the steps that it may take now: a
text, the state after the step, and whether a fair world takes it some day. A step is one statement,
one transaction or one reading; whatever else happens may happen between any two of them.
"""

from __future__ import annotations

from tests.system.explorer.mirror import Row
from tests.system.explorer.scan import ScanSteps, Steps
from tests.system.explorer.world import IDLE, NAMES, Page, Payload, Request, State, Worker


class WorkerSteps(ScanSteps):
    """The steps of one worker, by what it is doing."""

    def steps(self, state: State, n: int) -> Steps:
        """Yield every step of worker `n`; one that does anything may also die."""
        worker = state.workers[n]
        yield from getattr(self, worker.does)(state, n, worker)
        if worker.does not in ("idle", "waiting"):
            unseen = state.unseen or worker.page.asked  # a page not done is done again
            changed = state.changed or worker.does == "folding"  # a fold not done is rolled back
            dead = state.of_worker(n, IDLE)._replace(unseen=unseen, changed=changed)
            yield f"worker {n + 1} dies", dead, False

    def idle(self, state: State, n: int, worker: Worker) -> Steps:
        """Fold, claim, or begin a page of the scan."""
        if any(other.does == "idle" for other in state.workers[:n]):
            return  # idle workers are alike
        if state.changed and not state.fold_lock:
            yield self._begin_fold(state, n)
        for key, row in enumerate(state.rows):
            if row and self.mirror.can_claim(row):
                yield f"worker {n + 1} claims {NAMES[key]}", self._claim(state, n, key, row), True
        if (state.unseen or self.bounds.scans) and not state.fold_lock:
            yield from self.begin_page(state, n)

    def _begin_fold(self, state: State, n: int) -> tuple[str, State, bool]:
        """Fold in one step; or take the change row and read the product, and write it in another."""
        if not self.bounds.slow_folds:
            return f"worker {n + 1} folds", self._fold(state), True
        page = Page(state.folds, key=state.shop.key, payload=state.shop.payload)
        after = state._replace(changed=False).of_worker(n, Worker("folding", page=page))
        return f"worker {n + 1} begins to fold", after, True

    def _fold(self, state: State) -> State:
        """Return the state with its change row folded."""
        rows = self.mirror.place(state.rows, state.shop.key, state.shop.version)
        return state._replace(changed=False, rows=rows, folds=state.folds + 1)

    def folding(self, state: State, n: int, worker: Worker) -> Steps:
        """Write what was read of the product, and commit."""
        page = worker.page
        rows = self.mirror.place(state.rows, page.key, page.payload.version)
        after = state.of_worker(n, IDLE)._replace(rows=rows, folds=state.folds + 1)
        yield f"worker {n + 1} folds", after, True

    def _claim(self, state: State, n: int, key: int, row: Row) -> State:
        """Claim a row; a tombstone needs no rendering, and no request if Neuroon does not have it."""
        lease = state.new_lease()
        state = state.of_row(key, self.mirror.claim(row, lease))
        if row.owned:
            was = row.in_neuroon and self.bounds.refusals
            worker = Worker("claimed", key, lease, row.digest, was_in_neuroon=was)
        elif row.in_neuroon:
            worker = Worker("deleting", key, lease)
        else:
            worker = Worker("confirming", key, lease)
        return state.of_worker(n, worker)

    def claimed(self, state: State, n: int, worker: Worker) -> Steps:
        """Read the shop's product as it is now, and compare it with what Neuroon is known to hold."""
        shop, text = state.shop, f"worker {n + 1} renders {NAMES[worker.key]}"
        if shop.key != worker.key:
            after = state.of_worker(n, Worker("settling", worker.key, worker.lease))
            yield f"{text}: the object has moved", after._replace(changed=True), True
        elif worker.digest in (shop.content, -shop.content):
            after = state.of_worker(n, Worker("settling", worker.key, worker.lease))
            yield f"{text}: it is unchanged", after, True
        else:
            rendered = worker._replace(does="rendered", digest=0, payload=shop.payload)
            yield f"{text} v{shop.version}", state.of_worker(n, rendered), True

    def deleting(self, state: State, n: int, worker: Worker) -> Steps:
        """Fold what was recorded before the claim: the product may be back, and sent already."""
        if (state.changed or state.fold_lock) and self.guards.delete_follows_a_fold:
            if not state.fold_lock:
                yield f"worker {n + 1} folds before it deletes", self._fold(state), True
        else:
            rendered = worker._replace(does="rendered", payload=Payload(0, 0))
            yield f"worker {n + 1} has nothing to fold", state.of_worker(n, rendered), True

    def rendered(self, state: State, n: int, worker: Worker) -> Steps:
        """Begin sending, if the lease is still the worker's, or end the run and give the row back."""
        row = state.held(worker)
        if row is None and self.guards.begin_sending_needs_the_lease:
            yield f"worker {n + 1} has lost its lease", state.of_worker(n, IDLE), True
            return
        delete = not worker.payload.content
        may_send = row is None or self.mirror.may_send(row, delete=delete)
        yield self._release(state, n, worker, fair=not may_send)
        if may_send:
            yield self._begin_sending(state, n, worker, row)

    def _begin_sending(
        self, state: State, n: int, worker: Worker, row: Row | None
    ) -> tuple[str, State, bool]:
        if row is not None:
            state = state.of_row(worker.key, self.mirror.begin_sending(row))
            if not worker.payload.content:
                worker = worker._replace(payload=Payload(row.gone_at, 0))
        after = state.of_worker(n, worker._replace(does="begun"))
        return f"worker {n + 1} begins to send {NAMES[worker.key]}", after, True

    def begun(self, state: State, n: int, worker: Worker) -> Steps:
        """Send the first byte, or find that too much of the lease is over."""
        yield self._leave(state, n, worker)
        yield self._release(state, n, worker, fair=False)

    def late(self, state: State, n: int, worker: Worker) -> Steps:
        """Give the row back: the request would outlive the lease."""
        yield self._release(state, n, worker, fair=True)
        if not self.guards.late_requests_do_not_leave:
            yield self._leave(state, n, worker)

    def _leave(self, state: State, n: int, worker: Worker) -> tuple[str, State, bool]:
        request = Request(worker.key, worker.payload, worker.lease)
        after = state._replace(requests=(*state.requests, request))
        after = after.of_worker(n, worker._replace(does="waiting"))
        return f"worker {n + 1} sends {request}", after, True

    def _release(self, state: State, n: int, worker: Worker, *, fair: bool) -> tuple[str, State, bool]:
        if row := state.held(worker):
            state = state.of_row(worker.key, self.mirror.release(row))
        text = f"worker {n + 1} gives {NAMES[worker.key]} back"
        return text, state.of_worker(n, IDLE), fair

    def waiting(self, state: State, n: int, worker: Worker) -> Steps:
        """Hear nothing in time, die, or send the same bytes again."""
        travels = any(request.lease == worker.lease for request in state.requests)
        after = state.of_worker(n, IDLE)
        if not self.guards.unknown_outcome_keeps_the_lease and (row := state.held(worker)):
            after = after.of_row(worker.key, self.mirror.release(row))
        yield f"worker {n + 1} hears nothing, or dies", after, not travels
        if self.bounds.retries and not worker.retried:
            text, after, _ = self._leave(state, n, worker._replace(retried=True))
            yield f"{text} again", after, False

    def answered(self, state: State, n: int, worker: Worker) -> Steps:
        """Settle what was accepted, or deleted."""
        if row := self._row_to_settle(state, worker):
            mirror, content = self.mirror, worker.payload.content
            if worker.retried and self.guards.retried_outcome_keeps_the_lease:
                after: Row | None = mirror.keep_lease(row, digest=content)
            elif content:
                after = mirror.settle(row, digest=content, in_neuroon=True)
            else:
                after = mirror.delete_confirmed(row)
            state = state.of_row(worker.key, after)
        yield f"worker {n + 1} settles the answer", state.of_worker(n, IDLE), True

    def refused(self, state: State, n: int, worker: Worker) -> Steps:
        """Settle what was refused: in_neuroon is as it was before the request."""
        row = self._row_to_settle(state, worker)
        if row and not (worker.retried and self.guards.retried_outcome_keeps_the_lease):
            was = worker.was_in_neuroon and self.guards.rejection_restores_in_neuroon
            row = self.mirror.settle(row, digest=-worker.payload.content, in_neuroon=was)
            state = state.of_row(worker.key, row)
        yield f"worker {n + 1} settles the refusal", state.of_worker(n, IDLE), True

    def settling(self, state: State, n: int, worker: Worker) -> Steps:
        """Settle what needed no request."""
        if row := self._row_to_settle(state, worker):
            state = state.of_row(worker.key, self.mirror.settle(row))
        yield f"worker {n + 1} settles without a request", state.of_worker(n, IDLE), True

    def confirming(self, state: State, n: int, worker: Worker) -> Steps:
        """Confirm the delete of what Neuroon does not have."""
        if row := self._row_to_settle(state, worker):
            state = state.of_row(worker.key, self.mirror.delete_confirmed(row))
        yield f"worker {n + 1} confirms a delete without a request", state.of_worker(n, IDLE), True

    def _row_to_settle(self, state: State, worker: Worker) -> Row | None:
        return state.held(worker) if self.guards.settle_needs_the_lease else state.rows[worker.key]
