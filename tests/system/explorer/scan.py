"""A page of the scan, and how it hands what it has rendered over to the run that sends it.

A page reads, in this order: the shop's fold counter, the mirror's row, the shop's product. Then one
transaction under the fold lock makes the row due and claims it, if nothing was folded and no other
page was begun since; where something was, the page is folded in the ordinary way.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.system.explorer.mirror import NEVER, NOBODY, Mirror, owned_by_product
from tests.system.explorer.world import GONE, IDLE, Bounds, Page, State, Worker

Steps = Iterator[tuple[str, State, bool]]


class ScanSteps:
    """The steps of a worker that scans."""

    def __init__(self, mirror: Mirror, bounds: Bounds) -> None:
        self.mirror = mirror
        self.guards = mirror.guards
        self.bounds = bounds

    def begin_page(self, state: State, n: int) -> Steps:
        """Begin a page; what changes without a signal from now on is the next scan's.

        The cursor's move to this page counts as a fold: an older page must not be handed over after
        a newer one was compared.
        """
        folds = state.folds + self.guards.page_counts_as_a_fold
        page = Page(folds, asked=state.unseen)
        after = state._replace(unseen=False, folds=folds)
        if self.guards.page_reads_rows_before_products:
            after = self._read_row(after, n, page, "scanning")
        else:
            after = self._read_product(after, n, page, "scanning")
        yield f"worker {n + 1} begins a page of the scan", after, state.unseen

    def scanning(self, state: State, n: int, worker: Worker) -> Steps:
        """Read what is missing on the page."""
        if self.guards.page_reads_rows_before_products:
            after = self._read_product(state, n, worker.page, "comparing")
        else:
            after = self._read_row(state, n, worker.page, "comparing")
        yield f"worker {n + 1} reads the rest of the page", after, True

    def comparing(self, state: State, n: int, worker: Worker) -> Steps:
        """Hand the product over, or fold it, where it is not what Neuroon is known to hold."""
        if state.fold_lock:
            return
        page, idle = worker.page, state.of_worker(n, IDLE)
        folded = self.guards.hand_over_compares_folds and page.folds != state.folds
        same = page.digest in (page.payload.content, -page.payload.content)
        if page.key == GONE or page.leased or folded:
            rows = self.mirror.place(state.rows, state.shop.key, state.shop.version)
            after = idle._replace(rows=rows, folds=state.folds + 1)
            yield f"worker {n + 1} folds the page", after, True
        elif page.owned == page.key and same:
            yield f"worker {n + 1} finds nothing new on the page", idle, True
        else:
            yield f"worker {n + 1} hands the page over", self._hand_over(state, n, page), True

    def _read_row(self, state: State, n: int, page: Page, does: str) -> State:
        """Read the product's row; one that is due and that nobody has will be rendered later."""
        owned = owned_by_product(state.rows)
        row = state.rows[owned] if owned != GONE else None
        if row is not None:
            leased = row.lease != NOBODY
            comes = row.due_at != NEVER and not leased and self.guards.hand_over_skips_due_rows
            if comes or (leased and not self.guards.scan_makes_leased_rows_due):
                return state.of_worker(n, IDLE)
            page = page._replace(owned=owned, revision=row.revision, digest=row.digest, leased=leased)
        return state.of_worker(n, Worker(does, page=page))

    def _read_product(self, state: State, n: int, page: Page, does: str) -> State:
        """Read and render the shop's product as it is now."""
        page = page._replace(key=state.shop.key, payload=state.shop.payload)
        return state.of_worker(n, Worker(does, page=page))

    def _hand_over(self, state: State, n: int, page: Page) -> State:
        """Fold the product as the page has it, and claim its row if nobody has touched it since."""
        before = state.rows[page.key]
        after = state.of_worker(n, IDLE)._replace(
            rows=self.mirror.place(state.rows, page.key, page.payload.version), folds=state.folds + 1
        )
        row = after.rows[page.key]
        known = page.revision if page.owned == page.key else 0
        found = before.revision if before else 0
        free = before is None or (before.owned and before.lease == NOBODY)
        if row is None or not free or (self.guards.hand_over_compares_revisions and known != found):
            return after
        lease = state.new_lease()
        was = before is not None and before.in_neuroon and self.bounds.refusals
        worker = Worker("rendered", page.key, lease, was_in_neuroon=was, payload=page.payload)
        return after.of_row(page.key, self.mirror.claim(row, lease)).of_worker(n, worker)
