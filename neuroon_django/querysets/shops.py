"""What all workers share about one shop at one API address: gates, the fold's turn, scan and token.

A *gate* is the moment before which no request of its group may leave. Pacing moves it on by one
slot, `Retry-After` and pauses move it further, and a pause adds the reason for the operator; so one
column answers "may I send?", and whoever moves it has the right to.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Case, DateTimeField, ExpressionWrapper, F, Q, QuerySet, Value, When

from neuroon_django.querysets.clock import DbNow, later, retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models import ShopState

GROUPS = ("products", "deletes", "conversions", "token")
NEAR = 15.0  # seconds a worker may wait for its slot; a gate further off is closed


class ShopStateQuerySet(QuerySet["ShopState"]):
    """Verbs on the shared row."""

    def here(self, shop_id: str, api_url: str) -> ShopState:
        """The row of one shop id at one API address, made where there is none."""
        return self.get_or_create(shop_id=shop_id, api_url=api_url)[0]

    def hold(self, pk: int) -> None:
        """Take the fold's turn: first statement of a transaction, held until it ends."""
        self.filter(pk=pk).update(folded_at=DbNow())

    @retry_on_deadlock
    def take_slot(
        self,
        pk: int,
        group: str,
        slot: float,
        *,
        probe: float,
        near: float = NEAR,
        force: bool = False,
    ) -> tuple[float, str, int] | None:
        """Move the gate on: seconds to wait, the pause's reason, failures; None where it is closed.

        An open gate moves by `slot` seconds. A pause is passed by one caller at a time, who gets
        `probe` seconds for finding out; `force` passes it early, but never a `Retry-After`. A gate
        at most `near` seconds off counts as open: the caller waits for it.
        """
        gate, paused = f"{group}_gate", ~Q(**{f"{group}_reason": ""})
        passed = Q(**{f"{gate}__isnull": True}) | Q(**{f"{gate}__lte": DbNow()})
        soon = ~paused & Q(**{f"{gate}__lte": later(near)})
        mine = passed | soon | paused if force else passed | soon
        moved = ExpressionWrapper(
            F(gate) + Value(timedelta(seconds=slot)), output_field=DateTimeField()
        )
        with transaction.atomic(self.db):
            taken = self.filter(mine, pk=pk).update(
                **{
                    gate: Case(
                        When(paused, then=later(probe)),
                        When(**{f"{gate}__gt": DbNow()}, then=moved),
                        default=later(slot),
                    )
                }
            )
            if not taken:
                return None
            told = gate, "now", f"{group}_reason", f"{group}_failures"
            until, now, reason, failures = (
                self.filter(pk=pk).annotate(now=DbNow()).values_list(*told)
            )[0]
        wait = 0.0 if reason else max(0.0, (until - now).total_seconds() - slot)
        return wait, reason, failures

    @retry_on_deadlock
    def shut(self, pk: int, group: str, seconds: float, reason: str = "") -> None:
        """Close a gate; with a reason it is a pause, which counts as one more failure."""
        failures = F(f"{group}_failures") + 1 if reason else 0
        values = {"gate": later(seconds), "reason": reason, "failures": failures}
        self.filter(pk=pk).update(**{f"{group}_{name}": value for name, value in values.items()})

    @retry_on_deadlock
    def ajar(self, pk: int, group: str) -> None:
        """Let requests of a group through and forget no failure: what they hear decides."""
        self.filter(pk=pk).update(**{f"{group}_gate": DbNow(), f"{group}_reason": ""})

    @retry_on_deadlock
    def reopen(self, pk: int, *groups: str) -> int:
        """End the pauses of these groups, or of all; the gates of pauses open at once."""
        opened = 0
        for group in groups or GROUPS:
            paused = self.filter(pk=pk, **{f"{group}_failures__gt": 0})
            opened += paused.update(
                **{f"{group}_gate": DbNow(), f"{group}_reason": "", f"{group}_failures": 0}
            )
        return opened

    def others_scan(self, pk: int) -> None:
        """What was folded here is unknown elsewhere: every other address has to scan."""
        scanned = ~Q(scanned_at=None) | ~Q(scan_cursor="")
        self.exclude(pk=pk).filter(scanned).update(scanned_at=None, scan_cursor="")

    def ask_for_scan(self, pk: int) -> None:
        """The next run scans, from the beginning, whatever was scanned before."""
        self.filter(pk=pk).update(scanned_at=None, scan_cursor="")

    def begin_run(self, pk: int, gap: float) -> bool:
        """Note that a worker is here; True where none was for `gap` seconds, or ever."""
        unattended = Q(run_at=None) | Q(run_at__lt=later(-gap))
        alone = bool(self.filter(unattended, pk=pk).update(run_at=DbNow()))
        return alone or not self.filter(pk=pk).update(run_at=DbNow())

    @retry_on_deadlock
    def hand_over(self, pk: int, group: str, seconds: float) -> bool:
        """Whether the caller wakes the group's next run, to be over, or begun, `seconds` from now.

        One at a time: were every run that is cut short to wake another, a long pause would fill the
        queue. A message that is lost holds the others up no longer than that.
        """
        column = f"next_{group}_run_at"
        free = Q(**{column: None}) | Q(**{f"{column}__lte": DbNow()})
        return bool(self.filter(free, pk=pk).update(**{column: later(seconds)}))

    def move_scan(self, pk: int, old: str, new: str) -> bool:
        """Advance the scan's cursor, a sign of life; False where another worker did so first."""
        return bool(self.filter(pk=pk, scan_cursor=old).update(scan_cursor=new, run_at=DbNow()))

    def end_scan(self, pk: int, old: str) -> bool:
        """The scan went through the whole catalogue."""
        mine = self.filter(pk=pk, scan_cursor=old)
        return bool(mine.update(scan_cursor="", scanned_at=DbNow()))

    @retry_on_deadlock
    def set(self, pk: int, **values: Any) -> None:
        """Remember facts: the route found, the verified domain, the token, …"""
        self.filter(pk=pk).update(**values)
