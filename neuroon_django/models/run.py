"""Runs: one row for each run that did something, from its first task to its last.

A run that is handed over from task to task (law 9) is one run: each task adds its counts to the row.
`delivery.history` writes the rows and the admin shows them; nothing that is sent depends on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, F, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from neuroon_django.models.endpoint import Group
from neuroon_django.models.sql import PrimaryManager, retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models.shop import ShopState

KINDS = [(group.value, group.label) for group in (Group.PRODUCTS, Group.CONVERSIONS)]
KEPT = timedelta(days=30)
SILENCE = timedelta(minutes=2)  # after which a run that was handed over is not gone on with any more


class RunQuerySet(QuerySet["Run"]):
    """What happens to rows of runs."""

    @retry_on_deadlock
    def record(
        self,
        shop: ShopState,
        kind: str,
        *,
        token: str,
        resumes: str,
        began_at: datetime,
        counts: Mapping[str, int],
        longest_wait: float,
        reason: str,
        handed_over: bool,
    ) -> None:
        """Add what a task did to the row of the run that it goes on with, `resumes`, or make a row.

        `longest_wait` is in seconds; `token` is what the next task of the same run goes on with.
        """
        ended = {"ended_at": timezone.now(), "reason": reason, "handed_over": handed_over}
        if resumes:
            longer = When(longest_wait__lt=longest_wait, then=Value(longest_wait))
            added = self.filter(shop=shop, token=resumes).update(
                token=token,
                longest_wait=Case(longer, default=F("longest_wait")),
                **ended,
                **{name: F(name) + n for name, n in counts.items()},
            )
            if added:
                return
        values = {"token": token, "began_at": began_at, "longest_wait": longest_wait}
        self.bulk_create([self.model(shop=shop, kind=kind, **values, **ended, **counts)])

    def prune(self, shop: ShopState) -> None:
        """Delete what ended more than thirty days ago."""
        self.filter(shop=shop, ended_at__lt=timezone.now() - KEPT)._raw_delete(self.db)


class Run(models.Model):
    """One run over the products or the orders of a shop: when, what it did, and why it ended."""

    id = models.BigAutoField(primary_key=True)
    shop = models.ForeignKey("neuroon_django.ShopState", models.CASCADE, related_name="+")
    kind = models.CharField(_("kind"), max_length=20, choices=KINDS)
    token = models.CharField(max_length=32, db_index=True)
    began_at = models.DateTimeField(_("began"))
    ended_at = models.DateTimeField(_("ended"), db_index=True)
    requests = models.PositiveIntegerField(_("requests"), default=0)
    synced = models.PositiveIntegerField(_("synced"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    deleted = models.PositiveIntegerField(_("deleted"), default=0)
    reported = models.PositiveIntegerField(_("reported"), default=0)
    scanned = models.PositiveIntegerField(_("scanned"), default=0)
    # How many seconds the oldest of what it sent had been waiting.
    longest_wait = models.FloatField(_("longest wait"), default=0.0)
    handed_over = models.BooleanField(default=False)
    reason = models.TextField(_("why it ended"), default="", blank=True)

    objects = PrimaryManager.from_queryset(RunQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("run")
        verbose_name_plural = _("runs")

    def __str__(self) -> str:
        return f"{self.kind} {self.began_at:%Y-%m-%d %H:%M}"

    @property
    def is_under_way(self) -> bool:
        """Return whether another task is about to go on with it."""
        return self.handed_over and timezone.now() - self.ended_at < SILENCE

    @property
    def seconds(self) -> float:
        """Return how long it took, or has taken so far."""
        return (self.ended_at - self.began_at).total_seconds()
