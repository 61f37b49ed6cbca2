"""Claim and settle: how one worker at a time gets a row, sends it, and writes down what came of it.

Every row that is on its way to Neuroon carries these facts, and three methods move them:

    due_at            when a worker must look at this row next; NULL: never
    waiting_since     when it became due, whatever was tried meanwhile
    lease             the token of the worker that has claimed it, else empty
    revision          counts the changes folded into it
    claimed_revision  how many of them the present claim has seen
    attempts          claims since the last answer that was understood

    fold    revision + 1, and due now (a leased row stays due at its lease's end)
    claim   lease = mine, claimed_revision = revision, due_at = the lease's end, attempts + 1
    settle  lease = "", and due_at = NULL, unless revision > claimed_revision: then due now

So a row is never both forgotten and unsent: a worker that dies leaves it due at the lease's end, a
change that lands meanwhile is newer than the claim, and only an answer that was understood clears
`due_at`. Two requests for one row cannot overlap, since a row is due only when nobody has claimed it,
or when the request of whoever had must be over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast
from uuid import uuid4

from django.conf import settings
from django.db import connections, models, transaction
from django.db.models import Case, F, Field, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from neuroon_django.models.outcomes import Outcomes
from neuroon_django.models.sql import DbNow, RawIn, from_now, retry_on_deadlock, value_per_row

if TYPE_CHECKING:
    from neuroon_django.models.shop import ShopState

R = TypeVar("R", bound="Delivery")

NEWER = Q(revision__gt=F("claimed_revision"))


class Lane(IntEnum):
    """Who goes first: live edits, a scan's work, what was refused without evidence whose fault it is.

    Deletes have a lane of their own.
    """

    LIVE = 0
    BACKFILL = 1
    DELETES = 2
    REFUSED = 3


def changed_once_more(since: datetime | None = None) -> dict[str, Any]:
    """Return the columns of a folded change: newer than any claim, and due unless claimed.

    It has waited since that moment, or from now on.
    """
    return {
        "due_at": Case(When(lease="", then=DbNow()), default=F("due_at")),
        "waiting_since": Coalesce(F("waiting_since"), since or DbNow()),
        "revision": F("revision") + 1,
        "attempts": 0,
    }


class DeliveryQuerySet(QuerySet[R]):
    """Rows on their way to Neuroon."""

    # What a row is that waits to be sent; subclasses say it for rows without an object.
    unsent: Any = Value("pending")

    def of(self, shop: ShopState) -> Self:
        return self.filter(shop=shop)

    def of_labels(self, labels: Iterable[str]) -> Self:
        """Return rows of these models, and rows without an object; others know the rest."""
        return self.filter(model__in=["", *labels])

    def due(self) -> Self:
        """Rows that a worker may claim now."""
        return self.filter(due_at__lte=DbNow())

    def waiting(self) -> Self:
        """Rows that will be due some day without a new change; by all lanes, as the index begins.

        By a range, since SQLite that has statistics takes no index for `IS NOT NULL`.
        """
        first = datetime(1970, 1, 1, tzinfo=UTC if settings.USE_TZ else None)
        return self.filter(lane__in=list(Lane), due_at__gt=first)

    @retry_on_deadlock
    def reset_backoff(self, shop: ShopState) -> None:
        """Make due now what waits for its next try."""
        self.of(shop).waiting().filter(lease="", due_at__gt=DbNow()).update(due_at=DbNow())

    @retry_on_deadlock
    def claim(
        self, shop: ShopState, lane: Lane, limit: int, *, seconds: float, newest: bool = False
    ) -> list[R]:
        """Lease up to `limit` due rows to the caller for `seconds`, the oldest or the newest first.

        SKIP LOCKED only keeps workers from picking the same candidates; what decides is the
        conditional UPDATE. SQLite gets no transaction around the two: it would fail one that reads
        first and writes later.
        """
        token = uuid4().hex
        due = self.of(shop).filter(lane=lane).due()
        features = connections[self.db].features
        skip_locked = features.has_select_for_update_skip_locked
        with transaction.atomic(self.db) if skip_locked else nullcontext():
            picked = due.select_for_update(skip_locked=True) if skip_locked else due
            order = ("-due_at", "-pk") if newest else ("due_at", "pk")
            first = list(picked.order_by(*order).values_list("pk", "attempts")[:limit])
            taken = [pk for pk, _ in first[: _batch_size(first, limit)]]
            if not taken or not due.filter(RawIn("pk", taken)).update(
                lease=token,
                claimed_revision=F("revision"),
                due_at=from_now(seconds),
                attempts=F("attempts") + 1,
            ):
                return []
        return list(self.filter(RawIn("pk", taken), lease=token).order_by("pk"))

    @retry_on_deadlock
    def extend_lease(self, lease: str, lane: Lane, seconds: float) -> None:
        """Keep what was claimed together for that many seconds from now."""
        claimed = self.filter(lane=lane, lease=lease, due_at__isnull=False)  # as the index has them
        claimed.update(due_at=from_now(seconds))

    def begin_sending(self, rows: Sequence[R], seconds: float) -> list[R]:
        """Mark rows as being sent, just before the first byte leaves, and lease them for `seconds`.

        Returns the rows that are still the caller's.
        """
        raise NotImplementedError

    @retry_on_deadlock
    def _begin(self, rows: Sequence[R], seconds: float, **values: Any) -> list[R]:
        mine = self._claimed(rows)
        if mine.update(due_at=from_now(seconds), **values) == len(rows):
            return list(rows)
        kept = set(mine.values_list("pk", flat=True))
        return [row for row in rows if row.pk in kept]

    @retry_on_deadlock
    def settle(self, outcomes: Outcomes[R]) -> int:
        """Write what came of claimed rows in one statement, and end their leases.

        Rows that are tried again are due after the outcomes' delay, the others no more. A row that
        changed since the claim is due at once and where the change put it, whatever came of it. Rows
        whose lease was lost meanwhile belong to another worker and are left alone.
        """
        rows, retried = outcomes.rows, outcomes.retried
        if not rows:
            return 0
        newer = NEWER & ~Q(RawIn("pk", outcomes.final)) if outcomes.final else NEWER
        updates = self._columns(outcomes.columns, len(rows))
        for name, kept in (("status", self.unsent), ("lane", F("lane"))):
            if name in updates:
                updates[name] = Case(When(newer, then=kept), default=updates[name])
        if outcomes.keeps_lease:
            return self._claimed(rows).update(**updates)
        due, since, attempts = [When(newer, then=DbNow())], [When(newer, then=DbNow())], []
        if retried:
            again, delay = RawIn("pk", retried), outcomes.delay
            # Not `from_now(0)`: SQLite writes its sums with more digits, which compare as later.
            due.append(When(again, then=from_now(delay) if delay else DbNow()))
            since.append(When(again, then=F("waiting_since")))
            attempts.append(When(again, then=F("attempts")))
        updates["due_at"] = Case(*due, default=Value(None))
        updates["waiting_since"] = Case(*since, default=Value(None))
        updates["attempts"] = Case(*attempts, default=Value(0)) if attempts else 0
        return self._claimed(rows).update(lease="", **updates)

    @retry_on_deadlock
    def release(self, rows: Sequence[R]) -> int:
        """Give rows back unsent: due now, as if they had not been claimed."""
        if not rows:
            return 0
        return self._claimed(rows).update(
            lease="",
            due_at=DbNow(),
            attempts=Case(When(attempts__gt=0, then=F("attempts") - 1), default=Value(0)),
            status=Case(When(status="sending", then=self.unsent), default=F("status")),
        )

    def _claimed(self, rows: Sequence[R]) -> Self:
        """Return the rows among these whose claim is still the caller's."""
        tokens = {row.lease for row in rows}
        return self.filter(RawIn("pk", [row.pk for row in rows]), lease__in=tokens - {""})

    def _columns(self, columns: Mapping[str, dict[int, Any]], rows: int) -> dict[str, Any]:
        """Return one expression per column out of its values by row."""
        return {
            name: value_per_row(cast("Field[Any, Any]", self.model._meta.get_field(name)), values, rows)
            for name, values in columns.items()
        }


def _batch_size(first: Iterable[tuple[int, int]], limit: int) -> int:
    """Return how many rows to take: those that fail again and again go in smaller batches."""
    taken, most = 0, limit
    for _pk, attempts in first:
        most = min(most, max(1, limit >> max(0, min(attempts - 2, 10))))
        if taken >= most:
            break
        taken += 1
    return taken


class Delivery(models.Model):
    """A row on its way to Neuroon; the top of this file tells how its columns work together.

    The shop stands last in every index: nearly all rows have the same one, and SQLite, which has no
    statistics unless told to make some, would take any index that begins with it, and read them all.
    """

    id = models.BigAutoField(primary_key=True)
    shop = models.ForeignKey(
        "neuroon_django.ShopState", models.CASCADE, related_name="+", db_index=False
    )
    key = models.CharField(max_length=64)
    model = models.CharField(_("model"), max_length=200, default="", blank=True)
    object_pk = models.CharField(_("object"), max_length=255, default="", blank=True)
    lane = models.PositiveSmallIntegerField(default=Lane.LIVE)
    due_at = models.DateTimeField(_("next try"), null=True, blank=True)
    lease = models.CharField(max_length=32, default="", blank=True)
    revision = models.PositiveBigIntegerField(default=1)
    claimed_revision = models.PositiveBigIntegerField(default=0)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    waiting_since = models.DateTimeField(_("waiting since"), null=True, blank=True)
    failed_at = models.DateTimeField(_("last failure"), null=True, blank=True)
    last_error = models.TextField(_("last error"), default="", blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        abstract = True
