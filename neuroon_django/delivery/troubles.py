"""Troubles: what happens to a request that failed for reasons that are not its products'.

The gate of its group closes, the rows wait for their next try, and the run goes on with the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from neuroon_django.api import Client, messages
from neuroon_django.conf import conf
from neuroon_django.delivery.parcels import Parcel, Removal
from neuroon_django.exceptions import ApiError, RateLimited, Unavailable
from neuroon_django.models import ShopState, SyncedProduct
from neuroon_django.models.gates import MOMENT, ROW_BACKOFF_AFTER, backoff
from neuroon_django.querysets import Settlement
from neuroon_django.querysets.shops import NEAR


@dataclass
class Tally:
    """What a run did. `created`, `updated` and `failed` are Neuroon's own counts."""

    requests: int = 0
    synced: int = 0
    created: int = 0
    updated: int = 0
    failed: int = 0
    unchanged: int = 0
    rejected: int = 0
    deleted: int = 0
    scanned: int = 0
    stops: dict[str, str] = field(default_factory=dict)  # why a group's requests stopped
    errors: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        """The counts, as a log line has them."""
        counts = {name: value for name, value in vars(self).items() if isinstance(value, int)}
        return " ".join(f"{name}={value}" for name, value in counts.items())

    @property
    def stopped(self) -> str:
        return "; ".join(dict.fromkeys(self.stops.values()))


class Troubles:
    """What the verdicts on parcels and on removals share.

    `patient` is for a run in the foreground: it sits short troubles out, where a task ends.
    """

    def __init__(self, shop: ShopState, client: Client, tally: Tally, *, patient: bool) -> None:
        self.shop = shop
        self.client = client
        self.tally = tally
        self.patient = patient

    @property
    def route(self) -> messages.Route | None:
        """The product route, or None as long as nobody knows (`API.md`, "Products")."""
        fixed = conf.PRODUCTS_API
        known = self.shop.route if fixed == "auto" else fixed
        return known or None  # type: ignore[return-value]

    def put_off(self, cargo: Parcel | Removal, error: ApiError) -> None:
        """No product's fault, so the gate closes; unless one alone has failed time and again.

        Where the outcome is unknown, the rows stay leased: nothing else may be sent for them yet.
        """
        rows, temporary = cargo.rows, isinstance(error, Unavailable)
        if temporary and len(rows) == 1 and rows[0].attempts > ROW_BACKOFF_AFTER:
            seconds = backoff(rows[0].attempts, MOMENT)
            self.tally.errors.append(str(error))
        else:
            seconds = self.stop(cargo.group, error)
        if error.unknown:
            return
        if temporary:
            status = "deleting" if isinstance(cargo, Removal) else "pending"
            self.again(rows, seconds, status=status, last_error=str(error))
        else:
            SyncedProduct.objects.release(rows)

    def again(self, rows: Sequence[SyncedProduct], delay: float, **values: Any) -> None:
        outcome = Settlement()
        for row in rows:
            outcome.add(row, again=True, **values)
        SyncedProduct.objects.settle(rows, outcome, delay)

    def stop(self, group: str, error: ApiError) -> float:
        """Close the gate and end this group's part in the run; or, where it is soon over, wait."""
        seconds = self.shop.failed(group, error)
        if self.patient and (isinstance(error, RateLimited) or seconds <= NEAR):
            return 0.0
        self.tally.stops[group] = str(error)
        return seconds
