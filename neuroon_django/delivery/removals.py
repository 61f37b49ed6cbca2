"""Removals: what an answer says of a product that was to be taken out of Neuroon."""

from __future__ import annotations

import time

from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery.parcels import Removal
from neuroon_django.delivery.troubles import Tally, Troubles
from neuroon_django.exceptions import ApiError, NotFound, Refused
from neuroon_django.models import ShopState, SyncedProduct
from neuroon_django.models.gates import HOUR
from neuroon_django.querysets import Lane


class RemovalVerdicts(Troubles):
    """Settles the answers to deletes."""

    def __init__(self, shop: ShopState, client: Client, tally: Tally, *, patient: bool) -> None:
        super().__init__(shop, client, tally, patient=patient)
        self.listed: dict[str, str] = {}  # of deletes that waited: Neuroon's own id, "": not shown

    def succeeded(self, removal: Removal, answer: None = None) -> None:
        """Neuroon has it no more."""
        self.shop.succeeded("deletes")
        SyncedProduct.objects.bury(removal.rows)
        self.tally.deleted += 1

    def failed(self, removal: Removal, error: ApiError) -> None:
        """Anything else than a 2xx; by the plugin route, a 404 says that it is gone already."""
        if isinstance(error, NotFound) and self.route == "plugin":
            self.succeeded(removal)
        elif isinstance(error, NotFound):
            self._doubt(removal, error)
        elif isinstance(error, Refused):
            self._keep(removal, error)
        else:
            self.put_off(removal, error)

    def _keep(self, removal: Removal, error: ApiError) -> None:
        """Neuroon will not delete it: told on the row, and tried again much later."""
        self.shop.answered("deletes")
        self.again(removal.rows, HOUR, last_error=str(error))
        self.tally.errors.append(str(error))

    def _doubt(self, removal: Removal, error: NotFound) -> None:
        """The shops route said 404: believed only of what Neuroon's list does not show."""
        row = removal.row
        if row.external_id not in self.listed:
            try:
                closed = self._read_list(row)
            except ApiError as trouble:
                self.put_off(removal, trouble)
                return
            if closed:
                self.tally.stops[removal.group] = closed
                SyncedProduct.objects.release(removal.rows)
                return
        known_as = self.listed.pop(row.external_id)
        if not known_as:
            self.succeeded(removal)
        elif known_as != row.remote_id:
            self.again(removal.rows, 0, remote_id=known_as)
        else:
            self._keep(removal, error)

    def _read_list(self, doubted: SyncedProduct) -> str:
        """Learn Neuroon's own ids of all waiting deletes: "", or why the list may not be read now.

        What was claimed with the doubted row stays leased meanwhile. A long list takes longer than
        a task's budget, and is read to its end all the same: half of it proves nothing.
        """
        rows = SyncedProduct.objects.of(self.shop)
        waiting = rows.filter(lane=Lane.DELETES).values_list("external_id", flat=True)
        listed = dict.fromkeys([*waiting, doubted.external_id], "")
        number, pages = 0, 1
        while number < pages:
            until = time.monotonic() + conf.TIMEOUT
            if closed := self.shop.await_turn("deletes", force=True, until=until, patient=True):
                return closed
            rows.keep(doubted.lease, Lane.DELETES, 2 * conf.TIMEOUT)
            page = self.client.list_products(number)
            listed |= {i.external_id: i.id for i in page.content if i.external_id in listed}
            number, pages = number + 1, page.total_pages
        self.listed = listed
        return ""
