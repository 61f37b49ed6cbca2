"""The channel of products: batches to sync, and what an answer says of each product in them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from django.utils import timezone

from neuroon_django import signals
from neuroon_django.api import messages
from neuroon_django.delivery import ways
from neuroon_django.delivery.batch import ProductBatch
from neuroon_django.delivery.blame import Blame
from neuroon_django.delivery.building import Results, build, render_rows
from neuroon_django.delivery.channel import FOLD_SECONDS, Channel
from neuroon_django.delivery.fold import fold_for
from neuroon_django.delivery.scan import Scan
from neuroon_django.exceptions import ApiError, Refused
from neuroon_django.feeds import registry
from neuroon_django.models import Change, Group, Lane, ProductOutcomes, SyncedProduct
from neuroon_django.models.product import SyncedProductQuerySet

if TYPE_CHECKING:
    from neuroon_django.delivery.engine import Engine

logger = logging.getLogger("neuroon_django")

NO_REASON = "refused without a reason"


class ProductChannel(Channel[SyncedProduct]):
    """Products of one run. What is to be sent again, halves say, goes ahead of what is due."""

    group = Group.PRODUCTS

    def __init__(self, engine: Engine, scan: Scan | None = None) -> None:
        super().__init__(engine)
        self.blame: Blame[ProductBatch] = Blame(self._reject, self._give_back)
        self.rendered: Results = {}  # of the rows that are built next, where the scan rendered them
        self.scan = scan
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
        """Whether the way is still to be found: by one product alone."""
        return self.shop.known_way is None

    @property
    def has_more(self) -> bool:
        """Whether requests wait, or the scan is not over."""
        return bool(self.ready or (self.scan and self.scan.has_more))

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
            if rows or self.scan is None or not self.engine.has_time or not self.scan.step():
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
        built = build(rows, rendered or render_rows(self.shop, rows))
        for row, reason in built.rejected:
            self._tell_rejected(row, reason)
        Change.objects.append(built.stale)
        self.table.settle(built.outcomes)
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

    def close(self, *, finished: bool) -> None:
        """Confirm the remaining provisional rejections where the run is complete."""
        if finished:
            self.blame.accepted()
        self.blame.release()
        if self.goes_alone:  # the product that finds the way goes on with it in the next run
            self.retry([row for batch in self.ready for row in batch.rows], ways.FIRST_IN_LINE)
            self.ready.clear()
        if self.scan is not None:
            self.table.release([row for row, _ in self.scan.handed])
            self.scan.handed.clear()
        super().close(finished=finished)

    # Answers

    def accepted(self, batch: ProductBatch, answer: messages.SyncResult) -> None:
        """Handle a 2xx: named products are rejected, unnamed failures are looked for."""
        endpoint = self.shop.endpoint(self.group)
        endpoint.understood()
        refused = {
            row: answer.refused[row.external_id]
            for row in batch.rows
            if row.external_id in answer.refused
        }
        rest = [row for row in batch.rows if row not in refused]
        if len(batch.rows) == 1 and answer.unnamed:
            self._refused_alone(batch, "; ".join(answer.messages) or NO_REASON)
            return
        self._learn_way(batch)
        if rest and answer.unnamed:
            part = batch.part(rest)
            self.ready.extendleft(reversed(part.halves() if len(rest) > 1 else [part]))
            rest = []
        if rest:
            endpoint.succeeded()
            self.blame.accepted()
        self._settle(batch, rest, refused, answer.warnings)
        self._count(batch, answer, len(rest))

    def _count(self, batch: ProductBatch, answer: messages.SyncResult, synced: int) -> None:
        counts = {"created": answer.created, "updated": answer.updated, "failed": answer.failed}
        self.statistics.synced += synced
        for name, count in counts.items():
            setattr(self.statistics, name, getattr(self.statistics, name) + count)
        for label in dict.fromkeys(row.model for row in batch.rows):
            self.notify(signals.products_synced, label, synced=answer.synced, **counts)

    def refused(self, batch: ProductBatch, error: ApiError) -> bool:
        """Handle what lies in the products, or in the way as long as none is known."""
        endpoint = self.shop.endpoint(self.group)
        if self.shop.known_way is None and ways.refuses_way(error):
            endpoint.understood()
            self._try_next_way(batch, error)
            return True
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
        warnings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        outcomes, now = ProductOutcomes(), timezone.now()
        for row in synced:
            warning = warnings.get(row.external_id, "")
            outcomes.synced(row, batch.rendered[row.pk].digest, now, warning)
        for row, text in refused.items():
            reason = messages.without_name(text, row.external_id)
            outcomes.rejected(row, reason, batch.rendered[row.pk].refused_digest)
            self._tell_rejected(row, reason)
        for external_id, text in warnings.items():
            logger.warning("product_warning external_id=%r reason=%s", external_id, text)
            self.statistics.warnings[text] = self.statistics.warnings.get(text, 0) + 1
        self.table.settle(outcomes)

    def _tell_rejected(self, row: SyncedProduct, reason: str) -> None:
        self.statistics.rejected += 1
        logger.warning("product_rejected external_id=%r reason=%s", row.external_id, reason)
        self.notify(signals.product_rejected, row.model, row=row, reason=reason)

    # The way

    def _try_next_way(self, batch: ProductBatch, error: ApiError) -> None:
        """Ask in all ways before anything is concluded, as long as none is known."""
        external_id = batch.ids[0]
        ways.note_refusal(self.shop, batch.way, external_id, error)
        if way := ways.next_way(self.shop, external_id):
            self.ready.appendleft(batch.part(batch.rows, way))
            return
        cause = ways.conclude(self.shop, external_id)
        if isinstance(cause, Refused):
            self._narrow_down(batch, cause)
        else:
            self.engine.errors.put_off(batch, cause)

    def _learn_way(self, batch: ProductBatch) -> None:
        if self.shop.known_way is None:
            self.shop.way_found(batch.way)
            logger.info("route_found route=%s", batch.way)
