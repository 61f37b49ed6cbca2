"""The channel of deletes: products to take out of Neuroon, one request each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from neuroon_django.api import Client, messages
from neuroon_django.delivery.channel import FOLD_SECONDS, Channel, Request
from neuroon_django.delivery.fold import fold_for
from neuroon_django.exceptions import ApiError, NotFound, Refused
from neuroon_django.models import Group, Lane, ProductOutcomes, SyncedProduct
from neuroon_django.models.endpoint import MAX_BACKOFF
from neuroon_django.models.product import SyncedProductQuerySet

MAX_CLAIMED = 20


class DeleteRequest(Request[SyncedProduct]):
    """One product to take out of Neuroon."""

    channel: DeleteChannel

    @property
    def row(self) -> SyncedProduct:
        return self.rows[0]

    def call(self, client: Client) -> None:
        route, row = self.channel.route, self.row
        by_own_id = route == "shops" and row.remote_id
        client.delete_product(row.remote_id if by_own_id else row.external_id, route)


class DeleteChannel(Channel[SyncedProduct]):
    """Deletes of one run."""

    group = Group.DELETES
    # Of deletes that wait, once the list was read: Neuroon's own id, "" where it shows none.
    listed: dict[str, str] | None = None

    @property
    def limit(self) -> int:
        return MAX_CLAIMED

    @property
    def table(self) -> SyncedProductQuerySet:
        table: SyncedProductQuerySet = SyncedProduct.objects.all()
        return table

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

    def accepted(self, request: DeleteRequest, answer: None = None) -> None:
        """Handle a 2xx: Neuroon does not have the product any more."""
        self.shop.endpoint(self.group).succeeded()
        self.table.delete_confirmed(request.rows, keeps_lease=request.outcome_unknown)
        self.statistics.deleted += 1

    def refused(self, request: DeleteRequest, error: ApiError) -> bool:
        """Handle a 404, which by the plugin route says that it is gone already, and refusals."""
        if isinstance(error, NotFound) and self.route == "plugin":
            self.accepted(request)
        elif isinstance(error, NotFound):
            self._look_up(request, error)
        elif isinstance(error, Refused):
            self._keep(request, error)
        else:
            return False
        return True

    def refused_again(self, request: DeleteRequest, error: ApiError) -> bool:
        """Handle a 404 after an attempt that may have been carried out: it was."""
        gone = isinstance(error, NotFound) and self.route == "plugin"
        if gone:
            self.accepted(request)
        return gone

    def _keep(self, request: DeleteRequest, error: ApiError) -> None:
        """Neuroon will not delete it: the row says so, and it is tried again much later."""
        self.shop.endpoint(self.group).understood()
        self.retry(request.rows, MAX_BACKOFF, str(error))
        self.statistics.errors.append(str(error))

    def _look_up(self, request: DeleteRequest, error: NotFound) -> None:
        """Believe the shops route's 404 only of what Neuroon's list does not show."""
        row = request.row
        if self.listed is None or row.external_id not in self.listed:
            try:
                closed = self._read_list(row)
            except ApiError as list_error:
                self.engine.errors.put_off(request, list_error)
                return
            if closed:
                self.statistics.stops[self.group] = closed
                self.table.release(request.rows)
                return
        known_as = (self.listed or {}).pop(row.external_id)
        if not known_as:
            self.accepted(request)
        elif known_as != row.remote_id:
            outcomes = ProductOutcomes()
            outcomes.retry_by_remote_id(row, known_as)
            self.table.settle(outcomes)
        else:
            self._keep(request, error)

    def _read_list(self, row: SyncedProduct) -> str:
        """Learn Neuroon's own ids of all waiting deletes; return why the list cannot be read now.

        What was claimed with the row stays leased meanwhile. A long list takes longer than a task's
        budget, and is read to its end all the same: half of it proves nothing.
        """
        waiting = self.table.of(self.shop).filter(lane=Lane.DELETES)
        ids = waiting.values_list("external_id", flat=True)
        listed = dict.fromkeys([*ids, row.external_id], "")
        number, pages = 0, 1
        while number < pages:
            timeout = self.shop.config.TIMEOUT
            if closed := self.engine.pacing.wait_in_task(self.group, timeout):
                return closed
            self.table.extend_lease(row.lease, Lane.DELETES, self.engine.lease_seconds)
            self.engine.lease.extend()
            page = self.engine.client.list_products(number)
            listed |= {i.external_id: i.id for i in page.content if i.external_id in listed}
            number, pages = number + 1, page.total_pages
        self.listed = listed
        return ""
