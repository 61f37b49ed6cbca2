"""Which object of the shop owns which external id: what a fold writes into the mirror.

`assign` is told what the shop's objects are called now. It releases ids that objects no longer have
before it gives any out, so renames, swaps and chains of renames end right in one pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Least
from django.utils import timezone

from neuroon_django.models.delivery import DeliveryQuerySet, Lane, changed_once_more
from neuroon_django.models.sql import CaseByPk, DbNow, RawIn, bulk_insert, from_now, value_per_row

if TYPE_CHECKING:
    from neuroon_django.models.product import SyncedProduct
    from neuroon_django.models.shop import ShopState

Name = tuple[str, str]  # an object of the shop: model label, primary key as text

FRESH_COLUMNS = ("key", "external_id", "object_pk")


def key_of(external_id: str) -> str:
    """Return the unique key of an external id: a digest, since databases compare text differently."""
    return hashlib.sha256(external_id.encode("utf-8", "surrogatepass")).hexdigest()


def placeholder_key(name: Name) -> str:
    """Return the key of an object without an id of its own, under which its reason is kept."""
    return key_of("\0{}:{}".format(*name))


def id_conflict_reason(external_id: str, owner: Name | None) -> str:
    """Return what is told of an object whose external id another one has, if it is known which."""
    name = f"{owner[0]} {owner[1]}" if owner else "another product"
    return f"{external_id!r} is the external id of {name} already"


@dataclass
class Assignment:
    """What a fold has found out about some objects of one model.

    `names` maps the primary key (as text) of every object that exists for Neuroon to its external
    id: "" where it has none that can be used, None where that cannot be said now. `gone` are those
    that do not exist for Neuroon. `known` are the models that have a feed in this process: an id whose
    owner is of another model is given to who claims it, as when a feed moved to a proxy.
    """

    model: str
    names: dict[str, str | None] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    known: Collection[str] = ()
    since: datetime | None = None  # when the first of their changes was made; None: just now

    def keys(self) -> dict[str, str]:
        """Return the key of the row that each object should own, by its primary key."""
        return {
            pk: key_of(name) if name else placeholder_key((self.model, pk))
            for pk, name in self.names.items()
        }

    def keep_unknown(self, keys: dict[str, str], rows: Iterable[SyncedProduct]) -> None:
        """Let an object whose id cannot be said keep the row that it has."""
        for row in rows:
            if row.model == self.model and self.names.get(row.object_pk, "") is None:
                keys[row.object_pk] = row.key


class AssignmentQuerySet(DeliveryQuerySet["SyncedProduct"]):
    """The part of the mirror's queryset that a fold uses."""

    def assign(self, shop: ShopState, assignment: Assignment, lane: Lane) -> list[Name]:
        """Fold: every named object owns the row of its external id, due; what is left over goes.

        Runs inside the caller's transaction, which holds the fold lock, so that folds happen one
        after the other. Returns objects to fold again: those that wait for an id released here, and
        present owners of an id that another object claims.
        """
        keys = assignment.keys()
        owned = Q(RawIn("object_pk", [*keys, *assignment.gone]), model=assignment.model)
        found = self.of(shop).filter(owned | Q(RawIn("key", set(keys.values()))))
        rows = list(found.select_for_update().order_by("pk"))
        assignment.keep_unknown(keys, rows)
        asked = keys.keys() | assignment.gone
        released = [
            row
            for row in rows
            if row.model == assignment.model
            and row.object_pk in asked
            and (row.id_conflict or row.key != keys.get(row.object_pk))
        ]
        waiting = self._release_ids(shop, released)
        deleted = {row.pk for row in released if not row.in_neuroon}
        kept = {row.key: row for row in rows if row.pk not in deleted}
        return waiting + self._give_rows(shop, assignment, keys, kept, lane)

    def _release_ids(self, shop: ShopState, released: Sequence[SyncedProduct]) -> list[Name]:
        """Take the owners away: what Neuroon may have becomes a tombstone, the rest is deleted.

        A worker that has claimed such a row finds it gone when it begins to send, and sends nothing.
        """
        if not released:
            return []
        tombstones = [row for row in released if row.in_neuroon]
        self.filter(pk__in=[row.pk for row in released if not row.in_neuroon]).delete()
        status = self.model.Status.DELETING
        self._touch(tombstones, Lane.DELETES, model="", object_pk="", status=status)
        for row in released:
            row.model = row.object_pk = ""
        freed = {row.external_id for row in released if not row.id_conflict}
        waiting = self.of(shop).filter(external_id__in=freed - {""}, id_conflict=True)
        return list(waiting.values_list("model", "object_pk"))

    def _give_rows(
        self,
        shop: ShopState,
        assignment: Assignment,
        keys: dict[str, str],
        rows: dict[str, SyncedProduct],
        lane: Lane,
    ) -> list[Name]:
        """Give each object its row: kept, revived, made, or a placeholder where the id is taken."""
        known = {assignment.model, *assignment.known}
        owners = {k: (r.model, r.object_pk) for k, r in rows.items() if r.model in known}
        kept: list[SyncedProduct] = []
        revived: list[SyncedProduct] = []
        fresh: list[tuple[str, str, str]] = []
        placeholders: list[SyncedProduct] = []
        claimed: list[Name] = []
        for pk, key in keys.items():
            me, external_id = (assignment.model, pk), assignment.names[pk] or ""
            row, owner = rows.get(key), owners.setdefault(key, me)
            if owner != me:
                placeholders.append(self._placeholder(shop, me, owner, external_id))
                claimed.append(owner)
            elif row is None:
                fresh.append((key, external_id, pk))
            elif row.model in known:
                kept.append(row)
            else:
                row.object_pk = pk
                revived.append(row)
        self._touch(kept, lane, since=assignment.since)
        self._revive(assignment.model, revived, lane)
        since = assignment.since or DbNow()
        shared = {"lane": int(lane), "due_at": DbNow(), "waiting_since": since}
        self.insert_fresh(shop, assignment.model, fresh, **shared)
        self.bulk_create(placeholders)
        return claimed

    def insert_fresh(
        self, shop: ShopState, model: str, rows: Sequence[tuple[str, str, str]], **shared: Any
    ) -> None:
        """Insert new rows (key, external id, primary key) of one model, pending."""
        shared = {"waiting_since": DbNow(), "shop_id": shop.pk, "model": model, **shared}
        bulk_insert(self.model, FRESH_COLUMNS, rows, using=self.db, shared=shared)

    def claim_scanned(
        self,
        shop: ShopState,
        model: str,
        names: Mapping[str, str],
        known: Mapping[str, SyncedProduct],
        seconds: float,
    ) -> list[SyncedProduct]:
        """Make products due and claim them, in one statement each for new rows and for known ones.

        `names` maps primary keys to external ids as they were read when nothing was folded since.
        Returns the claimed rows; a product whose id another row has, or whose row is not idle any
        more, is left out. Runs inside the caller's transaction, which holds the fold lock.
        """
        token = uuid4().hex
        lease = {"lease": token, "due_at": from_now(seconds), "attempts": 1}
        read = {known[pk].pk: known[pk].revision for pk in names if pk in known}
        as_read = CaseByPk(self.model._meta.get_field("revision"), read)
        idle = self.filter(RawIn("pk", read), lease="", due_at__isnull=True, revision=as_read)
        # In this order: MariaDB reads a column that the same UPDATE has set as it is set.
        counted = {"claimed_revision": F("revision") + 1, "revision": F("revision") + 1}
        status = {"status": self.model.Status.PENDING, "lane": Lane.BACKFILL}
        if read:
            idle.update(**lease, **counted, **status, waiting_since=DbNow())
        fresh = {key_of(name): (name, pk) for pk, name in names.items() if pk not in known}
        taken = set(self.of(shop).filter(RawIn("key", fresh)).values_list("key", flat=True))
        rows = [(key, name, pk) for key, (name, pk) in fresh.items() if key not in taken]
        lane = int(Lane.BACKFILL)
        self.insert_fresh(shop, model, rows, **lease, lane=lane, claimed_revision=1)
        # Whatever is leased has a due date: the index leads past the rows that are settled.
        claimed = self.of(shop).filter(lane=Lane.BACKFILL, due_at__isnull=False, lease=token)
        return list(claimed.order_by("pk"))

    def _revive(self, model: str, rows: Sequence[SyncedProduct], lane: Lane) -> None:
        """Give tombstones a new owner."""
        if rows:
            owners = {row.pk: row.object_pk for row in rows}
            field_ = self.model._meta.get_field("object_pk")
            column = value_per_row(field_, owners, len(rows))
            self._touch(rows, lane, model=model, object_pk=column)

    def _touch(
        self,
        rows: Sequence[SyncedProduct],
        lane: Lane,
        *,
        since: datetime | None = None,
        **values: Any,
    ) -> None:
        """Fold a change into rows: newer than any claim, and due unless a worker has claimed them.

        A scan's work never pushes a live edit that waits into the lane of the backfill.
        """
        if not rows:
            return
        waits = Q(due_at__isnull=False) & ~Q(lane=Lane.DELETES)
        values.setdefault("status", self.model.Status.PENDING)
        self.filter(RawIn("pk", [row.pk for row in rows])).update(
            lane=Case(When(waits, then=Least(F("lane"), Value(lane))), default=Value(lane))
            if lane == Lane.BACKFILL
            else lane,
            **changed_once_more(since),
            **values,
        )

    def _placeholder(self, shop: ShopState, me: Name, owner: Name, external_id: str) -> SyncedProduct:
        """Return a row for an object whose external id belongs to another one; it tells so."""
        return self.model(
            shop=shop,
            key=placeholder_key(me),
            external_id=external_id,
            model=me[0],
            object_pk=me[1],
            status=self.model.Status.REJECTED,
            id_conflict=True,
            failed_at=timezone.now(),
            last_error=id_conflict_reason(external_id, owner),
        )
