"""The protocol of delivery, as a model: shop, workers, network and time, and what must always hold.

Two workers may do anything side by side: the protocol of rows does not lean on the run lease
(`runs.py`), which only keeps runs from being many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.system.explorer import invariants, world
from tests.system.explorer.mirror import LEASE_END, NEVER, Guards, Mirror, Row
from tests.system.explorer.scan import Steps
from tests.system.explorer.worker import WorkerSteps
from tests.system.explorer.world import GONE, IDLE, NAMES, UNKNOWN, Bounds, Request, Shop, State


class Delivery:
    """The model of one product on its way to Neuroon."""

    rest = invariants.COMES_TO_REST

    def __init__(self, bounds: Bounds, guards: Guards | None = None) -> None:
        self.bounds = bounds
        self.guards = guards or Guards()
        self.mirror = Mirror(self.guards)
        self.worker = WorkerSteps(self.mirror, bounds)

    canonical = staticmethod(world.canonical)
    describe = staticmethod(State.__str__)

    def starts(self) -> Iterable[State]:
        """Yield a shop that is in step with Neuroon, and one that Neuroon does not know yet."""
        shop, ids, workers = Shop(0, 0, 1), self.bounds.ids, (IDLE,) * self.bounds.workers
        new = State(shop, False, True, (None,) * ids, workers, (UNKNOWN,) * ids)
        row = Row(due_at=NEVER, digest=shop.content, in_neuroon=True)
        there = (shop.payload, *new.neuroon[1:])
        yield new._replace(unseen=False, rows=(row, *new.rows[1:]), neuroon=there)
        if self.bounds.new:
            yield new

    def steps(self, state: State) -> Steps:
        """Yield whatever may happen."""
        yield from self._shop(state)
        for n in range(len(state.workers)):
            yield from self.worker.steps(state, n)
        for number in range(len(state.requests)):
            yield from self._network(state, number)
        yield from self._time(state)

    def _shop(self, state: State) -> Steps:
        """The shop commits a change, with its change row or without a signal; an operator requeues."""
        if state.uncommitted:
            yield "the shop commits", state._replace(shop=state.uncommitted, uncommitted=None), True
        elif state.shop.version < self.bounds.changes:
            for text, shop in self._changes(state.shop):
                if self.guards.change_row_in_the_transaction:
                    yield text, state._replace(shop=shop, changed=True), False
                else:
                    open_ = state._replace(changed=True, uncommitted=shop)
                    yield f"{text}, its change row first", open_, False
                if self.bounds.silent:
                    yield f"{text} without a signal", state._replace(shop=shop, unseen=True), False
        for key, row in enumerate(state.rows if self.bounds.requeues else ()):
            if row and row.owned:
                yield f"{NAMES[key]} is requeued", state.of_row(key, self.mirror.requeue(row)), False

    def _changes(self, shop: Shop) -> Iterator[tuple[str, Shop]]:
        """Yield what the shop may do to its product; content 1 is the first, which may come back."""
        version, key, kinds = shop.version + 1, shop.key, self.bounds.kinds
        name, exists = f"(v{version})", key != GONE
        if exists and "edit" in kinds:
            yield f"the shop edits the product {name}", Shop(version, key, version + 1)
        if exists and "put back" in kinds and shop.content != 1:
            yield f"the shop puts the first content back {name}", Shop(version, key, 1)
        if exists and "delete" in kinds:
            yield f"the shop deletes the product {name}", Shop(version, GONE, 0)
        if not exists and "create" in kinds:
            yield f"the shop creates the product again {name}", Shop(version, 0, version + 1)
        if exists and "rename" in kinds:
            for other in set(range(self.bounds.ids)) - {key}:
                text = f"the shop renames the product {NAMES[other]} {name}"
                yield text, Shop(version, other, version + 1)

    def _network(self, state: State, number: int) -> Steps:
        """A request is processed, refused, or lost on its way."""
        request, neuroon = state.requests[number], list(state.neuroon)
        others = (*state.requests[:number], *state.requests[number + 1 :])
        gone = state._replace(requests=others)
        older = request.payload.version < neuroon[request.key].version
        neuroon[request.key] = request.payload
        done = gone._replace(neuroon=tuple(neuroon), overtaken=state.overtaken or older)
        yield f"Neuroon processes {request}", self._hear(done, request, "answered"), True
        yield f"{request} is lost on its way", gone, False
        if self.bounds.refusals and request.payload.content:
            yield f"Neuroon refuses {request}", self._hear(gone, request, "refused"), False

    def _hear(self, state: State, request: Request, does: str) -> State:
        """Return the state in which the worker that waits for the answer has it."""
        for n, worker in enumerate(state.workers):
            if worker.does == "waiting" and worker.lease == request.lease:
                return state.of_worker(n, worker._replace(does=does))
        return state

    def _time(self, state: State) -> Steps:
        """A lease ends, never before the requests that began under it: timeout < half a lease."""
        for key, row in enumerate(state.rows):
            if row is None or row.due_at != LEASE_END:
                continue
            travels = any(request.lease == row.lease for request in state.requests)
            if travels and self.guards.lease_outlives_the_request:
                continue
            after = state.of_row(key, self.mirror.end_lease(row))
            for n, worker in enumerate(state.workers):
                if worker.lease == row.lease and worker.does == "begun":
                    after = after.of_worker(n, worker._replace(does="late"))
                elif worker.lease == row.lease and worker.does == "waiting":
                    after = after.of_worker(n, IDLE)
            yield f"the lease on {NAMES[key]} ends", after, True

    def broken(self, state: State) -> str:
        """Return the name of an invariant that this state breaks, "" where it breaks none."""
        travelling: set[int] = set()
        for number, request in enumerate(state.requests):
            if request.key in travelling and request not in state.requests[:number]:
                return invariants.NO_OVERLAP
            travelling.add(request.key)
        if state.overtaken:
            return invariants.NO_OVERTAKING
        for key, (row, there) in enumerate(zip(state.rows, state.neuroon, strict=True)):
            if row and row.digest > 0 and row.digest != there.content and key not in travelling:
                return invariants.DIGEST_IS_TRUE
            sent = any(r.key == key and r.payload.content for r in state.requests)
            if (there.content or sent) and not (row and row.in_neuroon):
                return invariants.NOTHING_FORGOTTEN
        return invariants.SAME_AT_REST if self.rests(state) and not self._is_right(state) else ""

    def rests(self, state: State) -> bool:
        """Return whether nothing is recorded, due, leased, claimed or travelling."""
        return (
            not (state.changed or state.unseen or state.uncommitted or state.requests)
            and all(worker.does == "idle" for worker in state.workers)
            and all(row is None or (row.due_at == NEVER and not row.lease) for row in state.rows)
        )

    def _is_right(self, state: State) -> bool:
        """Return whether mirror and Neuroon have what the shop has: all of it, and nothing else."""
        shop = state.shop
        for key, (row, there) in enumerate(zip(state.rows, state.neuroon, strict=True)):
            if key != shop.key:
                right = row is None and not there.content
            else:
                refused = row is not None and row.digest == -shop.content
                right = row is not None and row.owned and (refused or there.content == shop.content)
            if not right:
                return False
        return True
