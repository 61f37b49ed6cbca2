"""What a shop's row keeps for those who watch over it: heartbeats, alerts, and how long things take.

beat_at         when a message was seen that only beat sends
scan_ended_at   when a scan went through the whole catalogue, whatever was asked for since
many_rejected   a person was told that many products or orders are rejected
fingerprint     of the settings and feeds that payloads depend on, as the last run had them
totals          how many products the shop and Neuroon had and the plan allows, as far as known
compared_at     when they were counted
index_times     how long live edits took, as `index_times` counts them
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from neuroon_django.models.sql import DbNow, from_now, retry_on_deadlock
from neuroon_django.models.verification import VerificationQuerySet

if TYPE_CHECKING:
    from neuroon_django.models.shop import ShopState

BEAT_REST = 50.0  # seconds between two notes that beat is here


class MonitoringColumns(models.Model):
    """The columns; the top of this file tells what they are for."""

    beat_at = models.DateTimeField(null=True, blank=True)
    scan_ended_at = models.DateTimeField(null=True, blank=True)
    many_rejected = models.BooleanField(default=False)
    fingerprint = models.CharField(max_length=64, default="", blank=True)
    totals = models.JSONField(default=dict, blank=True)
    compared_at = models.DateTimeField(null=True, blank=True)
    index_times = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True


class MonitoringQuerySet(VerificationQuerySet):
    """How they change; what returns a bool returns True to one worker of many."""

    @retry_on_deadlock
    def note_beat(self) -> None:
        """Note for every shop that beat is here, once a minute at most."""
        late = Q(beat_at=None) | Q(beat_at__lt=from_now(-BEAT_REST))
        self.filter(late).update(beat_at=DbNow())

    @retry_on_deadlock
    def set_many_rejected(self, shop: ShopState, *, many: bool) -> bool:
        """Note whether many rows are rejected; return whether that was not known."""
        shop.many_rejected = many
        return bool(self.filter(pk=shop.pk, many_rejected=not many).update(many_rejected=many))

    @retry_on_deadlock
    def change_fingerprint(self, shop: ShopState, new: str) -> bool:
        """Note the fingerprint of settings and feeds; return whether it was the old one until now."""
        old, shop.fingerprint = shop.fingerprint, new
        return bool(self.filter(pk=shop.pk, fingerprint=old).update(fingerprint=new))
