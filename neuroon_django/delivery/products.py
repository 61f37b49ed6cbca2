"""The channel of products: which batch is sent next. What an answer means, `product_answers` says."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from neuroon_django.delivery import ways
from neuroon_django.delivery.batch import ProductBatch
from neuroon_django.delivery.blame import Blame
from neuroon_django.delivery.building import Results, build, render_rows
from neuroon_django.delivery.channel import FOLD_SECONDS, Request
from neuroon_django.delivery.fan_out import note_unreadable
from neuroon_django.delivery.fold import fold_for
from neuroon_django.delivery.parents import ParentOrder
from neuroon_django.delivery.planning import plan_changes
from neuroon_django.delivery.product_answers import ProductAnswers
from neuroon_django.delivery.scan import Scan
from neuroon_django.delivery.witness import find_witness
from neuroon_django.feeds import registry
from neuroon_django.models import Change, Lane, ProductOutcomes, SyncedProduct
from neuroon_django.models.product import SyncedProductQuerySet

if TYPE_CHECKING:
    from neuroon_django.delivery.engine import Engine


class ProductChannel(ProductAnswers):
    """Products of one run."""

    def __init__(self, engine: Engine, scan: Scan | None = None) -> None:
        super().__init__(engine)
        self.blame = Blame(self, self._reject, self._keep, partial(find_witness, self))
        self.rendered: Results = {}  # of the rows that are built next, where the scan rendered them
        self.scan = scan
        self.parents = ParentOrder(self.shop, scan)
        if scan is not None:
            scan.lease_seconds = engine.lease_seconds

    @property
    def table(self) -> SyncedProductQuerySet:
        table: SyncedProductQuerySet = SyncedProduct.objects.all()
        return table

    @property
    def claimable(self) -> SyncedProductQuerySet:
        return self.table.of_labels(registry.product_labels(self.shop.config))

    @property
    def goes_alone(self) -> bool:
        """Return whether the way is still to be found: by one product alone."""
        return self.shop.known_way is None

    @property
    def goes_on(self) -> bool:
        """Return whether the scan is not over."""
        return bool(self.scan and self.scan.has_more)

    @property
    def limit(self) -> int:
        return 1 if self.goes_alone else self.shop.config.BATCH_SIZE

    # Requests

    def prepare(self) -> None:
        if fold_for(self.shop, FOLD_SECONDS, self.engine.until):
            self.engine.found_work()

    def claim_next(self) -> Sequence[SyncedProduct]:
        """Return rows that are due; where there are none, the scan finds some."""
        claim, newest = self.engine.claim, self.blame.wants_newest
        while True:
            rows = claim(self, Lane.LIVE, self.limit, newest=newest) or self._handed(newest=newest)
            rows = rows or claim(self, Lane.BACKFILL, self.limit, newest=newest)
            if rows or not self.engine.has_time:
                return rows
            if self.scan is None:
                return self.claim_refused()
            if not self.scan.step() and not self.parents.wake_all():
                return self.claim_refused()
            self.statistics.scanned = self.scan.seen
            self.engine.empty_lanes.pop((self.group, Lane.BACKFILL), None)
            self.engine.progressed = True
            self.prepare()  # ids that the page has released are taken over before they are deleted
            self.engine.on_progress(self.statistics)

    def _handed(self, *, newest: bool) -> list[SyncedProduct]:
        """Return rows that the scan has claimed for this run, and keep what it rendered."""
        handed = self.scan.handed if self.scan else deque()
        take = handed.pop if newest else handed.popleft
        pairs = [take() for _ in range(min(self.limit, len(handed)))]
        self.rendered = {(row.model, row.object_pk): one for row, one in pairs}
        return [row for row, _ in pairs]

    def build(self, rows: Sequence[SyncedProduct]) -> Iterable[ProductBatch]:
        rendered, self.rendered = self.rendered, {}
        results = rendered or render_rows(self.shop, rows)
        note_unreadable(self.shop, results)
        plan_changes(self.shop, results)
        built = build(rows, results)
        self.parents.put_off(built)
        for row, reason in built.rejected:
            self._tell_rejected(row, reason)
        Change.objects.append(built.stale)
        self.table.settle(built.outcomes)
        self.parents.built(built)
        self.statistics.unchanged += built.unchanged
        if built.stale:
            self.prepare()
        if built.rows:
            way = self.shop.known_way or ways.next_way(self.shop, built.rows[0].external_id)
            yield ProductBatch(self, built.rows, built.rendered, way or self.shop.ways[0])

    def retry(self, rows: Sequence[SyncedProduct], delay: float, reason: str = "") -> None:
        outcomes = ProductOutcomes(delay)
        for row in rows:
            outcomes.retry(row, reason)
        self.table.settle(outcomes)

    @property
    def claimed(self) -> list[SyncedProduct]:
        """Return the rows that this run has claimed and not sent, those of the scan included."""
        return super().claimed + [row for row, _ in (self.scan.handed if self.scan else ())]

    def give_back(self, request: Request[SyncedProduct], rows: Sequence[SyncedProduct]) -> None:
        """Give rows back unsent; the product that finds the way goes on with it in the next run."""
        if self.goes_alone and not request.outcome_unknown:
            self.retry(rows, ways.FIRST_IN_LINE)
        else:
            super().give_back(request, rows)

    def close(self) -> None:
        """Give back what was claimed and not sent."""
        if self.scan is not None:
            self.table.release([row for row, _ in self.scan.handed])
            self.scan.handed.clear()
        super().close()
