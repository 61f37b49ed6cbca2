"""The state of things, as `neuroon_status` prints it and the admin's overview shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from neuroon_django.delivery.pacing import ASKED_TO_WAIT
from neuroon_django.models import (
    Change,
    Conversion,
    Endpoint,
    Group,
    ShopState,
    SyncedProduct,
)
from neuroon_django.models.endpoint import MAX_INLINE_WAIT

ERRORS = 10  # groups of errors that are told
REFUSAL = re.compile(r"\b[A-Z]+ /\S*: (401|403|404) ")  # in the text of an ApiError


@dataclass
class Pause:
    """A group of endpoints that is not asked for now: why, and when it is tried next."""

    group: str
    reason: str
    until: datetime | None


@dataclass
class Status:
    """What there is and what hinders it; times are aware, or as `USE_TZ` has them."""

    shop: ShopState
    products: dict[str, int]
    conversions: dict[str, int]
    changes: int
    waiting: int
    oldest: datetime | None
    pauses: list[Pause]
    waits: list[Pause]
    errors: list[tuple[str, int]]

    @property
    def age(self) -> timedelta:
        """How long the oldest change has been waiting."""
        return timezone.now() - self.oldest if self.oldest else timedelta(0)


def resume(shop: ShopState, *groups: str) -> int:
    """End the blocks that have a reason, of these groups or of all; return how many there were."""
    rows = Endpoint.objects.filter(shop=shop, group__in=groups or Group.values)
    return int(rows.resume())


def token_age(shop: ShopState) -> timedelta | None:
    """The widget token's age; None where there is none of the present key."""
    issued = shop.token_issued_at
    if not shop.token or issued is None or shop.token_key != shop.config.key_fingerprint:
        return None
    return timezone.now() - issued


def status_of(shop: ShopState) -> Status:
    """Read in a fixed number of queries, none of which looks at a row twice."""
    products, orders = SyncedProduct.objects.of(shop), Conversion.objects.of(shop)
    changes = Change.objects.aggregate(n=Count("pk"), oldest=Min("created_at"))
    waiting = _waiting(products), _waiting(orders)
    oldest = [changes["oldest"], *(told["oldest"] for told in waiting)]
    return Status(
        shop=shop,
        products=_by_state(products),
        conversions=_by_state(orders),
        changes=changes["n"],
        waiting=sum(told["n"] for told in waiting),
        oldest=min((moment for moment in oldest if moment), default=None),
        pauses=[
            Pause(endpoint.group, endpoint.reason, endpoint.blocked_until) for endpoint in shop.pauses()
        ],
        waits=list(_waits(shop)),
        errors=_errors(products, orders),
    )


def _waits(shop: ShopState) -> Iterator[Pause]:
    """What Neuroon asked to be left alone (`Retry-After`), for longer than a worker sits out."""
    soon = timezone.now() + timedelta(seconds=MAX_INLINE_WAIT)
    for group, endpoint in shop.endpoints.items():
        until = max(filter(None, (endpoint.blocked_until, endpoint.next_slot_at)), default=None)
        if until and until > soon and not endpoint.reason:
            yield Pause(group, _(ASKED_TO_WAIT), until)


def _by_state(rows: QuerySet[Any]) -> dict[str, int]:
    counted = dict(rows.order_by().values_list("status").annotate(n=Count("*")))
    return {state.value: counted.get(state.value, 0) for state in rows.model.Status}


def _waiting(rows: Any) -> dict[str, Any]:
    """Rows that wait to be sent, and since when the first of them does, whatever was tried."""
    told: dict[str, Any] = rows.waiting().aggregate(n=Count("pk"), oldest=Min("waiting_since"))
    return told


def _errors(*querysets: QuerySet[Any]) -> list[tuple[str, int]]:
    """The reasons on rows that did not go, the most frequent first."""
    found: list[tuple[str, int]] = []
    for rows in querysets:
        stuck = rows.filter(status__in=["rejected", "pending", "deleting"]).exclude(last_error="")
        grouped = stuck.order_by().values_list("last_error").annotate(n=Count("pk"))
        found.extend(grouped.order_by("-n", "last_error")[:ERRORS])
    return sorted(found, key=lambda item: (-item[1], item[0]))[:ERRORS]


def remedy(reason: str) -> str:
    """What ends a pause of this reason, which does not end by itself; "" where it does."""
    status = REFUSAL.search(reason)
    if not status:
        return ""
    if status[1] == "401":
        return _("Correct NEUROON_API_KEY, then run neuroon_verify.")
    return _("Run neuroon_verify: it says what to correct.")


def waits_until(wait: Pause) -> str:
    """What ends by itself: nobody needs to do anything."""
    moment = wait.until
    until = timezone.localtime(moment) if moment and timezone.is_aware(moment) else moment
    told = {"group": _(wait.group), "reason": wait.reason, "until": f"{until:%H:%M:%S}"}
    return _("%(group)s: %(reason)s until %(until)s") % told
