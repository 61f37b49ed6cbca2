"""The mirror: one row per external id, and how folding a change gives each its present owner.

`place` is told what the shop's objects are called now. It takes ids away from objects that no longer
have them before it gives any out, so renames, swaps and chains end right in one pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Least

from neuroon_django.querysets.clock import DbNow, RawIn, case_by_pk, retry_on_deadlock
from neuroon_django.querysets.delivery import DeliveryQuerySet, Lane, Settlement, one_more
from neuroon_django.querysets.rows import insert
from neuroon_django.querysets.states import ProductStatus

if TYPE_CHECKING:
    from neuroon_django.models import ShopState, SyncedProduct

Name = tuple[str, str]  # an object of the shop: model label, primary key as text


def key_of(external_id: str) -> str:
    """The unique key of an external id: a digest, since databases compare text in their own ways."""
    return hashlib.sha256(external_id.encode("utf-8", "surrogatepass")).hexdigest()


def placeholder_key(name: Name) -> str:
    """The key of an object without an id of its own: a place to wait, and to tell the reason."""
    return key_of("\0{}:{}".format(*name))


@dataclass
class Placement:
    """What a fold has found out about some objects of one model.

    `names` maps the primary key (as text) of every object that exists for Neuroon to its external
    id: "" where it has none that can be used, None where that cannot be said now. `gone` are those
    that do not exist for Neuroon.
    """

    model: str
    names: dict[str, str | None] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def keys(self) -> dict[str, str]:
        """The key of the row that each object should own, by its primary key."""
        return {
            pk: key_of(name) if name else placeholder_key((self.model, pk))
            for pk, name in self.names.items()
        }

    def keep(self, keys: dict[str, str], rows: Iterable[SyncedProduct]) -> None:
        """An object whose id cannot be said keeps the row that it has."""
        for row in rows:
            if row.model == self.model and self.names.get(row.object_pk, "") is None:
                keys[row.object_pk] = row.key


class SyncedProductQuerySet(DeliveryQuerySet["SyncedProduct"]):
    """Verbs on the mirror."""

    def place(self, shop: ShopState, placed: Placement, lane: Lane) -> list[Name]:
        """Fold: every named object owns the row of its external id, due; rows left over die.

        Runs inside the caller's transaction, which holds the shop's row, so that folds happen one
        after the other. Returns objects to look at again: those that wait for an id let go here,
        and present owners of an id that another object claims.
        """
        keys = placed.keys()
        owned = Q(RawIn("object_pk", [*keys, *placed.gone]), model=placed.model)
        found = self.of(shop).filter(owned | Q(RawIn("key", set(keys.values()))))
        rows = list(found.select_for_update().order_by("pk"))
        placed.keep(keys, rows)
        asked = keys.keys() | placed.gone
        left = [
            row
            for row in rows
            if row.model == placed.model
            and row.object_pk in asked
            and (row.contested or row.key != keys.get(row.object_pk))
        ]
        again = self._detach(shop, left)
        deleted = {row.pk for row in left if not row.held}
        kept = {row.key: row for row in rows if row.pk not in deleted}
        return again + self._attach(shop, placed, keys, kept, lane)

    def _detach(self, shop: ShopState, left: Sequence[SyncedProduct]) -> list[Name]:
        """Take the owner away: what Neuroon may have becomes a tombstone, the rest goes at once.

        A worker that has claimed such a row finds it gone when it begins to send, and sends nothing.
        """
        if not left:
            return []
        dead = [row for row in left if row.held]
        self.filter(pk__in=[row.pk for row in left if not row.held]).delete()
        self._touch(dead, Lane.DELETES, model="", object_pk="", status=ProductStatus.DELETING)
        for row in left:
            row.model = row.object_pk = ""
        freed = {row.external_id for row in left if not row.contested}
        waiting = self.of(shop).filter(external_id__in=freed - {""}, contested=True)
        return list(waiting.values_list("model", "object_pk"))

    def _attach(
        self,
        shop: ShopState,
        placed: Placement,
        keys: dict[str, str],
        rows: dict[str, SyncedProduct],
        lane: Lane,
    ) -> list[Name]:
        """Give each object its row: kept, taken over, made, or a place to wait where it is taken."""
        owners: dict[str, Name] = {k: (r.model, r.object_pk) for k, r in rows.items() if r.model}
        kept, adopted, fresh, waiting, contested = [], [], [], [], []
        for pk, key in keys.items():
            me = (placed.model, pk)
            row, owner = rows.get(key), owners.setdefault(key, me)
            if owner != me:
                waiting.append(self._waiting(shop, me, owner, placed.names[pk] or ""))
                contested.append(owner)
            elif row is None:
                fresh.append(self._fresh(shop, me, key, placed.names[pk] or "", lane))
            elif row.model:
                kept.append(row)
            else:
                row.object_pk = pk
                adopted.append(row)
        self._touch(kept, lane)
        self._adopt(placed.model, adopted, lane)
        insert(self.model, fresh, using=self.db, now=("due_at", "waiting_since"))
        self.bulk_create(waiting)
        return contested

    def _adopt(self, model: str, rows: Sequence[SyncedProduct], lane: Lane) -> None:
        """Tombstones come back to life with a new owner."""
        if rows:
            owners = {row.pk: row.object_pk for row in rows}
            column = case_by_pk(self.model._meta.get_field("object_pk"), owners, len(rows))
            self._touch(rows, lane, model=model, object_pk=column)

    def _touch(self, rows: Sequence[SyncedProduct], lane: Lane, **values: Any) -> None:
        """Fold a change into rows: newer than any claim, and due unless somebody has them."""
        if not rows:
            return
        waits = Q(due_at__isnull=False) & ~Q(lane=Lane.DELETES)
        values.setdefault("status", ProductStatus.PENDING)
        self.filter(RawIn("pk", [row.pk for row in rows])).update(
            lane=Case(When(waits, then=Least(F("lane"), Value(lane))), default=Value(lane))
            if lane == Lane.BULK
            else lane,
            **one_more(),
            **values,
        )

    def _fresh(
        self, shop: ShopState, me: Name, key: str, external_id: str, lane: Lane
    ) -> dict[str, Any]:
        """The columns of a new row, pending and due now."""
        return {
            "shop_id": shop.pk,
            "key": key,
            "external_id": external_id,
            "model": me[0],
            "object_pk": me[1],
            "lane": int(lane),
        }

    def _waiting(self, shop: ShopState, me: Name, owner: Name, external_id: str) -> SyncedProduct:
        return self.model(
            shop=shop,
            key=placeholder_key(me),
            external_id=external_id,
            model=me[0],
            object_pk=me[1],
            status=ProductStatus.REJECTED,
            contested=True,
            last_error=f"{external_id!r} is the external id of {owner[0]} {owner[1]} already",
        )

    @retry_on_deadlock
    def bury(self, rows: Sequence[SyncedProduct]) -> None:
        """Settle confirmed deletes: a row without owner is gone, one with an owner is unlisted."""
        if not rows:
            return
        # One statement, where `delete()` would read first if the shop listens to all deletes: a row
        # that is given a new owner in between must stay.
        self._held(rows).filter(model="")._raw_delete(self.db)
        outcome = Settlement()
        for row in rows:
            outcome.add(row, status=ProductStatus.UNLISTED, held=False, digest="", last_error="")
        self.settle(rows, outcome)

    @retry_on_deadlock
    def send_again(self) -> int:
        """Make rows that have an owner due, whatever Neuroon is known to hold or has refused."""
        owned = self.exclude(model="").filter(contested=False).order_by()
        pending = {"status": ProductStatus.PENDING, "lane": Lane.CHANGES, "digest": ""}
        return owned.update(**pending, **one_more())

    @retry_on_deadlock
    def take_out(self) -> int:
        """Make the delete due of what Neuroon has, or was about to get."""
        there = self.filter(Q(held=True) | Q(due_at__isnull=False), contested=False).order_by()
        return there.update(status=ProductStatus.DELETING, lane=Lane.DELETES, **one_more())

    def entomb(self, shop: ShopState, listed: Mapping[str, str]) -> int:
        """Tombstones for what Neuroon shows and the shop does not have; their deletes are due.

        `listed` maps external ids to Neuroon's own. Runs inside the caller's transaction, which
        holds the shop's row, and leaves alone what the shop has after all.
        """
        keys = {key_of(external_id): external_id for external_id in listed}
        ours = self.of(shop).filter(key__in=keys)
        known = set(ours.values_list("key", flat=True))
        idle = ours.filter(status=ProductStatus.UNLISTED, due_at=None)
        deleting = {"held": True, "status": ProductStatus.DELETING, "lane": Lane.DELETES}
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
        return idle.update(**deleting, **one_more()) + len(self.bulk_create(fresh))

    def retry_rejected(self, shop: ShopState) -> int:
        """Make every rejected row due, whatever was refused."""
        return self.of(shop).filter(status=ProductStatus.REJECTED).send_again()

    def forget_digests(self, shop: ShopState) -> int:
        """Hold nothing for known any more, so that all is sent again."""
        return self.of(shop).exclude(digest="").update(digest="")
