"""Parcels: claimed rows with what is to be sent for them, and what needs no sending at all.

Runs between the claim and the first byte: it loads the shop's objects in a fixed number of queries,
asks their feed, and sorts the rows by what they need.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from neuroon_django.api import Client, messages
from neuroon_django.conf import VERSION
from neuroon_django.exceptions import ApiError, InvalidProduct
from neuroon_django.feeds import payload_context, registry
from neuroon_django.models import SyncedProduct
from neuroon_django.querysets import Lane, ProductStatus, Settlement

STILL_SHOWN = "; Neuroon still shows the previous version"


class TooLate(Exception):
    """A request that did not begin in time, as when its process was stopped: its lease may end
    before it does, so another worker's newer one could overtake it (law 5)."""


@dataclass
class Cargo:
    """One request. `leave_by` is the monotonic second by which it must have begun."""

    leave_by: float = field(default=float("inf"), init=False)

    def send(self, client: Client) -> Any:
        if time.monotonic() > self.leave_by:
            raise TooLate
        return self.call(client)

    def call(self, client: Client) -> Any:
        raise NotImplementedError


@dataclass
class Parcel(Cargo):
    """One request's worth of claimed rows and their encoded products, in the same order."""

    rows: list[SyncedProduct]
    payloads: list[bytes]
    route: messages.Route
    # What the other route said, where this one is tried after it.
    first_error: ApiError | None = None

    group: ClassVar[str] = "products"
    on_the_wire: ClassVar[dict[str, Any]] = {
        "digest": "",
        "held": True,
        "status": ProductStatus.SENDING,
    }

    def call(self, client: Client) -> messages.SyncResult:
        ids = [row.external_id for row in self.rows]
        return client.sync_products(self.payloads, ids, self.route)

    def part(self, chosen: Sequence[SyncedProduct]) -> Parcel:
        """The same for some of the rows."""
        payloads = dict(zip((row.pk for row in self.rows), self.payloads, strict=True))
        return Parcel(list(chosen), [payloads[row.pk] for row in chosen], self.route)

    def halves(self) -> list[Parcel]:
        middle = (len(self.rows) + 1) // 2
        return [self.part(self.rows[:middle]), self.part(self.rows[middle:])]


@dataclass
class Removal(Cargo):
    """One product to take out of Neuroon."""

    row: SyncedProduct
    route: messages.Route

    group: ClassVar[str] = "deletes"
    on_the_wire: ClassVar[dict[str, Any]] = {"digest": ""}

    @property
    def rows(self) -> list[SyncedProduct]:
        return [self.row]

    def call(self, client: Client) -> None:
        by_own_id = self.route == "shops" and self.row.remote_id
        product_id = self.row.remote_id if by_own_id else self.row.external_id
        client.delete_product(product_id, self.route)


@dataclass
class Sorted:
    """Claimed rows by what they need: sending, or only a word on the row."""

    rows: list[SyncedProduct] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    done: Settlement = field(default_factory=Settlement)
    done_rows: list[SyncedProduct] = field(default_factory=list)
    # Objects that are called something else now, or are gone: to be folded again.
    moved: list[tuple[str, str]] = field(default_factory=list)
    rejected: list[tuple[SyncedProduct, str]] = field(default_factory=list)
    unchanged: int = 0

    def settle(self, row: SyncedProduct, *, again: bool = False, **values: Any) -> None:
        self.done.add(row, again=again, **values)
        self.done_rows.append(row)

    def reject(self, row: SyncedProduct, reason: str, digest: str = "") -> None:
        values = rejection(row, reason, digest)
        self.rejected.append((row, reason))
        self.settle(row, **values)


def refused_digest(payload: bytes) -> str:
    """What a row remembers of a payload that Neuroon refused; another version may try it again."""
    return messages.digest(b"refused " + VERSION.encode() + b" " + payload)


def rejection(row: SyncedProduct, reason: str, digest: str = "") -> dict[str, Any]:
    """The values of a rejected row; the reason comes first, so that it can be recognised."""
    return {
        "status": ProductStatus.REJECTED,
        "last_error": reason + (STILL_SHOWN if row.held else ""),
        "digest": digest,
        "held": row.held,  # as before it was on the wire
    }


def sort(rows: Sequence[SyncedProduct]) -> Sorted:
    """Build what claimed rows need. A product's trouble is its own row's, never its neighbour's."""
    found = Sorted()
    products = _load(rows)
    with payload_context():
        for row in rows:
            _sort_row(found, row, products.get((row.model, row.object_pk)))
    return found


def _load(rows: Sequence[SyncedProduct]) -> dict[tuple[str, str], Any]:
    products: dict[tuple[str, str], Any] = {}
    for label in dict.fromkeys(row.model for row in rows):
        feed = registry.product_feed(label)
        if feed is not None:
            pks = feed.pks(row.object_pk for row in rows if row.model == label).values()
            products |= {(label, pk): product for pk, product in feed.load(pks).items()}
    return products


def _sort_row(found: Sorted, row: SyncedProduct, product: Any) -> None:
    if not row.model:  # it lost its owner since it was claimed, and is a delete now
        found.settle(row, again=True)
        return
    feed = registry.product_feed(row.model)
    if feed is None or product is None:
        _moved(found, row, "the shop's object is not there")
        return
    try:
        if not feed.value("is_listed", product):
            _unlist(found, row)
            return
        external_id, payload = feed.payload(product)
    except InvalidProduct as invalid:
        found.reject(row, str(invalid))
        return
    if external_id != row.external_id:
        _moved(found, row, f"its external id is {external_id!r} now")
    elif row.digest == messages.digest(payload):
        found.unchanged += 1
        found.settle(row, status=ProductStatus.SYNCED, last_error="")
    elif row.digest == refused_digest(payload):
        found.settle(row, status=ProductStatus.REJECTED)
    else:
        found.rows.append(row)
        found.payloads.append(payload)


def _moved(found: Sorted, row: SyncedProduct, reason: str) -> None:
    """The row is no longer its object's: fold the object again, but never twice for one reason."""
    if row.last_error.startswith(reason):
        found.reject(row, reason, row.digest)
    else:
        found.moved.append((row.model, row.object_pk))
        found.settle(row, status=ProductStatus.PENDING, last_error=reason)


def _unlist(found: Sorted, row: SyncedProduct) -> None:
    """Out of Neuroon, where it is there; by a request of its own, so by the lane of the deletes."""
    if row.held:
        status = ProductStatus.DELETING
        found.settle(row, again=True, status=status, lane=Lane.DELETES, last_error="")
    else:
        found.settle(row, status=ProductStatus.UNLISTED, last_error="", digest="")
