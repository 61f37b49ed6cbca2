"""Alerts: a person is told once when a cause that needs one begins, and once when it ends (law 19).

The row decides who tells: of ten workers that meet one refusal, the one whose statement writes the
cause down logs the ERROR and sends the signal.

    alert    the status of the cause that a person was told of; 0: of none
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import models

from neuroon_django import signals
from neuroon_django.exceptions import ApiError
from neuroon_django.models.run_lease import RunLeaseQuerySet
from neuroon_django.models.sql import retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models.endpoint import EndpointQuerySet
    from neuroon_django.models.shop import ShopState

logger = logging.getLogger("neuroon_django")

WITHOUT_STATUS = 1  # the alert of a refusal that a 2xx answer held


class AlertColumns(models.Model):
    """The column of an alert; the top of this file tells what it is for."""

    alert = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True


class AlertQuerySet(RunLeaseQuerySet):
    """How an alert begins; it ends when the endpoint resumes."""

    @retry_on_deadlock
    def begin_alert(self, status: int | None) -> bool:
        """Write down that a person is told of this cause; False where one was told already."""
        alert = status or WITHOUT_STATUS
        return bool(self.exclude(alert=alert).update(alert=alert))


def tell_paused(shop: ShopState, endpoints: EndpointQuerySet, error: ApiError) -> None:
    """Tell that these endpoints are blocked for a cause that needs a person, unless one was told."""
    if not endpoints.begin_alert(error.status):
        return
    groups = _groups(endpoints)
    alias = shop.config.alias
    logger.error("paused shop=%s group=%s reason=%s", alias, ",".join(groups), error)
    signals.delivery_paused.send_robust(
        type(shop), shop=alias, groups=groups, status=error.status, reason=error.reason
    )


def tell_resumed(shop: ShopState, endpoints: EndpointQuerySet) -> int:
    """End the blocks of these endpoints that have a reason, and tell so; return how many there were."""
    blocked = endpoints.filter(failures__gt=0)
    groups, alerted = _groups(blocked), _groups(blocked.exclude(alert=0))
    resumed = endpoints.resume()
    if resumed:
        alias = shop.config.alias
        logger.info("resumed shop=%s group=%s", alias, ",".join(groups))
        if alerted:
            signals.delivery_resumed.send_robust(type(shop), shop=alias, groups=alerted)
    return resumed


def _groups(endpoints: EndpointQuerySet) -> Sequence[str]:
    """Return the endpoints' groups, in the order in which their rows were made."""
    return list(endpoints.order_by("pk").values_list("group", flat=True))
