"""Paid orders become conversions: fold order changes, ask the feed, report what a search led to.

The same machine as for products, with one request per order. An order is looked at whenever it was
saved; until it is paid its row waits, when it is reported the row is closed for good (law 13).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from django.db.models import Model
from django.utils import timezone

from neuroon_django import clicks, signals
from neuroon_django.api import Client, messages
from neuroon_django.conf import conf
from neuroon_django.delivery.order_fold import fold_orders, load
from neuroon_django.delivery.order_report import build, lines_of
from neuroon_django.exceptions import ApiError, InvalidProduct, NotFound, Refused, Unavailable
from neuroon_django.feeds import OrderFeed, payload_context, registry
from neuroon_django.feeds.feed import format_error
from neuroon_django.feeds.values import text
from neuroon_django.models import Conversion, ShopState
from neuroon_django.models.gates import MINUTE, MOMENT, ROW_BACKOFF_AFTER, backoff
from neuroon_django.querysets import ConversionStatus, Lane, Settlement

logger = logging.getLogger("neuroon_django")

AT_ONCE = 50


class ConversionRun:
    """One worker's run over the orders of one shop, as `sync.ProductRun` is over its products."""

    def __init__(
        self,
        shop: ShopState,
        client: Client,
        *,
        force: bool = False,
        until: float = float("inf"),
    ) -> None:
        self.shop = shop
        self.client = client
        self.force = force
        self.until = until
        self.sent = 0
        self.rejected: list[tuple[Conversion, str]] = []
        self.stopped = ""

    def run(self) -> int:
        """Until nothing is due; returns how many conversions were sent."""
        if self.force:
            Conversion.objects.hurry(self.shop)
        while not self.stopped and time.monotonic() < self.until:
            while fold_orders(self.shop):
                pass
            rows = Conversion.objects.claim(self.shop, Lane.CHANGES, AT_ONCE, seconds=self._lease)
            if not rows:
                break
            ready = self._sort(rows)
            try:
                while ready and not self.stopped and time.monotonic() < self.until:
                    self._send(*ready.pop(0))
            finally:
                Conversion.objects.release([row for row, _ in ready])
        Conversion.objects.wipe_clicks(conf.KEEP_CLICKS.total_seconds())
        if self.sent:
            ShopState.objects.set(self.shop.pk, last_success_at=timezone.now())
        return self.sent

    @property
    def _lease(self) -> float:
        return 2 * conf.TIMEOUT

    def _sort(self, rows: Sequence[Conversion]) -> list[tuple[Conversion, bytes]]:
        """Build what is paid and was clicked; the others wait, or are closed with a word."""
        ready, outcome = [], Settlement()
        orders = load(rows)
        with payload_context():
            for row in rows:
                feed = registry.order_feed(row.model)
                order = orders.get((row.model, row.object_pk))
                try:
                    values, body = look(feed, order, row)
                except InvalidProduct as invalid:
                    values, body = self._rejection(row, str(invalid)), None
                except Exception as error:  # the database's, say; it holds no other order up
                    reason = messages.text_of(format_error(error))
                    logger.warning("not_built order=%s error=%s", row.object_pk, reason)
                    pending = {"status": ConversionStatus.PENDING, "last_error": reason}
                    values, body = {"again": True, **pending}, None
                if body is None:
                    outcome.add(row, order_id=row.order_id, **values)
                else:
                    ready.append((row, body))
        settled = [row for row in rows if row.pk in outcome.values]
        Conversion.objects.settle(settled, outcome, MINUTE)
        return ready

    def _send(self, row: Conversion, body: bytes) -> None:
        self.stopped = self.shop.await_turn(
            "conversions", force=self.force, until=self.until, patient=self.force
        )
        if self.stopped:
            Conversion.objects.release([row])
            return
        sending = {"status": ConversionStatus.SENDING, "order_id": row.order_id}
        if not Conversion.objects.begin_sending([row], self._lease, **sending):
            return
        try:
            self.client.track_conversion(body)
        except ApiError as error:
            self._failed(row, error)
            return
        self.shop.succeeded("conversions")
        row.status, row.sent_at, row.clicks = ConversionStatus.SENT, timezone.now(), ""
        sent: dict[str, Any] = {"status": row.status, "sent_at": row.sent_at, "clicks": ""}
        self._settle(row, final=True, last_error="", clicked_at=None, **sent)
        self.sent += 1
        logger.info("conversion_sent order_id=%r", row.order_id)
        signals.conversion_sent.send_robust(Conversion, row=row)

    def _failed(self, row: Conversion, error: ApiError) -> None:
        """Refused: this one alone (`API.md`, "Errors"). Anything else is no order's fault."""
        if isinstance(error, Refused | NotFound):
            self.shop.answered("conversions")
            self._settle(row, **self._rejection(row, error.message))
            return
        if isinstance(error, Unavailable) and row.attempts > ROW_BACKOFF_AFTER:
            seconds = backoff(row.attempts, MOMENT)
        else:
            self.stopped = str(error)
            seconds = self.shop.failed("conversions", error)
        if error.unknown:
            return
        if isinstance(error, Unavailable):
            values = {"status": ConversionStatus.PENDING, "last_error": str(error)}
            self._settle(row, again=True, delay=seconds, **values)
        else:
            Conversion.objects.release([row])

    def _rejection(self, row: Conversion, reason: str) -> dict[str, Any]:
        self.rejected.append((row, reason))
        logger.warning("conversion_rejected order_id=%r reason=%s", row.order_id, reason)
        return {"status": ConversionStatus.REJECTED, "last_error": reason}

    def _settle(self, row: Conversion, *, delay: float = 0, **values: Any) -> None:
        outcome = Settlement()
        outcome.add(row, **values)
        Conversion.objects.settle([row], outcome, delay)


def look(
    feed: OrderFeed[Any] | None, order: Model | None, row: Conversion
) -> tuple[dict[str, Any], bytes | None]:
    """The body to send, or else what the row says from now on."""
    if feed is None or order is None:  # a cart that the feed leaves out, or deleted meanwhile
        return {"status": ConversionStatus.WAITING, "last_error": ""}, None
    order_id = feed.ask("order_id", text, feed.value("order_id", order) or "")
    row.order_id = order_id.encode(errors="replace").decode()[:255]
    if not feed.value("is_paid", order):
        return {"status": ConversionStatus.WAITING, "last_error": ""}, None
    clicked = clicks.parse(row.clicks)
    lines = lines_of(feed, order) if clicked else []
    if clicked and not lines:  # they may be written after the order
        return {"status": ConversionStatus.WAITING, "last_error": ""}, None
    body = build(feed, order, lines, clicked) if clicked else None
    return {"status": ConversionStatus.NOT_ATTRIBUTED, "last_error": ""}, body
