"""What an answer to a batch of products means: for each product in it, and for the way it went."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from django.utils import timezone

from neuroon_django import signals
from neuroon_django.api import messages
from neuroon_django.delivery import ways
from neuroon_django.delivery.batch import ProductBatch
from neuroon_django.delivery.blame import Blame
from neuroon_django.delivery.channel import Channel
from neuroon_django.delivery.parents import ParentOrder
from neuroon_django.exceptions import ApiError, Refused
from neuroon_django.models import Group, ProductOutcomes, SyncedProduct

logger = logging.getLogger("neuroon_django")

NO_REASON = "refused without a reason"
NO_WARNINGS: Mapping[str, str] = MappingProxyType({})


class ProductAnswers(Channel[SyncedProduct]):
    """The half of the product channel that reads answers; halves go ahead of what is due."""

    group = Group.PRODUCTS
    blame: Blame[ProductBatch]
    parents: ParentOrder

    def accepted(self, batch: ProductBatch, answer: messages.SyncResult) -> None:
        """Handle a 2xx: named products are refused, unnamed failures are looked for."""
        endpoint, is_witness = self.shop.endpoint(self.group), self.blame.is_witness(batch)
        endpoint.understood()
        refused = {
            r: answer.refused[r.external_id] for r in batch.rows if r.external_id in answer.refused
        }
        rest = [row for row in batch.rows if row not in refused]
        if len(batch.rows) == 1 and answer.unnamed:
            self._refuse(batch, {batch.rows[0]: "; ".join(answer.messages) or NO_REASON})
            return
        self._learn_way(batch)
        if len(refused) + answer.unnamed < len(batch.rows):
            endpoint.succeeded()
            self.blame.confirm_configuration(batch)
        if rest and answer.unnamed:
            part = batch.part(rest)
            self.ready.extendleft(reversed(part.halves() if len(rest) > 1 else [part]))
            rest = []
        self._settle(batch, rest, {}, answer.warnings)
        self._refuse(batch, refused)
        if not is_witness:
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
        """Look for whom a refusal of a whole batch concerns: whom it names, else by halves."""
        named, _ = messages.read_refusals(error.details, batch.ids)
        if len(batch.rows) == 1:
            own = named.get(batch.ids[0])
            self._refuse(batch, {batch.rows[0]: own or error.message}, error)
        elif named:
            rest = [row for row in batch.rows if row.external_id not in named]
            if rest:
                self.ready.appendleft(batch.part(rest))
            refused = [row for row in batch.rows if row.external_id in named]
            self._refuse(batch, {row: named[row.external_id] for row in refused}, error)
        else:
            self.ready.extendleft(reversed(batch.halves()))

    def _refuse(
        self, batch: ProductBatch, reasons: dict[SyncedProduct, str], error: Refused | None = None
    ) -> None:
        """Handle what was refused for a reason of its own, or alone; `error` is the whole answer."""
        status = error.status if error else None
        if self.blame.is_witness(batch) and reasons:
            outcomes = ProductOutcomes(keeps_lease=batch.outcome_unknown)
            outcomes.witness_refused(batch.rows[0])
            self.table.settle(outcomes)
        for row, reason in reasons.items():
            own = Refused(reason, method="POST", path="products/sync", status=status)
            self.blame.refused(batch.part([row]), own)
        self.blame.weigh()

    def _reject(self, batch: ProductBatch, reason: str) -> None:
        self._settle(batch, [], {batch.rows[0]: reason})

    def _keep(self, refused: Sequence[tuple[ProductBatch, str]]) -> None:
        for keeps_lease in (False, True):
            outcomes = ProductOutcomes(keeps_lease=keeps_lease)
            for batch, reason in refused:
                if batch.outcome_unknown == keeps_lease:
                    outcomes.refused(batch.rows[0], reason)
            self.table.settle(outcomes)

    def _settle(
        self,
        batch: ProductBatch,
        synced: Sequence[SyncedProduct],
        refused: dict[SyncedProduct, str],
        warnings: Mapping[str, str] = NO_WARNINGS,
    ) -> None:
        outcomes, now = ProductOutcomes(keeps_lease=batch.outcome_unknown), timezone.now()
        for row in synced:
            warning = warnings.get(row.external_id, "")
            outcomes.synced(row, batch.rendered[row.pk].digest, now, warning)
            self.statistics.note_indexed(row, now)
        for row, text in refused.items():
            reason = messages.without_name(text, row.external_id)
            outcomes.rejected(row, reason, batch.rendered[row.pk].refused_digest)
            self._tell_rejected(row, reason)
        for external_id, text in warnings.items():
            logger.warning("product_warning external_id=%r reason=%s", external_id, text)
            self.statistics.warnings[text] = self.statistics.warnings.get(text, 0) + 1
        self.table.settle(outcomes)
        self.parents.settled(outcomes.rows)

    def _tell_rejected(self, row: SyncedProduct, reason: str) -> None:
        self.statistics.rejected += 1
        self.statistics.note_rejected("products", row.external_id, reason)
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
