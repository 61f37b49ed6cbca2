"""How things stand in one shop, in numbers and moments; what is wrong with them, `health` says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from neuroon_django.delivery.pacing import ASKED_TO_WAIT
from neuroon_django.feeds import registry
from neuroon_django.models import (
    Change,
    Conversion,
    Endpoint,
    Group,
    ShopState,
    SyncedProduct,
)
from neuroon_django.models.alerts import tell_resumed
from neuroon_django.models.endpoint import MAX_INLINE_WAIT
from neuroon_django.models.index_times import quantile
from neuroon_django.operations.cures import cure_for
from neuroon_django.operations.phrases import phrase
from neuroon_django.operations.rejections import Rejections, rejections_of
from neuroon_django.operations.unknown_models import topics_of, unknown_models
from neuroon_django.operations.wording import ago, span
from neuroon_django.widget.token import SERVE_UNTIL, stored

STUCK = ("rejected", "pending", "deleting")  # statuses of rows that did not go
ERRORS = 10  # errors that are listed, the most frequent ones
FACTS = (
    "shop_id",
    "api_url",
    "route",
    "body",
    "verified_domain",
    "last_success_at",
    "run_at",
    "beat_at",
    "scanned_at",
    "scan_ended_at",
    "scan_warning",
    "fold_error",
    "token_method",
)


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

    @property
    def next_try(self) -> str:
        """Return "next try in 4 min"."""
        seconds = -ago(self.until) if self.until else 0.0
        if seconds <= 0:
            return "next try with the next request"
        return phrase("next try in {span}", span=span(seconds))

    def __str__(self) -> str:
        return f"{self.group}: {self.reason}, {self.next_try}"

    def as_json(self) -> dict[str, Any]:
        """Return the facts and the cure."""
        return asdict(self) | {"cure": self.cure}


@dataclass
class Status:
    """What is known of one shop; times are aware, or as `USE_TZ` has them.

    Fields were read together; what only a person asks for is read when it is asked for.
    """

    shop: ShopState
    can_send: bool
    products: dict[str, int]  # by status
    conversions: dict[str, int]
    changes: int  # recorded for feeds of this process, and not folded yet
    queued: int  # products and orders
    oldest: datetime | None  # since when the first of all these waits
    token_age: timedelta | None
    pauses: list[Pause]
    waits: list[Pause]

    @property
    def queue_age(self) -> timedelta:
        """Return how long the oldest change has been waiting."""
        return timezone.now() - self.oldest if self.oldest else timedelta(0)

    @property
    def has_token(self) -> bool:
        """Tell whether there is a widget token that pages may be given."""
        return is_servable(self.token_age)

    @property
    def index_times(self) -> tuple[float | None, float | None]:
        """Return the seconds within which half of the latest live edits, and 95 %, were at Neuroon."""
        return quantile(self.shop.index_times, 0.5), quantile(self.shop.index_times, 0.95)

    @cached_property
    def errors(self) -> list[tuple[str, int]]:
        """The reasons on rows that did not go, with their numbers, the most frequent first."""
        products, orders = SyncedProduct.objects.of(self.shop), Conversion.objects.of(self.shop)
        found = _errors(products, self.products) + _errors(orders, self.conversions)
        return sorted(found.items(), key=lambda item: (-item[1], item[0]))[:ERRORS]

    @cached_property
    def rejections(self) -> list[Rejections]:
        """The rejected products, and the rejected orders."""
        products, orders = SyncedProduct.objects.of(self.shop), Conversion.objects.of(self.shop)
        return [
            rejections_of(products, "product", self.products["rejected"]),
            rejections_of(orders, "order", self.conversions["rejected"]),
        ]

    @cached_property
    def unknown(self) -> dict[str, int]:
        """How many rows and changes there are of each model that this process has no feed for."""
        return unknown_models(self.shop)

    def as_json(self) -> dict[str, Any]:
        """Return all facts, ages in whole seconds."""
        half, most = self.index_times
        return {
            **{name: getattr(self.shop, name) for name in FACTS},
            "products": self.products,
            "conversions": self.conversions,
            "changes": self.changes,
            "queued": self.queued,
            "queue_age_seconds": _seconds(self.queue_age if self.oldest else None),
            "token_seconds": _seconds(self.token_age),
            "index_seconds_p50": half,
            "index_seconds_p95": most,
            "pauses": [pause.as_json() for pause in self.pauses],
            "waits": [wait.as_json() for wait in self.waits],
            "errors": [{"text": text, "count": n} for text, n in self.errors],
            "unknown_models": self.unknown,
        }


def status_of(shop: ShopState) -> Status:
    """Read the facts in a bounded number of queries; the shop's row is taken as it was loaded."""
    products, orders = SyncedProduct.objects.of(shop), Conversion.objects.of(shop)
    changes = Change.objects.filter(model__in=topics_of(shop)).aggregate(
        n=Count("pk"), oldest=Min("created_at")
    )
    waiting = (
        _waiting(products.of_labels(registry.product_labels(shop.config))),
        _waiting(orders.of_labels(registry.order_labels(shop.config))),
    )
    oldest = [changes["oldest"], *(rows["oldest"] for rows in waiting)]
    return Status(
        shop=shop,
        can_send=shop.config.can_send,
        products=_by_status(products),
        conversions=_by_status(orders),
        changes=changes["n"],
        queued=sum(rows["n"] for rows in waiting),
        oldest=min((moment for moment in oldest if moment), default=None),
        token_age=token_age(shop),
        pauses=pauses_of(shop),
        waits=list(waits_of(shop)),
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
    return tell_resumed(shop, Endpoint.objects.filter(shop=shop, group__in=groups or Group.values))


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


def _errors(rows: QuerySet[Any], counts: dict[str, int]) -> Counter[str]:
    """Return the reasons on rows that did not go, with their numbers, the most frequent ones.

    One status at a time: for several together SQLite reads the whole table.
    """
    errors: Counter[str] = Counter()
    for status in STUCK:
        if counts.get(status):
            stuck = rows.filter(status=status).exclude(last_error="")
            grouped = stuck.order_by().values_list("last_error").annotate(n=Count("pk"))
            errors.update(dict(grouped.order_by("-n", "last_error")[:ERRORS]))
    return errors
