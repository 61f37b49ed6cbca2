"""What was accepted at an endpoint: the evidence that its configuration works (law 8).

confirmed_at    when something was accepted here for the first time
accepted_at     when something was accepted while others were refused: evidence for the next run
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import QuerySet

from neuroon_django.models.sql import DbNow, from_now, retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models.endpoint import Endpoint  # noqa: F401 - named in a string

EVIDENCE_AGE = 60.0  # seconds for which an acceptance says that the configuration works


class AcceptanceQuerySet(QuerySet["Endpoint"]):
    """What is remembered of acceptances."""

    @retry_on_deadlock
    def confirm(self) -> None:
        """Note that something was accepted here: the configuration works."""
        self.filter(confirmed_at=None).update(confirmed_at=DbNow())

    @retry_on_deadlock
    def note_acceptance(self) -> None:
        """Note that something was accepted while others were refused."""
        self.update(accepted_at=DbNow())

    @retry_on_deadlock
    def use_acceptance(self) -> bool:
        """Return whether something was accepted a moment ago, as one run after it may ask."""
        return bool(self.filter(accepted_at__gt=from_now(-EVIDENCE_AGE)).update(accepted_at=None))


class AcceptanceColumns(models.Model):
    """The columns that the top of this file tells of."""

    confirmed_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
