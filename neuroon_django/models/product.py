"""The mirror: one row per external id, what Neuroon is known to hold, and what can come of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from django.db import models
from django.db.models import Case, Count, F, Q, Value, When
from django.utils.translation import gettext_lazy as _

from neuroon_django.models.assignment import AssignmentQuerySet, Name, key_of
from neuroon_django.models.delivery import Delivery, Lane, changed_once_more
from neuroon_django.models.product_outcomes import ProductOutcomes, ProductStatus
from neuroon_django.models.sql import DbNow, PrimaryManager, RawIn, from_now, retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models.shop import ShopState

OWNERS = 500  # ids looked up at once


class SyncedProductQuerySet(AssignmentQuerySet):
    """What happens to rows of the mirror."""

    unsent = Case(When(model="", then=Value("deleting")), default=Value("pending"))

    def begin_sending(self, rows: Sequence[SyncedProduct], seconds: float) -> list[SyncedProduct]:
        """Mark products as being sent: from here on Neuroon may have them, nobody knows as what.

        A product that was deleted since it was claimed is a delete now, and is not sent.
        """
        sending = {"digest": "", "in_neuroon": True, "status": ProductStatus.SENDING}
        return self.exclude(lane=Lane.DELETES)._begin(rows, seconds, **sending)

    def begin_deleting(self, rows: Sequence[SyncedProduct], seconds: float) -> list[SyncedProduct]:
        """Mark products as being deleted: from here on nobody knows whether Neuroon has them.

        A product that came back since it was claimed is not deleted.
        """
        return self.filter(lane=Lane.DELETES)._begin(rows, seconds, digest="")

    @retry_on_deadlock
    def claim_witnesses(self, shop: ShopState, limit: int, seconds: float) -> list[SyncedProduct]:
        """Lease products that Neuroon is known to hold and that nobody is about to send."""
        synced = self.of(shop).filter(status=ProductStatus.SYNCED, due_at=None, in_neuroon=True)
        idle = synced.filter(lease="").exclude(model="")
        pks = list(idle.exclude(digest="").order_by("-pk").values_list("pk", flat=True)[:limit])
        token = uuid4().hex
        if pks:
            claimed = {"lease": token, "claimed_revision": F("revision")}
            idle.filter(RawIn("pk", pks)).update(**claimed, due_at=from_now(seconds))
        return list(self.filter(RawIn("pk", pks), lease=token).order_by("-pk")) if pks else []

    @retry_on_deadlock
    def delete_confirmed(self, rows: Sequence[SyncedProduct], *, keeps_lease: bool = False) -> None:
        """Settle deletes: a row without an object is deleted, one with an object is unlisted.

        With `keeps_lease` rows stay until it ends: an earlier attempt may still be on its way.
        """
        if not rows:
            return
        # One statement, where `delete()` would read first if the shop listens to all deletes: a row
        # that is given a new owner in between must stay.
        if not keeps_lease:
            self._claimed(rows).filter(model="")._raw_delete(self.db)
        outcomes = ProductOutcomes(keeps_lease=keeps_lease)
        for row in rows:
            outcomes.deleted(row)
        self.settle(outcomes)

    def requeueable(self) -> Self:
        """Rows that have an object and an id of their own."""
        return self.exclude(model="").filter(id_conflict=False).order_by()

    @retry_on_deadlock
    def requeue(self) -> int:
        """Make rows that have an object due, whatever Neuroon is known to hold or has refused."""
        pending = {"status": ProductStatus.PENDING, "lane": Lane.LIVE, "digest": ""}
        return self.requeueable().update(**pending, **changed_once_more())

    def deletable(self) -> Self:
        """Rows of what Neuroon has, or was about to get."""
        due = Q(in_neuroon=True) | Q(due_at__isnull=False)
        return self.filter(due, id_conflict=False).order_by()

    @retry_on_deadlock
    def enqueue_delete(self) -> int:
        """Make the delete due of what Neuroon has, or was about to get."""
        deleting = {"status": ProductStatus.DELETING, "lane": Lane.DELETES}
        return self.deletable().update(**deleting, **changed_once_more())

    def disown(self) -> int:
        """Take the objects of these rows away, and queue the deletes; for models without a feed."""
        status = {"status": ProductStatus.DELETING, "lane": Lane.DELETES}
        return self.order_by().update(model="", object_pk="", **status, **changed_once_more())

    def create_tombstones(self, shop: ShopState, listed: Mapping[str, str]) -> int:
        """Queue the deletes of what Neuroon shows and the shop does not have.

        `listed` maps external ids to Neuroon's own, "" where they are deleted by the external id.
        Runs inside the caller's transaction, which holds the fold lock, and leaves alone what the
        shop has after all.
        """
        keys = {key_of(external_id): external_id for external_id in listed}
        ours = self.of(shop).filter(key__in=keys)
        known = set(ours.values_list("key", flat=True))
        idle = ours.filter(status=ProductStatus.UNLISTED, due_at=None)
        deleting = {"in_neuroon": True, "status": ProductStatus.DELETING, "lane": Lane.DELETES}
        fresh = [
            self.model(
                shop=shop,
                key=key,
                external_id=external_id,
                remote_id=listed[external_id],
                due_at=DbNow(),
                waiting_since=DbNow(),
                **deleting,
            )
            for key, external_id in keys.items()
            if key not in known
        ]
        return idle.update(**deleting, **changed_once_more()) + len(self.bulk_create(fresh))

    def mark_absent(self, pks: Sequence[int]) -> None:
        """Note that a scan did not find these rows' products in the shop."""
        if pks:
            self.filter(RawIn("pk", pks)).update(absent=True)

    def clear_absent(self) -> None:
        """Forget what a scan has marked."""
        self.filter(absent=True).update(absent=False)

    def owners(self, shop: ShopState, external_ids: Collection[str]) -> dict[str, Name]:
        """Return which objects have these external ids now."""
        keys = list(dict.fromkeys(map(key_of, external_ids)))
        found: dict[str, Name] = {}
        for start in range(0, len(keys), OWNERS):
            rows = self.of(shop).filter(RawIn("key", keys[start : start + OWNERS])).exclude(model="")
            for external_id, model, pk in rows.values_list("external_id", "model", "object_pk"):
                found[external_id] = model, pk
        return found

    def count_by_model(self) -> dict[str, int]:
        """Return how many rows of each model Neuroon has, but for those that are being deleted."""
        there = self.filter(in_neuroon=True).exclude(model="").exclude(lane=Lane.DELETES)
        return dict(there.order_by().values_list("model").annotate(n=Count("pk")))

    def retry_rejected(self, shop: ShopState) -> int:
        """Make every rejected row due, whatever was refused."""
        return self.of(shop).filter(status=ProductStatus.REJECTED).requeue()

    @retry_on_deadlock
    def revive_rejected(self, shop: ShopState) -> int:
        """Make rejected rows due behind all others; what was refused as it is now is not sent again."""
        rejected = self.of(shop).filter(status=ProductStatus.REJECTED, id_conflict=False)
        pending = {"status": ProductStatus.PENDING, "lane": Lane.BACKFILL}
        return rejected.exclude(model="").order_by().update(**pending, **changed_once_more())

    def unanswered(self) -> Self:
        """Leave out what was answered and is leased only because an earlier attempt was not."""
        answered = [ProductStatus.SYNCED, ProductStatus.UNLISTED]
        return self.exclude(~Q(lease=""), status__in=answered)

    def forget_digests(self, shop: ShopState) -> int:
        """Take nothing for known any more, so that everything is sent again."""
        return self.of(shop).exclude(digest="").update(digest="")


class SyncedProduct(Delivery):
    """What the shop knows of one external id at Neuroon."""

    Status = ProductStatus

    external_id = models.CharField(_("external id"), max_length=255, db_index=True)
    status = models.CharField(
        _("status"), max_length=20, choices=ProductStatus.choices, default=ProductStatus.PENDING
    )
    # Of the payload that Neuroon is known to hold, or has refused; "": nothing is known.
    digest = models.CharField(max_length=64, default="", blank=True)
    # Neuroon has it, or may have.
    in_neuroon = models.BooleanField(default=False)
    # Its external id belongs to another object; it waits for that one to release it.
    id_conflict = models.BooleanField(default=False)
    remote_id = models.CharField(max_length=255, default="", blank=True)
    # The scan under way, or the last one, did not find it in the shop.
    absent = models.BooleanField(default=False)
    synced_at = models.DateTimeField(_("synced"), null=True, blank=True)

    objects = PrimaryManager.from_queryset(SyncedProductQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("synced product")
        verbose_name_plural = _("synced products")
        constraints = [
            models.UniqueConstraint(fields=["key", "shop"], name="neuroon_one_row_per_product")
        ]
        indexes = [
            models.Index(fields=["lane", "due_at", "shop"], name="neuroon_product_due"),
            models.Index(fields=["object_pk", "model", "shop"], name="neuroon_product_owner"),
            models.Index(fields=["status", "shop"], name="neuroon_product_status"),
        ]

    def __str__(self) -> str:
        return self.external_id
