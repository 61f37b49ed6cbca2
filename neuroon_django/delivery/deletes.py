"""The channel of deletes: products to take out of Neuroon, one request each.

A product is deleted by its external id; by Neuroon's own, which its list shows, where that id is
refused or not believed to be gone. The list decides what an answer leaves open (`API.md`, "Products").
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from neuroon_django.api import Client, messages
from neuroon_django.delivery.channel import FOLD_SECONDS, Channel, Request
from neuroon_django.delivery.fold import fold_for
from neuroon_django.exceptions import ApiError, Forbidden, NotFound, Refused
from neuroon_django.feeds import registry
from neuroon_django.models import Group, Lane, ProductOutcomes, SyncedProduct
from neuroon_django.models.endpoint import MAX_BACKOFF, MAX_RETRY_AFTER
from neuroon_django.models.product import SyncedProductQuerySet

if TYPE_CHECKING:
    from neuroon_django.delivery.engine import Engine

MAX_CLAIMED = 20
REFUSALS = (400, 405, 422)  # of the id, perhaps: a firewall's answer to `/ % ; \\` in a path
ATTEMPTS = 2  # of a delete that is answered 500, before that may be the id's fault as well
MAX_LISTING = 60.0  # seconds beyond its time in which a task reads Neuroon's list
NOT_LISTED = "; Neuroon's list is too long to look it up in a worker: run neuroon_sync"


class DeleteRequest(Request[SyncedProduct]):
    """One product to take out of Neuroon."""

    channel: DeleteChannel

    @property
    def row(self) -> SyncedProduct:
        return self.rows[0]

    def call(self, client: Client) -> bool:
        if self.row.remote_id:
            return client.delete_product(self.row.remote_id, "shops")
        return client.delete_product(self.row.external_id, self.channel.route)


class DeleteChannel(Channel[SyncedProduct]):
    """Deletes of one run."""

    group = Group.DELETES

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        # Of deletes that wait, once the list was read: Neuroon's own id, None where it is not shown.
        self.listed: dict[str, str | None] = {}
        self.is_listed_whole = True  # whether the list was read to its end: else None proves nothing

    @property
    def limit(self) -> int:
        return MAX_CLAIMED

    @property
    def table(self) -> SyncedProductQuerySet:
        table: SyncedProductQuerySet = SyncedProduct.objects.all()
        return table

    @property
    def claimable(self) -> SyncedProductQuerySet:
        return self.table.of_labels(registry.product_labels(self.shop.config))

    @property
    def route(self) -> messages.Route:
        return self.shop.known_route or "plugin"

    def claim_next(self) -> Sequence[SyncedProduct]:
        return self.engine.claim(self, Lane.DELETES, self.limit)

    def build(self, rows: Sequence[SyncedProduct]) -> Iterable[DeleteRequest]:
        """Confirm what Neuroon does not have; the others are a request each.

        What changed is folded once more: a product that came back must not be deleted after it.
        """
        fold_for(self.shop, FOLD_SECONDS, self.engine.until)
        self.table.delete_confirmed([row for row in rows if not row.in_neuroon])
        return [DeleteRequest(self, [row]) for row in rows if row.in_neuroon]

    def begin(self, rows: Sequence[SyncedProduct], seconds: float) -> list[SyncedProduct]:
        return self.table.begin_deleting(rows, seconds)

    def retry(self, rows: Sequence[SyncedProduct], delay: float, reason: str = "") -> None:
        outcomes = ProductOutcomes(delay)
        for row in rows:
            outcomes.retry(row, reason)
        self.table.settle(outcomes)

    # Answers

    def accepted(self, request: DeleteRequest, answer: bool) -> None:
        """Handle a 2xx: the product is gone, unless the answer denies it."""
        if answer:
            self._confirm(request)
        else:
            denied = Refused("Neuroon says that it was not deleted", method="DELETE", path="products")
            self._look_up(request, denied)

    def refused(self, request: DeleteRequest, error: ApiError) -> bool:
        """Handle a 404, which by the plugin route says that it is gone already, and refusals."""
        row = request.row
        if isinstance(error, NotFound) and self.shop.known_route == "plugin" and not row.remote_id:
            self._confirm(request)
        elif isinstance(error, NotFound) or self._concerns_id(error, row):
            self._look_up(request, error)
        elif isinstance(error, Refused):
            self._keep(request, error)
        else:
            return False
        return True

    def refused_again(self, request: DeleteRequest, error: ApiError) -> bool:
        """Handle a 404 after an attempt that may have been carried out: it was."""
        gone = isinstance(error, NotFound) and self.shop.known_route == "plugin"
        if gone:
            self._confirm(request)
        return gone

    def _concerns_id(self, error: ApiError, row: SyncedProduct) -> bool:
        """Return whether another id may be accepted; one that cannot be in a path was never sent."""
        if error.status == 500:
            return row.attempts >= ATTEMPTS
        return error.status in REFUSALS or (isinstance(error, Refused) and error.status is None)

    def _confirm(self, request: DeleteRequest) -> None:
        """Note that Neuroon does not have the product any more."""
        self.shop.endpoint(self.group).succeeded()
        self.table.delete_confirmed(request.rows, keeps_lease=request.outcome_unknown)
        self.statistics.deleted += 1

    def _keep(self, request: DeleteRequest, error: ApiError) -> None:
        """Note that Neuroon will not delete it: the row says so, and is tried later and later."""
        self.shop.endpoint(self.group).understood()
        reason = error.reason if self.is_listed_whole else error.reason + NOT_LISTED
        waits = max(0, min(request.row.attempts - ATTEMPTS, 10))
        outcomes = ProductOutcomes(min(MAX_BACKOFF * 2**waits, MAX_RETRY_AFTER))
        outcomes.delete_refused(request.row, reason)
        self.table.settle(outcomes)
        text = f"{self.group}: {reason}"
        if text not in self.statistics.errors:
            self.statistics.errors.append(text)

    # Neuroon's list

    def _look_up(self, request: DeleteRequest, error: ApiError) -> None:
        """Let Neuroon's list decide: what it does not show is gone, what it shows has another id."""
        row = request.row
        if row.external_id not in self.listed or (row.remote_id and isinstance(error, NotFound)):
            try:
                closed = self._read_list(row)
            except ApiError as list_error:
                if isinstance(list_error, Forbidden | Refused):  # there is no list
                    self._keep(request, error)
                else:
                    self.engine.errors.put_off(request, list_error)
                return
            if closed:
                self.statistics.stops[self.group] = closed
                self.table.release(request.rows)
                return
        known_as = self.listed[row.external_id]
        if known_as is None and self.is_listed_whole:
            del self.listed[row.external_id]  # should it come back, the list is read anew
            self._confirm(request)
        elif known_as and known_as != row.remote_id:
            outcomes = ProductOutcomes()
            outcomes.retry_by_remote_id(row, known_as)
            self.table.settle(outcomes)
        else:
            self._keep(request, error)

    def _read_list(self, row: SyncedProduct) -> str:
        """Learn Neuroon's own ids of all waiting deletes; return why the list cannot be read now.

        What was claimed with the row stays leased meanwhile. Half of a list proves nothing but what it
        shows; a list that is longer than a task has time for is read in the foreground. Its pages may
        shift while they are read, so what several did not show is looked for once more.
        """
        waiting = self.table.of(self.shop).filter(lane=Lane.DELETES)
        ids = waiting.values_list("external_id", flat=True)
        listed: dict[str, str | None] = dict.fromkeys([*ids, row.external_id])
        self.is_listed_whole, number, readings = True, 0, 1
        while True:
            if closed := self.engine.pacing.wait_in_task(self.group, self.shop.config.TIMEOUT):
                return closed
            self.table.extend_lease(row.lease, Lane.DELETES, self.engine.lease_seconds)
            self.engine.lease.extend()
            page = self.engine.client.list_products(number)
            listed |= {i.external_id: i.id for i in page.content if i.external_id in listed}
            number += 1
            if page.is_last(number - 1):
                if number == 1 or readings == 2 or None not in listed.values():
                    break
                number, readings = 0, 2
            if time.monotonic() > self.engine.until + MAX_LISTING:
                self.is_listed_whole = False
                break
        self.listed = listed
        return ""
