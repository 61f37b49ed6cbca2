"""Verdicts: what an answer says of the rows that were sent, and who is to blame for a refusal (law 8).

A refusal that names products is theirs. One that names none is narrowed down by halves until a
product stands alone. The first few that stand alone and hear one and the same message are acquitted:
then it is no product's fault, and nothing is sent until somebody looks.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

from django.utils import timezone

from neuroon_django import signals
from neuroon_django.api import Client, messages
from neuroon_django.delivery.parcels import Parcel, refused_digest, rejection
from neuroon_django.delivery.troubles import Tally, Troubles
from neuroon_django.exceptions import ApiError, Refused
from neuroon_django.models import ShopState, SyncedProduct
from neuroon_django.querysets import ProductStatus, Settlement

logger = logging.getLogger("neuroon_django")

ROUTE_REFUSALS = (400, 404, 405, 415, 422)  # `API.md`, "Products": this route is not the one
SILENT = "refused without a reason"
SUSPECTS = 3  # products refused alone before their common message is nobody's fault


class Verdicts(Troubles):
    """Settles the answers to parcels. `parts` are to be sent again: halves, or by another route."""

    def __init__(self, shop: ShopState, client: Client, tally: Tally, *, patient: bool) -> None:
        super().__init__(shop, client, tally, patient=patient)
        self.parts: deque[Parcel] = deque()
        self.suspects: list[tuple[Parcel, str]] = []
        self.acquitted = False  # something was accepted, so refusals are the products' own

    def succeeded(self, parcel: Parcel, answer: messages.SyncResult) -> None:
        """A 2xx: named products are rejected, unnamed failures are looked for, the rest is there."""
        self.shop.answered("products")
        named = [row for row in parcel.rows if row.external_id in answer.named]
        rest = [row for row in parcel.rows if row.external_id not in answer.named]
        missing = len(parcel.rows) - max(answer.synced, answer.created + answer.updated)
        unnamed = max(answer.failed, missing) - len(named)
        if unnamed >= len(parcel.rows) == 1:
            self._refused_alone(parcel, "; ".join(answer.messages) or SILENT)
            return
        self._learn_route(parcel)
        if rest and unnamed > 0:
            part = parcel.part(rest)
            self.parts.extendleft(reversed(part.halves() if len(rest) > 1 else [part]))
            rest = []
        if rest:
            self.shop.succeeded("products")
            self._acquit()
        self._settle(parcel, rest, {row: answer.named[row.external_id] for row in named})
        self.tally.synced += len(rest)
        for count in ("created", "updated", "failed"):
            setattr(self.tally, count, getattr(self.tally, count) + getattr(answer, count))
        signals.products_synced.send_robust(
            SyncedProduct,
            synced=answer.synced,
            created=answer.created,
            updated=answer.updated,
            failed=answer.failed,
        )

    def failed(self, parcel: Parcel, error: ApiError) -> None:
        """Anything else."""
        if self.route is None and error.status in ROUTE_REFUSALS:
            self.shop.answered("products")
            self._other_route(parcel, error)
        elif isinstance(error, Refused):
            self.shop.answered("products")
            self._refused(parcel, error)
        else:
            self.put_off(parcel, error)

    def close(self, *, finished: bool) -> None:
        """Give back what was not sent; a lone suspect is guilty, if all others were heard."""
        if finished:
            self._acquit()
        self._let_go()
        for parcel in self.parts:
            SyncedProduct.objects.release(parcel.rows)
        self.parts.clear()

    def tell_rejected(self, row: SyncedProduct, reason: str) -> None:
        self.tally.rejected += 1
        logger.warning("product_rejected external_id=%r reason=%s", row.external_id, reason)
        signals.product_rejected.send_robust(SyncedProduct, row=row, reason=reason)

    def _refused(self, parcel: Parcel, error: Refused) -> None:
        """A whole batch was refused: those it names are rejected, else halves are tried."""
        ids = [row.external_id for row in parcel.rows]
        named, _ = messages.read_refusals(error.details, ids)
        if len(ids) == 1:
            self._refused_alone(parcel, named.get(ids[0]) or error.message)
        elif named:
            rest = parcel.part([row for row in parcel.rows if row.external_id not in named])
            if rest.rows:
                self.parts.appendleft(rest)
            guilty = {row: named[row.external_id] for row in parcel.rows if row.external_id in named}
            self._settle(parcel, [], guilty)
        else:
            self.parts.extendleft(reversed(parcel.halves()))

    def _refused_alone(self, parcel: Parcel, reason: str) -> None:
        """The product's fault, unless the first ones tried alone all hear the same (law 8)."""
        self.suspects.append((parcel, reason))
        heard = {text.replace(p.rows[0].external_id, "…") for p, text in self.suspects}
        if self.acquitted or len(heard) > 1:
            self._acquit()
        elif len(self.suspects) == SUSPECTS:
            self._let_go()
            self.stop("products", Refused(reason, method="POST", path="products/sync"))

    def _acquit(self) -> None:
        """The configuration is fine, so the suspects are refused for their own sake."""
        self.acquitted = True
        while self.suspects:
            parcel, reason = self.suspects.pop()
            self._settle(parcel, [], {parcel.rows[0]: reason})

    def _let_go(self) -> None:
        for parcel, _ in self.suspects:
            SyncedProduct.objects.release(parcel.rows)
        self.suspects.clear()

    def _settle(
        self, parcel: Parcel, synced: Sequence[SyncedProduct], refused: dict[SyncedProduct, str]
    ) -> None:
        payloads = dict(zip((row.pk for row in parcel.rows), parcel.payloads, strict=True))
        outcome, now = Settlement(), timezone.now()
        for row in synced:
            outcome.add(
                row,
                status=ProductStatus.SYNCED,
                digest=messages.digest(payloads[row.pk]),
                last_error="",
                synced_at=now,
            )
        for row, reason in refused.items():
            outcome.add(row, **rejection(row, reason, refused_digest(payloads[row.pk])))
            self.tell_rejected(row, reason)
        SyncedProduct.objects.settle([*synced, *refused], outcome)

    def _other_route(self, parcel: Parcel, error: ApiError) -> None:
        """Nobody knows the route yet: the other one is asked before anybody is blamed."""
        if parcel.route == "plugin":
            self.parts.appendleft(Parcel(parcel.rows, parcel.payloads, "shops", error))
            return
        first = parcel.first_error
        told = first if isinstance(first, Refused) and error.status in (404, 405, 415) else error
        if isinstance(told, Refused):
            self._refused(parcel, told)
        else:
            self.put_off(parcel, told)

    def _learn_route(self, parcel: Parcel) -> None:
        if self.route is None:
            self.shop.route = parcel.route
            ShopState.objects.set(self.shop.pk, route=parcel.route)
            logger.info("route_found route=%s", parcel.route)
