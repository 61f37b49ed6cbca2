"""What can come of claimed products, and the statuses that an operator reads of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from neuroon_django.models.delivery import Lane
from neuroon_django.models.outcomes import Outcomes

if TYPE_CHECKING:
    from neuroon_django.models.product import SyncedProduct

STILL_SHOWN = "; Neuroon still shows the previous version"


class ProductStatus(models.TextChoices):
    """What the shop's operator reads of a product."""

    PENDING = "pending", _("pending")
    SENDING = "sending", _("sending")
    SYNCED = "synced", _("synced")
    REJECTED = "rejected", _("rejected")
    UNLISTED = "unlisted", _("unlisted")
    DELETING = "deleting", _("deleting")


class ProductOutcomes(Outcomes["SyncedProduct"]):
    """What can come of claimed products: one method for each, settled in one statement."""

    def synced(self, row: SyncedProduct, digest: str, at: datetime, warning: str = "") -> None:
        """Neuroon accepted the payload of that digest, perhaps with a warning."""
        text = f"warning: {warning}" if warning else ""
        self._add(row, status=ProductStatus.SYNCED, digest=digest, last_error=text, synced_at=at)

    def unchanged(self, row: SyncedProduct) -> None:
        """Neuroon is known to hold just what would be sent."""
        self._add(row, status=ProductStatus.SYNCED, last_error="")

    def rejected(self, row: SyncedProduct, reason: str, digest: str = "") -> None:
        """The product cannot be sent, or was refused as the payload of that digest."""
        self._failed(
            row,
            reason + (STILL_SHOWN if row.in_neuroon else ""),
            status=ProductStatus.REJECTED,
            digest=digest,
            in_neuroon=row.in_neuroon,  # as it was before the request began
        )

    def refused(self, row: SyncedProduct, reason: str) -> None:
        """It was refused, nobody knows for whose fault: it is tried again behind all others.

        What Neuroon has of it is what it had before.
        """
        self._failed(
            row,
            reason,
            retry=True,
            status=ProductStatus.PENDING,
            lane=Lane.REFUSED,
            in_neuroon=row.in_neuroon,
        )

    def witness_refused(self, row: SyncedProduct) -> None:
        """What Neuroon holds was refused when it was sent once more: Neuroon holds it all the same."""
        self._add(row, status=ProductStatus.SYNCED, digest=row.digest)

    def still_rejected(self, row: SyncedProduct) -> None:
        """The very payload that was refused before would be sent again."""
        self._add(row, status=ProductStatus.REJECTED)

    def unlisted(self, row: SyncedProduct) -> None:
        """The shop does not list it: it is taken out where Neuroon has it, by its own request."""
        if row.in_neuroon:
            status, lane = ProductStatus.DELETING, Lane.DELETES
            self._add(row, retry=True, last_error="", status=status, lane=lane)
        else:
            self._add(row, status=ProductStatus.UNLISTED, last_error="", digest="")

    def deleted(self, row: SyncedProduct) -> None:
        """Neuroon does not have it any more; its object is still there."""
        status = ProductStatus.UNLISTED
        self._add(row, status=status, in_neuroon=False, digest="", last_error="", remote_id="")

    def stale(self, row: SyncedProduct, reason: str) -> None:
        """The object changed its id or is gone, and is folded again."""
        self._add(row, status=ProductStatus.PENDING, last_error=reason)

    def retry(self, row: SyncedProduct, reason: str = "") -> None:
        """It is tried again after the delay; without a reason it keeps its last one."""
        deleting = row.lane == Lane.DELETES
        status = ProductStatus.DELETING if deleting else ProductStatus.PENDING
        if reason:
            self._failed(row, reason, retry=True, status=status)
        else:
            self._add(row, retry=True, status=status)

    def retry_by_remote_id(self, row: SyncedProduct, remote_id: str) -> None:
        """It is deleted again, by the id that Neuroon's list shows for it."""
        self._add(row, retry=True, remote_id=remote_id)

    def delete_refused(self, row: SyncedProduct, reason: str) -> None:
        """Neuroon does not delete it: it is tried again after the delay, by its external id."""
        self._failed(row, reason, retry=True, status=ProductStatus.DELETING, remote_id="")
