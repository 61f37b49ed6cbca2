"""Gates: when the next request of a group may leave, for all workers alike (law 9).

Four groups of endpoints share no trouble: products, deletes, conversions and the token. Each has a
gate in the shop's row; `querysets.shops` moves it, this file decides by how much.
"""

from __future__ import annotations

import logging
import random
import time
from functools import cached_property
from typing import TYPE_CHECKING, cast

from django.db import models

from neuroon_django.conf import conf
from neuroon_django.exceptions import ApiError, Forbidden, KeyRefused, RateLimited, Refused
from neuroon_django.querysets import GROUPS
from neuroon_django.querysets.clock import DbNow
from neuroon_django.querysets.shops import NEAR

if TYPE_CHECKING:
    from neuroon_django.querysets import ShopStateQuerySet

logger = logging.getLogger("neuroon_django")

PACE = 0.97  # of the allowed rate: what clocks and windows may disagree about
ROW_BACKOFF_AFTER = 8  # tries after which a row that goes alone is in trouble of its own
ASKED = "Neuroon asked to wait"
MOMENT, MINUTE, HOUR, LONGEST = 2.0, 60.0, 3_600.0, 86_400.0  # seconds


def backoff(failures: int, first: float) -> float:
    """Seconds that double with each failure, up to an hour, less up to a quarter of jitter."""
    return float(min(first * 2 ** min(failures, 20), HOUR) * random.uniform(0.75, 1))


class Gates(models.Model):
    """The columns of the four gates. A reason makes a closed gate a pause, told to the operator."""

    products_gate = models.DateTimeField(null=True, blank=True)
    products_reason = models.TextField(default="", blank=True)
    products_failures = models.PositiveIntegerField(default=0)
    deletes_gate = models.DateTimeField(null=True, blank=True)
    deletes_reason = models.TextField(default="", blank=True)
    deletes_failures = models.PositiveIntegerField(default=0)
    conversions_gate = models.DateTimeField(null=True, blank=True)
    conversions_reason = models.TextField(default="", blank=True)
    conversions_failures = models.PositiveIntegerField(default=0)
    token_gate = models.DateTimeField(null=True, blank=True)
    token_reason = models.TextField(default="", blank=True)
    token_failures = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True

    @property
    def _rows(self) -> ShopStateQuerySet:
        return cast("ShopStateQuerySet", type(self)._default_manager.all())

    @cached_property
    def open_groups(self) -> set[str]:
        """The groups whose gate this worker has passed and has no reason to ask again."""
        return set()

    def pauses(self) -> dict[str, str]:
        """The groups that are paused, with the reason of each."""
        return {group: reason for group in GROUPS if (reason := getattr(self, f"{group}_reason"))}

    def await_turn(self, group: str, *, force: bool, until: float, patient: bool = False) -> str:
        """Sleep until a request of the group may leave: ""; or why none may before `until`.

        `force` tries in spite of a pause; `patient` sits out a `Retry-After`, and a pause that is
        about to end. `until` is monotonic time.
        """
        while (seconds := self.take_slot(group, force=force)) is None:
            self.refresh_from_db(fields=[f"{group}_reason", f"{group}_failures"])
            closed, reason = self.seconds_closed(group), getattr(self, f"{group}_reason")
            waits = patient and (closed <= NEAR or not reason)
            if not waits or time.monotonic() + closed > until:
                return str(reason) or f"{ASKED} for another {closed:.0f} s"
            why = reason or ASKED
            logger.warning("waiting seconds=%.0f group=%s reason=%s", closed, group, why)
            time.sleep(closed)
        time.sleep(seconds)
        return ""

    def take_slot(self, group: str, *, force: bool = False) -> float | None:
        """Seconds to wait before one request of the group may leave; None where its gate is closed.

        Requests are spread evenly over the minute, at 97 % of the limit. Without a limit the gate
        is only asked when it may be closed.
        """
        slot = 60 / (PACE * conf.RATE_LIMIT) if conf.RATE_LIMIT else 0.0
        if not slot and group in self.open_groups:
            return 0.0
        taken = self._rows.take_slot(self.pk, group, slot, probe=conf.TIMEOUT, force=force)
        if taken is None:
            return None
        seconds, reason, failures = taken
        setattr(self, f"{group}_reason", reason)
        setattr(self, f"{group}_failures", failures)
        if not reason:
            self.open_groups.add(group)
        return seconds

    def seconds_closed(self, group: str) -> float:
        """How long the gate stays closed, by the database's clock."""
        query = self._rows.filter(pk=self.pk).annotate(now=DbNow())
        gate, now = query.values_list(f"{group}_gate", "now")[0]
        return max(0.0, (gate - now).total_seconds()) if gate else 0.0

    def failed(self, group: str, error: ApiError) -> float:
        """Close the gates that an error asks for (`API.md`, "Errors"); seconds until the next try."""
        if isinstance(error, KeyRefused):
            return max(self._pause(other, error, MINUTE) for other in GROUPS)
        if isinstance(error, Forbidden):
            groups = ("products", "deletes") if group in ("products", "deletes") else (group,)
            return max(self._pause(other, error, MINUTE) for other in groups)
        if isinstance(error, RateLimited) or error.retry_after:
            asked = MINUTE if error.retry_after is None else error.retry_after
            seconds = min(max(asked, 1.0), LONGEST)
            logger.warning("waiting group=%s seconds=%.0f reason=%s", group, seconds, error)
            self._shut(group, seconds)
            return seconds
        return self._pause(group, error, MINUTE if isinstance(error, Refused) else MOMENT)

    def succeeded(self, group: str) -> None:
        """A request went through: a pause of its group is over."""
        if getattr(self, f"{group}_failures"):
            self._rows.reopen(self.pk, group)
            setattr(self, f"{group}_reason", "")
            setattr(self, f"{group}_failures", 0)
            logger.info("resumed group=%s", group)

    def answered(self, group: str) -> None:
        """A request was refused for what it held, so others may follow; the next pause is longer."""
        if getattr(self, f"{group}_reason"):
            self._rows.ajar(self.pk, group)
            setattr(self, f"{group}_reason", "")

    def _pause(self, group: str, error: ApiError, first: float) -> float:
        """Close a gate with a reason, longer with each failure."""
        failures = getattr(self, f"{group}_failures")
        seconds = backoff(failures, first)
        if not failures:
            logger.warning("paused group=%s seconds=%.0f reason=%s", group, seconds, error)
        self._shut(group, seconds, str(error))
        return seconds

    def _shut(self, group: str, seconds: float, reason: str = "") -> None:
        self.open_groups.discard(group)
        self._rows.shut(self.pk, group, seconds, reason)
        failures = getattr(self, f"{group}_failures") + 1 if reason else 0
        setattr(self, f"{group}_reason", reason)
        setattr(self, f"{group}_failures", failures)
