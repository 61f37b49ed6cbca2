"""The state of the explored world: shop, outbox, mirror, workers, network and Neuroon.

`canonical` maps states that differ only in names to one: workers are alike, a lease is a token that
means nothing, and of revisions and fold counters only order and equality count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.system.explorer.mirror import NOBODY, Row, Rows

GONE = -1  # the external id of a product that does not exist
LOST = -1  # a lease, or a revision, that no row has any more
NAMES = "ab"  # external ids, as they are printed
KINDS = ("edit", "put back", "delete", "create", "rename")  # what the shop does to its product


@dataclass(frozen=True)
class Bounds:
    """How much is explored. Crashes, lost requests and lost answers have no bound."""

    changes: int = 2  # of the shop
    workers: int = 2
    ids: int = 1  # external ids that the product may have
    kinds: tuple[str, ...] = KINDS  # of changes
    new: bool = True  # whether to begin with a shop that Neuroon does not know, too
    silent: bool = False  # whether changes without a signal happen
    scans: bool = False  # whether scans begin at any time, not only where they are needed
    requeues: bool = False  # whether an operator makes rows due at any time
    refusals: bool = False  # whether Neuroon may refuse a product
    # Whether others may act between a fold's reading of the product and its writing. Then what comes
    # back without a signal just after it was read as gone may be sent, deleted, and found by a scan.
    slow_folds: bool = False
    retries: bool = False  # whether the holder of a lease may send the same bytes again


class Payload(NamedTuple):
    """A product as it was rendered: by which version of the shop, and with what content."""

    version: int
    content: int  # 0: nothing, a delete


class Shop(NamedTuple):
    """The shop's product; each change of it makes a new version."""

    version: int
    key: int  # its external id, GONE where there is no product
    content: int

    @property
    def payload(self) -> Payload:
        return Payload(self.version, self.content)

    def __str__(self) -> str:
        return f"v{self.version} " + (f"{NAMES[self.key]}={self.content}" if self.key >= 0 else "gone")


UNKNOWN = Payload(-1, 0)


class Page(NamedTuple):
    """What a scan remembers of its page: what the mirror said, and what the shop had."""

    folds: int  # the shop's fold counter, read before all else
    asked: bool = False  # a change without a signal made this scan necessary
    owned: int = GONE  # the external id whose row the product owned
    revision: int = 0
    digest: int = 0
    leased: bool = False
    key: int = GONE
    payload: Payload = UNKNOWN


NO_PAGE = Page(-1)


class Worker(NamedTuple):
    """What a worker is doing and has in its memory; a worker that dies is idle, its memory gone."""

    does: str = "idle"
    key: int = GONE  # the external id of the row it has claimed
    lease: int = NOBODY
    digest: int = 0  # the claimed row as it was read
    was_in_neuroon: bool = False
    payload: Payload = UNKNOWN
    retried: bool = False
    page: Page = NO_PAGE

    def __str__(self) -> str:
        version = max(self.payload.version, self.page.payload.version)
        parts = ["worker", self.does]
        parts += [NAMES[self.key]] if self.key >= 0 else []
        parts += [f"v{version}"] if version >= 0 else []
        parts += [f"lease {self.lease}"] if self.lease else []
        return " ".join(parts)


IDLE = Worker()


class Request(NamedTuple):
    """A request that has left and has not been processed; it may outlive its worker."""

    key: int
    payload: Payload
    lease: int

    def __str__(self) -> str:
        what = f"v{self.payload.version}" if self.payload.content else "delete"
        return f"{NAMES[self.key]} {what}"


class State(NamedTuple):
    """Everything."""

    shop: Shop
    changed: bool  # the outbox holds a change row
    unseen: bool  # a change without a signal, which no scan has looked for yet
    rows: Rows
    workers: tuple[Worker, ...]
    neuroon: tuple[Payload, ...]  # by external id, what was processed last
    requests: tuple[Request, ...] = ()
    folds: int = 0  # the shop's fold counter
    uncommitted: Shop | None = None  # only where change rows are not in the shop's transaction
    overtaken: bool = False  # an older version was processed after a newer one

    def of_worker(self, number: int, worker: Worker) -> State:
        """Return the state with that worker."""
        workers = self.workers
        return self._replace(workers=(*workers[:number], worker, *workers[number + 1 :]))

    def of_row(self, key: int, row: Row | None) -> State:
        """Return the state with that row."""
        return self._replace(rows=(*self.rows[:key], row, *self.rows[key + 1 :]))

    def new_lease(self) -> int:
        """Return a token that nobody has."""
        leases = [row.lease for row in self.rows if row]
        leases += [worker.lease for worker in self.workers]
        return 1 + max(leases + [request.lease for request in self.requests])

    @property
    def fold_lock(self) -> bool:
        """Whether a worker has the fold lock."""
        return any(worker.does == "folding" for worker in self.workers)

    def held(self, worker: Worker) -> Row | None:
        """Return the row that a worker has claimed, if the claim is still its own."""
        row = self.rows[worker.key]
        return row if row is not None and row.lease == worker.lease else None

    def __str__(self) -> str:
        flags = [n for n in ("changed", "unseen", "uncommitted", "overtaken") if getattr(self, n)]
        rows = [f"{NAMES[key]} {row}" for key, row in enumerate(self.rows) if row]
        busy = [str(worker) for worker in self.workers if worker.does != "idle"]
        travels = [str(request) for request in self.requests]
        holds = [f"{NAMES[k]}={p.content}" for k, p in enumerate(self.neuroon) if p.content]
        parts = [f"shop {self.shop}", *flags, *rows, *busy]
        parts += [f"travelling {', '.join(travels)}"] if travels else []
        return " | ".join([*parts, f"Neuroon {', '.join(holds) or 'nothing'}"])


def canonical(state: State) -> State:
    """Return the representative of all states that differ from this one only in names."""
    pages = [worker.page for worker in state.workers if worker.page is not NO_PAGE]
    requests, leases = _requests(state), {NOBODY: NOBODY}
    for lease in [row.lease for row in state.rows if row] + [r.lease for r in requests]:
        leases.setdefault(lease, len(leases))
    revisions = [_revisions(key, row, pages) for key, row in enumerate(state.rows)]
    folds = {count: n for n, count in enumerate(sorted({state.folds, *(p.folds for p in pages)}))}
    return state._replace(
        rows=tuple(
            row and _row(row, leases, known) for row, known in zip(state.rows, revisions, strict=True)
        ),
        workers=tuple(sorted(_worker(worker, leases, revisions, folds) for worker in state.workers)),
        requests=tuple(request._replace(lease=leases[request.lease]) for request in requests),
        folds=folds[state.folds],
    )


def _requests(state: State) -> tuple[Request, ...]:
    """Return the requests in an order that does not depend on the names of their leases."""
    if len(state.requests) < 2:
        return state.requests

    def facts(request: Request) -> tuple[object, ...]:
        rows = [key for key, row in enumerate(state.rows) if row and row.lease == request.lease]
        workers = [w._replace(lease=NOBODY) for w in state.workers if w.lease == request.lease]
        return request.key, request.payload, rows, workers

    return tuple(sorted(state.requests, key=facts))


def _revisions(key: int, row: Row | None, pages: Sequence[Page]) -> dict[int, int]:
    """Return a number for each revision of a row that anybody remembers, in their order."""
    if row is None:
        return {}
    seen = {page.revision for page in pages if page.owned == key and page.revision != LOST}
    order = sorted(seen | {0, row.revision, row.claimed_revision if row.lease else 0})
    return {revision: number for number, revision in enumerate(order)}


def _row(row: Row, leases: Mapping[int, int], revisions: Mapping[int, int]) -> Row:
    return row._replace(
        lease=leases[row.lease],
        revision=revisions[row.revision],
        claimed_revision=revisions[row.claimed_revision] if row.lease else 0,
    )


def _worker(
    worker: Worker,
    leases: Mapping[int, int],
    revisions: Sequence[Mapping[int, int]],
    folds: Mapping[int, int],
) -> Worker:
    if worker is IDLE:
        return worker
    if worker.page is NO_PAGE:
        return worker._replace(lease=leases.get(worker.lease, LOST))
    page = worker.page._replace(folds=folds[worker.page.folds])
    if page.owned != GONE:
        page = page._replace(revision=revisions[page.owned].get(page.revision, LOST))
    return worker._replace(page=page)
