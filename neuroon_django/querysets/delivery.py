"""Claim and settle: how one worker at a time gets a row, sends it, and writes down what came of it.

Every row that is on its way to Neuroon carries these facts, and three verbs move them:

    due_at            when a worker must look at this row next; NULL: never
    waiting_since     when it became due; whatever was tried meanwhile
    lease             the token of the worker that has it now, else empty
    revision          counts the changes folded into it
    claimed_revision  how many of them the present claim has seen
    attempts          claims since the last answer that was understood

    fold    revision + 1, and due now (a leased row stays due at its lease's end)
    claim   lease = mine, claimed_revision = revision, due_at = the lease's end, attempts + 1
    settle  lease = "", and due_at = NULL, unless revision > claimed_revision: then due now

So a row is never both forgotten and unsent: a worker that dies leaves it due at the lease's end, a
change that lands meanwhile is newer than the claim, and only an answer that was understood clears
`due_at`. Two requests for one row cannot overlap, since a row is due only when nobody holds it, or
when its holder's request must be over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast
from uuid import uuid4

from django.db import connections, transaction
from django.db.models import Case, F, Field, Model, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from neuroon_django.querysets.clock import DbNow, RawIn, case_by_pk, later, retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models import Delivery, ShopState

R = TypeVar("R", bound="Delivery")

NEWER = Q(revision__gt=F("claimed_revision"))
UNSENT = Case(When(model="", then=Value("deleting")), default=Value("pending"))


def one_more() -> dict[str, Any]:
    """One more change in rows: newer than any claim, and due unless somebody has them."""
    return {
        "due_at": Case(When(lease="", then=DbNow()), default=F("due_at")),
        "waiting_since": Coalesce(F("waiting_since"), DbNow()),
        "revision": F("revision") + 1,
        "attempts": 0,
    }


class Lane(IntEnum):
    """Who goes first: live edits, then a scan's work; deletes have a lane of their own."""

    CHANGES = 0
    BULK = 1
    DELETES = 2


@dataclass
class Settlement:
    """What came of some claimed rows: the new values of each, which of them are tried again, and
    which are closed for good, whatever changed meanwhile."""

    values: dict[int, dict[str, Any]] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    final: set[int] = field(default_factory=set)

    def add(self, row: Model, *, again: bool = False, final: bool = False, **values: Any) -> None:
        self.values[row.pk] = values
        if again:
            self.again.add(row.pk)
        if final:
            self.final.add(row.pk)


class DeliveryQuerySet(QuerySet[R]):
    """Rows on their way to Neuroon."""

    def of(self, shop: ShopState) -> Self:
        return self.filter(shop=shop)

    def due(self) -> Self:
        """Rows that a worker may claim now."""
        return self.filter(due_at__lte=DbNow())

    def waiting(self) -> Self:
        """Rows that will be due some day without a new change; by all lanes, as the index begins."""
        return self.filter(lane__in=list(Lane), due_at__isnull=False)

    @retry_on_deadlock
    def hurry(self, shop: ShopState) -> None:
        """End every backoff: what waits for its next try is due now."""
        self.of(shop).waiting().filter(lease="", due_at__gt=DbNow()).update(due_at=DbNow())

    @retry_on_deadlock
    def claim(self, shop: ShopState, lane: Lane, limit: int, *, seconds: float) -> list[R]:
        """Up to `limit` due rows, leased to the caller for `seconds`; the oldest first.

        SKIP LOCKED only keeps workers from picking the same candidates; what decides is the
        conditional UPDATE. SQLite gets no transaction around the two: it would die of one that
        reads first and writes later.
        """
        token = uuid4().hex
        due = self.of(shop).filter(lane=lane).due()
        features = connections[self.db].features
        skip_locked = features.has_select_for_update_skip_locked
        with transaction.atomic(self.db) if skip_locked else nullcontext():
            picked = due.select_for_update(skip_locked=True) if skip_locked else due
            first = list(picked.order_by("due_at", "pk").values_list("pk", "attempts")[:limit])
            taken = [pk for pk, _ in first[: _careful(first, limit)]]
            if not taken or not due.filter(RawIn("pk", taken)).update(
                lease=token,
                claimed_revision=F("revision"),
                due_at=later(seconds),
                attempts=F("attempts") + 1,
            ):
                return []
        return list(self.filter(RawIn("pk", taken), lease=token).order_by("pk"))

    @retry_on_deadlock
    def begin_sending(self, rows: Sequence[R], seconds: float, **values: Any) -> list[R]:
        """The last statement before the first byte leaves: the rows still held, leased anew."""
        mine = self._held(rows)
        if mine.update(due_at=later(seconds), **values) == len(rows):
            return list(rows)
        kept = set(mine.values_list("pk", flat=True))
        return [row for row in rows if row.pk in kept]

    @retry_on_deadlock
    def keep(self, lease: str, lane: Lane, seconds: float) -> None:
        """Hold what was claimed together for that many seconds from now."""
        self.filter(lane=lane, lease=lease).update(due_at=later(seconds))

    @retry_on_deadlock
    def settle(self, rows: Sequence[R], outcome: Settlement, delay: float = 0) -> int:
        """Write what came of `rows` in one statement, and let go of them.

        Rows in `outcome.again` are due after `delay` seconds, the others no more; a row that
        changed since the claim is due at once and where the change put it, whatever came of it.
        Rows whose lease was lost meanwhile belong to somebody else and are left alone.
        """
        if not rows:
            return 0
        again = [row.pk for row in rows if row.pk in outcome.again]
        newer = NEWER & ~Q(RawIn("pk", outcome.final)) if outcome.final else NEWER
        names = dict.fromkeys(name for values in outcome.values.values() for name in values)
        columns: dict[str, dict[int, Any]] = {
            name: {pk: v[name] for pk, v in outcome.values.items() if name in v} for name in names
        }
        updates = self._columns(columns, len(rows))
        for name, where in (("status", UNSENT), ("lane", F("lane"))):
            if name in updates:
                updates[name] = Case(When(newer, then=where), default=updates[name])
        due, since, attempts = [When(newer, then=DbNow())], [When(newer, then=DbNow())], []
        if again:
            # Not `later(0)`: SQLite writes its sums with more digits, which compare as later.
            due.append(When(RawIn("pk", again), then=later(delay) if delay else DbNow()))
            since.append(When(RawIn("pk", again), then=F("waiting_since")))
            attempts.append(When(RawIn("pk", again), then=F("attempts")))
        updates["due_at"] = Case(*due, default=Value(None))
        updates["waiting_since"] = Case(*since, default=Value(None))
        updates["attempts"] = Case(*attempts, default=Value(0))
        return self._held(rows).update(lease="", **updates)

    @retry_on_deadlock
    def release(self, rows: Sequence[R]) -> int:
        """Give rows back unsent: due now, as if they had not been claimed."""
        if not rows:
            return 0
        return self._held(rows).update(
            lease="",
            due_at=DbNow(),
            attempts=Case(When(attempts__gt=0, then=F("attempts") - 1), default=Value(0)),
            status=Case(When(status="sending", then=UNSENT), default=F("status")),
        )

    def _held(self, rows: Sequence[R]) -> Self:
        """The rows among these whose claim is still the caller's."""
        tokens = {row.lease for row in rows}
        return self.filter(RawIn("pk", [row.pk for row in rows]), lease__in=tokens - {""})

    def _columns(self, columns: Mapping[str, dict[int, Any]], rows: int) -> dict[str, Any]:
        """One expression per column out of its values by row."""
        return {
            name: case_by_pk(cast("Field[Any, Any]", self.model._meta.get_field(name)), column, rows)
            for name, column in columns.items()
        }


def _careful(first: Iterable[tuple[int, int]], limit: int) -> int:
    """How many to take: rows that failed again and again go in smaller and smaller batches.

    What names nobody, such as a 500 for one product in a hundred or a worker that dies of it, is so
    narrowed down, and what failed less often does not wait for it.
    """
    taken, most = 0, limit
    for _, attempts in first:
        most = min(most, max(1, limit >> max(0, min(attempts - 2, 10))))
        if taken >= most:
            break
        taken += 1
    return taken
