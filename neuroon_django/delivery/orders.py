"""The channel of orders: paid orders that a search led to, one report each."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from neuroon_django import signals
from neuroon_django.api import Client, messages
from neuroon_django.conf import conf
from neuroon_django.delivery.blame import Blame
from neuroon_django.delivery.channel import FOLD_SECONDS, Channel, Request
from neuroon_django.delivery.fold import fold_orders_for
from neuroon_django.exceptions import ApiError, Refused
from neuroon_django.feeds import Invalid, Waiting, registry
from neuroon_django.feeds.reporting import ReportResult
from neuroon_django.models import Change, Conversion, ConversionOutcomes, Group, Lane, ShopState
from neuroon_django.models.conversion import ConversionQuerySet

if TYPE_CHECKING:
    from neuroon_django.delivery.engine import Engine

logger = logging.getLogger("neuroon_django")

MAX_CLAIMED = 50


class OrderReport(Request[Conversion]):
    """The report of one order."""

    channel: OrderChannel

    def __init__(self, channel: OrderChannel, row: Conversion, body: bytes, note: str) -> None:
        super().__init__(channel, [row])
        self.body = body
        self.note = note  # what a person should know of what was left out

    @property
    def row(self) -> Conversion:
        return self.rows[0]

    def call(self, client: Client) -> None:
        client.track_conversion(self.body)


class OrderChannel(Channel[Conversion]):
    """Reports of one run."""

    group = Group.CONVERSIONS
    blame: Blame[OrderReport]

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        # What was reported cannot be sent again as a witness: its clicks are forgotten.
        self.blame = Blame(self, self._reject, self._keep)

    @property
    def limit(self) -> int:
        return MAX_CLAIMED

    @property
    def table(self) -> ConversionQuerySet:
        table: ConversionQuerySet = Conversion.objects.all()
        return table

    @property
    def claimable(self) -> ConversionQuerySet:
        return self.table.of_labels(registry.order_labels(self.shop.config))

    # Requests

    def prepare(self) -> None:
        if fold_orders_for(self.shop, FOLD_SECONDS, self.engine.until):
            self.engine.found_work()

    def claim_next(self) -> Sequence[Conversion]:
        claim, newest = self.engine.claim, self.blame.wants_newest
        rows = claim(self, Lane.LIVE, self.limit, newest=newest)
        rows = rows or claim(self, Lane.BACKFILL, self.limit, newest=newest)
        return rows or self.claim_refused()

    def build(self, rows: Sequence[Conversion]) -> Iterable[OrderReport]:
        outcomes, reports = ConversionOutcomes(), []
        results = report_rows(self.shop, rows)
        for row in rows:
            result = results[row.pk]
            row.order_id = result.order_id or row.order_id
            if isinstance(result, Waiting):
                self._keep_own_clicks(row, result.clicks)
                outcomes.waiting(row)
            elif isinstance(result, Invalid):
                self._tell_rejected(row, result.reason)
                outcomes.rejected(row, result.reason)
            elif result.body is None:
                outcomes.not_attributed(row, result.note)
            else:
                reports.append(OrderReport(self, row, result.body, result.note))
        self.table.settle(outcomes)
        return reports

    def _keep_own_clicks(self, row: Conversion, text: str) -> None:
        """Record the clicks that the shop keeps with an unpaid order, as if they came with a save."""
        source = registry.order_source(row.model, self.shop.config)
        if text and source is not None:
            shop = self.shop.config.fingerprint  # the row's own, whose feed has given these clicks
            Change.objects.append([(source.topic, row.object_pk)], clicks=text, shop=shop)

    def retry(self, rows: Sequence[Conversion], delay: float, reason: str = "") -> None:
        outcomes = ConversionOutcomes(delay)
        for row in rows:
            outcomes.retry(row, reason)
        self.table.settle(outcomes)

    def close(self) -> None:
        """Give back what was not sent, and wipe old clicks."""
        super().close()
        self.table.wipe_clicks(conf.KEEP_CLICKS.total_seconds())

    # Answers

    def accepted(self, report: OrderReport, answer: None = None) -> None:
        """Handle a 2xx: the order is reported, and closed for good."""
        self.shop.endpoint(self.group).succeeded()
        self.blame.confirm_configuration(report)
        outcomes = ConversionOutcomes()
        outcomes.sent(report.row, messages.decode_report(report.body), report.note)
        self.table.settle(outcomes)
        self.statistics.reported += 1
        logger.info("conversion_sent order_id=%r", report.row.order_id)
        self.notify(signals.conversion_sent, report.row.model, row=report.row)

    def refused(self, report: OrderReport, error: ApiError) -> bool:
        """Handle a refusal of one order: its own fault, unless others are refused in the same words."""
        if not isinstance(error, Refused):
            return False
        self.shop.endpoint(self.group).understood()
        self.blame.refused(report, error)
        self.blame.weigh()
        return True

    def _reject(self, report: OrderReport, reason: str) -> None:
        self._tell_rejected(report.row, reason)
        outcomes = ConversionOutcomes()
        outcomes.rejected(report.row, reason)
        self.table.settle(outcomes)

    def _keep(self, refused: Sequence[tuple[OrderReport, str]]) -> None:
        outcomes = ConversionOutcomes()
        for report, reason in refused:
            outcomes.refused(report.row, reason)
        self.table.settle(outcomes)

    def _tell_rejected(self, row: Conversion, reason: str) -> None:
        self.statistics.rejected_orders.append((row.order_id or row.object_pk, reason))
        self.statistics.note_rejected("orders", row.order_id, reason)


def report_rows(shop: ShopState, rows: Sequence[Conversion]) -> dict[int, ReportResult]:
    """Return what the orders of these rows are now, by the rows' primary keys.

    It takes a fixed number of queries per model, beside those that the shop's `lines()` makes.
    """
    results: dict[int, ReportResult] = {row.pk: Waiting(row.order_id) for row in rows}
    for label in dict.fromkeys(row.model for row in rows):
        source = registry.order_source(label, shop.config)
        if source is None:
            continue
        own = [row for row in rows if row.model == label]
        reports = source.report_many({row.object_pk: row.clicked for row in own})
        results |= {row.pk: reports[row.object_pk] for row in own}
    return results
