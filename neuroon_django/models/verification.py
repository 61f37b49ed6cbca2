"""A shop's verification that somebody asked a worker for, and what the last one of a worker found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import QuerySet

from neuroon_django.models.sql import DbNow, retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models.shop import ShopState  # noqa: F401 - named in a string


class VerificationQuerySet(QuerySet["ShopState"]):
    """How a verification is asked for and ends."""

    @retry_on_deadlock
    def request_verification(self, pk: int) -> None:
        """Ask the workers to verify the shop."""
        self.filter(pk=pk).update(verification_requested_at=DbNow())

    @retry_on_deadlock
    def verification_ended(self, pk: int, result: dict[str, Any]) -> None:
        """Keep what the steps found, as `Verification.as_json` returns it; nobody waits any more."""
        self.filter(pk=pk).update(
            verification=result, verification_ended_at=DbNow(), verification_requested_at=None
        )


class VerificationColumns(models.Model):
    """What the admin shows: asked for and not begun, or the steps of the last one."""

    verification_requested_at = models.DateTimeField(null=True, blank=True)
    verification_ended_at = models.DateTimeField(null=True, blank=True)
    verification = models.JSONField(null=True, blank=True)

    class Meta:
        abstract = True
