"""Endpoints: when the next request of a group may leave, and which run is at work (laws 5 and 9).

Four groups of Neuroon's endpoints share no trouble. Each has a row per shop that all workers share:

    next_slot_at    rate limiter: when the next request may leave; each request moves it on by a slot
    blocked_until   circuit breaker: no request leaves before; with a `reason`, the operator is told,
                    and once the time is over one request at a time finds out whether it is better
    confirmed_at, … what was accepted here, as `acceptance` tells
    run_token, …    which run is at work, and what a person was told: `run_lease` and `alerts`
"""

from __future__ import annotations

import logging
import random
from typing import Any
from uuid import uuid4

from django.db import models, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from neuroon_django.exceptions import ApiError, Forbidden, KeyRefused, RateLimited, Refused
from neuroon_django.models.acceptance import AcceptanceColumns, AcceptanceQuerySet
from neuroon_django.models.alerts import AlertColumns, AlertQuerySet, tell_paused, tell_resumed
from neuroon_django.models.run_lease import RunLeaseColumns
from neuroon_django.models.sql import DbNow, PrimaryManager, from_now, moment_after, retry_on_deadlock

logger = logging.getLogger("neuroon_django")

KEY_REFUSED = 401
RATE_HEADROOM = 0.97  # of the allowed rate: what clocks and windows may disagree about
MAX_INLINE_WAIT = 15.0  # seconds that a foreground run waits for a slot or a block inside a run
FIRST_BACKOFF, LONG_BACKOFF = 2.0, 60.0  # seconds of a first block: by itself over, or by a person
MAX_BACKOFF, MAX_RETRY_AFTER = 3_600.0, 86_400.0  # seconds


class Group(models.TextChoices):
    """The groups of endpoints that are blocked and paced apart."""

    PRODUCTS = "products", _("products")
    DELETES = "deletes", _("deletes")
    CONVERSIONS = "conversions", _("conversions")
    TOKEN = "token", _("token")


CATALOGUE = (Group.PRODUCTS, Group.DELETES)  # what may not be done is so for both


def backoff(failures: int, first: float) -> float:
    """Return seconds that double with each failure, up to an hour, less up to a quarter of jitter."""
    return float(min(first * 2 ** min(failures, 20), MAX_BACKOFF) * random.uniform(0.75, 1))


OPEN = Q(blocked_until__isnull=True) | Q(blocked_until__lte=DbNow())


class EndpointQuerySet(AlertQuerySet, AcceptanceQuerySet):  # type: ignore[override]
    """What moves an endpoint's row; each method is one statement, or two in one transaction."""

    @retry_on_deadlock
    def create_missing(self, shop: Any) -> None:
        """Create the rows of a shop that are not there, whoever else does so at the moment."""
        rows = [self.model(shop=shop, group=group) for group in Group.values]
        self.bulk_create(rows, ignore_conflicts=True)

    @retry_on_deadlock
    def acquire_slot(
        self, slot: float, *, probe: float, near: float, force: bool = False
    ) -> dict[str, Any] | None:
        """Take the next slot of this one endpoint, and move the limiter on by `slot` seconds.

        Returns the row's values with `now`, or None where it is blocked or its slot is further off
        than `near` seconds. After a block with a reason one caller at a time passes, who gets `probe`
        seconds for finding out; `force` passes such a block early, but never a `Retry-After`.
        """
        blocked_for_a_reason = ~Q(reason="")
        passable = OPEN | blocked_for_a_reason if force else OPEN
        soon = Q(next_slot_at__isnull=True) | Q(next_slot_at__lte=from_now(near))
        moved = moment_after(F("next_slot_at"), slot)
        with transaction.atomic(self.db):
            taken = self.filter(passable, soon).update(
                blocked_until=Case(
                    When(blocked_for_a_reason, then=from_now(probe)), default=F("blocked_until")
                ),
                next_slot_at=Case(When(next_slot_at__gt=DbNow(), then=moved), default=from_now(slot)),
            )
            if not taken:
                return None
            columns = ("next_slot_at", "reason", "status", "failures", "confirmed_at")
            return dict(self.values(*columns, now=DbNow())[0])

    @retry_on_deadlock
    def block(self, seconds: float, reason: str = "", status: int | None = None) -> None:
        """Let no request leave for so long; a reason is told, and counts as one more failure."""
        failures = F("failures") + 1 if reason else Value(0)
        cause = {"reason": reason, "status": status, "failures": failures}
        self.update(blocked_until=from_now(seconds), **cause)

    @retry_on_deadlock
    def half_open(self) -> None:
        """Let requests through and forget no failure: what they are answered decides."""
        self.update(blocked_until=None, reason="", status=None)

    @retry_on_deadlock
    def resume(self) -> int:
        """End blocks that have a reason, and forget the failures; returns how many there were."""
        failed = self.filter(failures__gt=0)
        return failed.update(blocked_until=None, reason="", status=None, failures=0, alert=0)


class Endpoint(AcceptanceColumns, RunLeaseColumns, AlertColumns):
    """One group of endpoints of one shop; the top of this file tells what its columns are for."""

    id = models.BigAutoField(primary_key=True)
    shop = models.ForeignKey("neuroon_django.ShopState", models.CASCADE, related_name="+")
    group = models.CharField(max_length=20, choices=Group.choices)
    next_slot_at = models.DateTimeField(null=True, blank=True)
    blocked_until = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(default="", blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)

    # Whether this process has passed the breaker and has no reason to ask it again.
    is_open = False

    objects = PrimaryManager.from_queryset(EndpointQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("endpoint")
        verbose_name_plural = _("endpoints")
        constraints = [models.UniqueConstraint(fields=["shop", "group"], name="neuroon_one_endpoint")]

    def __str__(self) -> str:
        return self.group

    @property
    def row(self) -> EndpointQuerySet:
        """This one row, for the methods that move it."""
        rows: EndpointQuerySet = Endpoint.objects.filter(pk=self.pk)
        return rows

    @property
    def slot(self) -> float:
        """Seconds between two requests: spread evenly over the minute, at 97 % of the limit."""
        limit = self.shop.config.RATE_LIMIT
        return 60 / (RATE_HEADROOM * limit) if limit else 0.0

    def acquire_slot(self, *, near: float = MAX_INLINE_WAIT, force: bool = False) -> float | None:
        """Return the seconds to wait before one request may leave, None where none may.

        Without a limit the database is only asked while the endpoint may be blocked.
        """
        if not self.slot and self.is_open:
            return 0.0
        probe = self.shop.config.TIMEOUT
        taken = self.row.acquire_slot(self.slot, probe=probe, near=near, force=force)
        if taken is None:
            return None
        now = taken.pop("now")
        vars(self).update(taken)
        self.is_open = not self.reason
        wait: float = (taken["next_slot_at"] - now).total_seconds() - self.slot
        return max(0.0, wait)

    def trust_what_was_read(self) -> None:
        """Take the row as it was read for what it is now, as a run may that has just begun."""
        self.is_open = self.blocked_until is None and not self.reason

    def seconds_closed(self) -> float:
        """Return how long no request may leave, by the database's clock."""
        columns = ("blocked_until", "next_slot_at", "reason", "failures", "status")
        row: dict[str, Any] = self.row.values(*columns, now=DbNow())[0]
        now = row.pop("now")
        vars(self).update(row)
        moments = [moment for moment in (self.blocked_until, self.next_slot_at) if moment]
        closed: list[float] = [(moment - now).total_seconds() for moment in moments]
        return max([0.0, *closed])

    def failed(self, error: ApiError) -> float:
        """Block what an error says is blocked (`API.md`, "Errors"); return the seconds of it."""
        asked_to_wait = isinstance(error, RateLimited) or bool(error.retry_after)
        if asked_to_wait and not isinstance(error, KeyRefused | Forbidden):
            asked = LONG_BACKOFF if error.retry_after is None else error.retry_after
            seconds = min(max(asked, 1.0), MAX_RETRY_AFTER)
            logger.warning("waiting group=%s seconds=%.0f reason=%s", self.group, seconds, error)
            if self.failures:
                self.resume()
            self._block([self.group], seconds)
            return seconds
        needs_a_person = isinstance(error, KeyRefused | Forbidden | Refused)
        seconds = backoff(self.failures, LONG_BACKOFF if needs_a_person else FIRST_BACKOFF)
        if not self.failures and not needs_a_person:
            logger.warning("paused group=%s seconds=%.0f reason=%s", self.group, seconds, error)
        blocked = self._block(self._concerned(error), seconds, str(error), error.status)
        if needs_a_person:
            tell_paused(self.shop, blocked, error)
        return seconds

    def begin_exclusive(self, seconds: float) -> str:
        """Return a token of the only run that may be at work, "" where one is or it is blocked."""
        token = uuid4().hex
        return token if self.row.filter(OPEN).begin_run(token, seconds) else ""

    def succeeded(self) -> None:
        """Note that a request was accepted: a block is over, and the configuration works."""
        if self.failures:
            self.resume()
        if self.confirmed_at is None:
            self.row.confirm()
            self.confirmed_at = timezone.now()

    def understood(self) -> None:
        """Note that a request was refused for what it held: others may follow it."""
        if self.status == KEY_REFUSED:
            self.resume()
        elif self.reason:
            self.row.half_open()
            self.reason, self.status = "", None

    def resume(self) -> None:
        """End the block; one for the key ends in all groups, since they had the same cause."""
        cause = Q(status=KEY_REFUSED) if self.status == KEY_REFUSED else Q(pk=self.pk)
        tell_resumed(self.shop, Endpoint.objects.filter(cause | Q(pk=self.pk), shop=self.shop))
        self.reason, self.failures, self.status = "", 0, None

    def _concerned(self, error: ApiError) -> list[str]:
        if isinstance(error, KeyRefused):
            return list(Group.values)
        if isinstance(error, Forbidden) and self.group in CATALOGUE:
            return [str(group) for group in CATALOGUE]
        return [self.group]

    def _block(
        self, groups: list[str], seconds: float, reason: str = "", status: int | None = None
    ) -> EndpointQuerySet:
        rows: EndpointQuerySet = Endpoint.objects.filter(shop=self.shop, group__in=groups)
        rows.block(seconds, reason, status)
        for group in groups:
            endpoint = self.shop.endpoint(group)
            endpoint.is_open, endpoint.reason, endpoint.status = False, reason, status
            endpoint.failures = endpoint.failures + 1 if reason else 0
        return rows
