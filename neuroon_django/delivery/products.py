"""The channel of products: batches to sync, and what an answer says of each product in them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from django.utils import timezone

from neuroon_django import signals
from neuroon_django.api import messages
from neuroon_django.delivery.batch import ProductBatch
from neuroon_django.delivery.blame import Blame
from neuroon_django.delivery.building import Results, build, render_rows
from neuroon_django.delivery.channel import FOLD_SECONDS, Channel
from neuroon_django.delivery.fold import fold_for
from neuroon_django.delivery.parents import ParentOrder
from neuroon_django.delivery.planning import plan_changes
from neuroon_django.delivery.scan import Scan
from neuroon_django.exceptions import ApiError, Refused
from neuroon_django.models import Change, Group, Lane, ProductOutcomes, SyncedProduct
from neuroon_django.models.product import SyncedProductQuerySet

if TYPE_CHECKING:
    from neuroon_django.delivery.engine import Engine

logger = logging.getLogger("neuroon_django")

ROUTE_REFUSALS = (400, 404, 405, 415, 422)  # `API.md`, "Products": this route is not the one
NO_REASON = "refused without a reason"


class ProductChannel(Channel[SyncedProduct]):
    """Products of one run. What is to be sent again, halves say, goes ahead of what is due."""

    group = Group.PRODUCTS

    def __init__(self, engine: Engine, scan: Scan | None = None) -> None:
        super().__init__(engine)
        self.blame: Blame[ProductBatch] = Blame(self._reject, self._give_back)
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
    def goes_alone(self) -> bool:
        """Whether the route is still to be found: by one product alone."""
        return self.shop.known_route is None

    @property
    def has_more(self) -> bool:
        """Whether requests wait, or the scan is not over."""
        return bool(self.ready or (self.scan and (self.scan.handed or self.scan.cursor)))

    @property
    def limit(self) -> int:
        return 1 if self.goes_alone else self.shop.config.BATCH_SIZE

    # Requests

    def prepare(self) -> None:
        if fold_for(self.shop, FOLD_SECONDS, self.engine.until):
            self.engine.found_work()

    def claim_next(self) -> Sequence[SyncedProduct]:
        """Return rows that are due; where there are none, the scan finds some."""
        claim = self.engine.claim
        while True:
            rows = claim(self, Lane.LIVE, self.limit) or self._handed()
            rows = rows or claim(self, Lane.BACKFILL, self.limit)
            if rows or self.scan is None or not self.engine.has_time:
                return rows
            if not self.scan.step() and not self.parents.look_again():
                return rows
            self.statistics.scanned = self.scan.seen
            self.engine.empty_lanes.pop((self.group, Lane.BACKFILL), None)
            self.engine.progressed = True
            self.prepare()  # ids that the page has released are taken over before they are deleted
            self.engine.on_progress(self.statistics)

    def _handed(self) -> list[SyncedProduct]:
        """Return rows that the scan has claimed for this run, and keep what it rendered."""
        handed = self.scan.handed if self.scan else deque()
        pairs = [handed.popleft() for _ in range(min(self.limit, len(handed)))]
        self.rendered = {(row.model, row.object_pk): one for row, one in pairs}
        return [row for row, _ in pairs]

    def build(self, rows: Sequence[SyncedProduct]) -> Iterable[ProductBatch]:
        rendered, self.rendered = self.rendered, {}
        results = rendered or render_rows(self.shop, rows)
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
            yield ProductBatch(self, built.rows, built.rendered, self.shop.known_route or "plugin")

    def retry(self, rows: Sequence[SyncedProduct], delay: float, reason: str = "") -> None:
        outcomes = ProductOutcomes(delay)
        for row in rows:
            outcomes.retry(row, reason)
        self.table.settle(outcomes)

    def close(self, *, finished: bool) -> None:
        """Confirm the remaining provisional rejections where the run is complete."""
        if finished:
            self.blame.accepted()
        self.blame.release()
        if self.scan is not None:
            self.table.release([row for row, _ in self.scan.handed])
            self.scan.handed.clear()
        super().close(finished=finished)

    # Answers

    def accepted(self, batch: ProductBatch, answer: messages.SyncResult) -> None:
        """Handle a 2xx: named products are rejected, unnamed failures are looked for."""
        endpoint = self.shop.endpoint(self.group)
        endpoint.understood()
        named = [row for row in batch.rows if row.external_id in answer.named]
        rest = [row for row in batch.rows if row.external_id not in answer.named]
        missing = len(batch.rows) - max(answer.synced, answer.created + answer.updated)
        unnamed = max(answer.failed, missing) - len(named)
        if len(batch.rows) == 1 and unnamed >= 1:
            self._refused_alone(batch, "; ".join(answer.messages) or NO_REASON)
            return
        self._learn_route(batch)
        if rest and unnamed > 0:
            part = batch.part(rest)
            self.ready.extendleft(reversed(part.halves() if len(rest) > 1 else [part]))
            rest = []
        if rest:
            endpoint.succeeded()
            self.blame.accepted()
        self._settle(batch, rest, {row: answer.named[row.external_id] for row in named})
        self._count(answer, len(rest))

    def _count(self, answer: messages.SyncResult, synced: int) -> None:
        counts = {"created": answer.created, "updated": answer.updated, "failed": answer.failed}
        self.statistics.synced += synced
        for name, count in counts.items():
            setattr(self.statistics, name, getattr(self.statistics, name) + count)
        signals.products_synced.send_robust(SyncedProduct, synced=answer.synced, **counts)

    def refused(self, batch: ProductBatch, error: ApiError) -> bool:
        """Handle what lies in the products, or in the route as long as none is known."""
        endpoint = self.shop.endpoint(self.group)
        if self.shop.known_route is None and error.status in ROUTE_REFUSALS:
            endpoint.understood()
            return self._try_other_route(batch, error)
        if isinstance(error, Refused):
            endpoint.understood()
            self._narrow_down(batch, error)
            return True
        return False

    def _narrow_down(self, batch: ProductBatch, error: Refused) -> None:
        """A whole batch was refused: those it names are rejected, else halves are tried."""
        named, _ = messages.read_refusals(error.details, batch.ids)
        if len(batch.rows) == 1:
            self._refused_alone(batch, named.get(batch.ids[0]) or error.message)
        elif named:
            rest = [row for row in batch.rows if row.external_id not in named]
            if rest:
                self.ready.appendleft(batch.part(rest))
            guilty = [row for row in batch.rows if row.external_id in named]
            self._settle(batch, [], {row: named[row.external_id] for row in guilty})
        else:
            self.ready.extendleft(reversed(batch.halves()))

    def _refused_alone(self, batch: ProductBatch, reason: str) -> None:
        if self.blame.refused_alone(batch, reason, batch.rows[0].external_id):
            cause = Refused(reason, method="POST", path="products/sync")
            self.engine.errors.block(self.group, cause)

    def _reject(self, batch: ProductBatch, reason: str) -> None:
        self._settle(batch, [], {batch.rows[0]: reason})

    def _give_back(self, batches: list[ProductBatch]) -> None:
        self.table.release([row for batch in batches for row in batch.rows])

    def _settle(
        self,
        batch: ProductBatch,
        synced: Sequence[SyncedProduct],
        refused: dict[SyncedProduct, str],
    ) -> None:
        outcomes, now = ProductOutcomes(), timezone.now()
        for row in synced:
            outcomes.synced(row, batch.rendered[row.pk].digest, now)
        for row, reason in refused.items():
            outcomes.rejected(row, reason, batch.rendered[row.pk].refused_digest)
            self._tell_rejected(row, reason)
        self.table.settle(outcomes)
        self.parents.settled(outcomes.rows)

    def _tell_rejected(self, row: SyncedProduct, reason: str) -> None:
        self.statistics.rejected += 1
        logger.warning("product_rejected external_id=%r reason=%s", row.external_id, reason)
        signals.product_rejected.send_robust(SyncedProduct, row=row, reason=reason)

    # The route

    def _try_other_route(self, batch: ProductBatch, error: ApiError) -> bool:
        """Ask the other route before anything is concluded, as long as none is known."""
        if batch.route == "plugin":
            other = batch.part(batch.rows, "shops")
            other.first_error = error
            self.ready.appendleft(other)
            return True
        first = batch.first_error
        cause = first if isinstance(first, Refused) and error.status in (404, 405, 415) else error
        if isinstance(cause, Refused):
            self._narrow_down(batch, cause)
        else:
            self.engine.errors.put_off(batch, cause)
        return True

    def _learn_route(self, batch: ProductBatch) -> None:
        if self.shop.known_route is None:
            self.shop.route_found(batch.route)
            logger.info("route_found route=%s", batch.route)
