"""How things stand in one shop, in numbers and moments; what is wrong with them, `health` says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, QuerySet
from django.utils import timezone

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
from neuroon_django.operations.cures import cure_for
from neuroon_django.operations.rejections import Rejections, rejections_of
from neuroon_django.operations.wording import clock_time
from neuroon_django.widget.token import SERVE_UNTIL, stored

ERRORS = 10  # errors that are listed, the most frequent ones


@dataclass
class Pause:
    """A group of endpoints that no request goes to for now: why, until when, and after which status."""

    group: str
    reason: str
    until: datetime | None
    status: int | None = None

    @property
    def cure(self) -> str:
        """Return what ends it; "" where it ends by itself."""
        return cure_for(self.status)

    def __str__(self) -> str:
        until = f" until {clock_time(self.until)}" if self.until else ""
        return f"{self.group}: {self.reason}{until}"

    def as_json(self) -> dict[str, Any]:
        """Return the facts and the cure."""
        return asdict(self) | {"cure": self.cure}


@dataclass
class Status:
    """Everything known of one shop; times are aware, or as `USE_TZ` has them."""

    shop: ShopState
    can_send: bool
    products: dict[str, int]  # by status
    conversions: dict[str, int]
    changes: int  # recorded, and not folded yet
    queued: int  # products and orders
    oldest: datetime | None  # since when the first of all these waits
    token_age: timedelta | None
    pauses: list[Pause]
    waits: list[Pause]
    errors: list[tuple[str, int]]
    rejections: list[Rejections]

    @property
    def queue_age(self) -> timedelta:
        """Return how long the oldest change has been waiting."""
        return timezone.now() - self.oldest if self.oldest else timedelta(0)

    @property
    def has_token(self) -> bool:
        """Tell whether there is a widget token that pages may be given."""
        return is_servable(self.token_age)

    def as_json(self) -> dict[str, Any]:
        """Return all facts, ages in whole seconds."""
        shop = self.shop
        names = (
            "shop_id",
            "api_url",
            "route",
            "body",
            "verified_domain",
            "last_success_at",
            "scanned_at",
            "scan_warning",
            "fold_error",
            "token_method",
        )
        facts = {name: getattr(shop, name) for name in names}
        counts = {
            name: getattr(self, name) for name in ("products", "conversions", "changes", "queued")
        }
        return {
            **facts,
            **counts,
            "queue_age_seconds": _seconds(self.queue_age if self.oldest else None),
            "token_seconds": _seconds(self.token_age),
            "pauses": [pause.as_json() for pause in self.pauses],
            "waits": [wait.as_json() for wait in self.waits],
            "errors": [{"text": text, "count": n} for text, n in self.errors],
        }


def status_of(shop: ShopState) -> Status:
    """Read the facts in a bounded number of queries; the shop's row is taken as it was loaded."""
    products, orders = SyncedProduct.objects.of(shop), Conversion.objects.of(shop)
    product_counts, order_counts = _by_status(products), _by_status(orders)
    changes = Change.objects.aggregate(n=Count("pk"), oldest=Min("created_at"))
    waiting = _waiting(products), _waiting(orders)
    oldest = [changes["oldest"], *(rows["oldest"] for rows in waiting)]
    return Status(
        shop=shop,
        can_send=shop.config.can_send,
        products=product_counts,
        conversions=order_counts,
        changes=changes["n"],
        queued=sum(rows["n"] for rows in waiting),
        oldest=min((moment for moment in oldest if moment), default=None),
        token_age=token_age(shop),
        pauses=pauses_of(shop),
        waits=list(waits_of(shop)),
        errors=_errors(products, orders),
        rejections=[
            rejections_of(products, "product", product_counts["rejected"]),
            rejections_of(orders, "order", order_counts["rejected"]),
        ],
    )


def pauses_of(shop: ShopState) -> list[Pause]:
    """Return what is paused because a request failed."""
    return [Pause(e.group, e.reason, e.blocked_until, e.status) for e in shop.pauses()]


def waits_of(shop: ShopState) -> Iterator[Pause]:
    """Yield what Neuroon asked to be left alone (`Retry-After`) for longer than a worker waits."""
    soon = timezone.now() + timedelta(seconds=MAX_INLINE_WAIT)
    for endpoint in shop.endpoints.values():
        moments = [endpoint.blocked_until, endpoint.next_slot_at]
        until = max(filter(None, moments), default=None)
        if until and until > soon and not endpoint.reason:
            yield Pause(endpoint.group, ASKED_TO_WAIT, until)


def resume(shop: ShopState, *groups: str) -> int:
    """End the pauses of these groups, or of all; return how many there were."""
    rows = Endpoint.objects.filter(shop=shop, group__in=groups or Group.values)
    return int(rows.resume())


def token_age(shop: ShopState) -> timedelta | None:
    """Return the widget token's age; None where there is none of the present key and setting."""
    token = stored(shop)
    return timedelta(seconds=token.age) if token else None


def is_servable(age: timedelta | None) -> bool:
    """Tell whether pages may be given a widget token of this age."""
    return age is not None and age.total_seconds() < SERVE_UNTIL


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else round(span.total_seconds())


def _by_status(rows: QuerySet[Any]) -> dict[str, int]:
    counted = dict(rows.order_by().values_list("status").annotate(n=Count("*")))
    return {status.value: counted.get(status.value, 0) for status in rows.model.Status}


def _waiting(rows: Any) -> dict[str, Any]:
    """Return how many rows are queued, and since when the first of them is, whatever was tried."""
    facts: dict[str, Any] = rows.waiting().aggregate(n=Count("pk"), oldest=Min("waiting_since"))
    return facts


def _errors(*querysets: QuerySet[Any]) -> list[tuple[str, int]]:
    """Return the reasons on rows that did not go, with their numbers, the most frequent first."""
    errors: list[tuple[str, int]] = []
    for rows in querysets:
        stuck = rows.filter(status__in=["rejected", "pending", "deleting"]).exclude(last_error="")
        grouped = stuck.order_by().values_list("last_error").annotate(n=Count("pk"))
        errors.extend(grouped.order_by("-n", "last_error")[:ERRORS])
    return sorted(errors, key=lambda item: (-item[1], item[0]))[:ERRORS]
