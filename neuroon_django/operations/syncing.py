"""Send what is queued in the foreground, and say what is left, why, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from neuroon_django.api import Client
from neuroon_django.delivery import (
    Reconciliation,
    RunStatistics,
    Scan,
    fold_all,
    order_run,
    preview_orders,
    preview_products,
    product_run,
)
from neuroon_django.feeds import registry
from neuroon_django.models import Change, Conversion, ProductStatus, ShopState, SyncedProduct
from neuroon_django.operations.rejections import Rejections, rejections_of
from neuroon_django.operations.status import pauses_of
from neuroon_django.operations.wording import clock_time, count, is_or_are, join

SHOWN = 5  # rejected products and orders that are named


@dataclass
class Remainder:
    """What a run left behind and why; empty where it finished its work and nothing was rejected."""

    reasons: list[str]  # why requests stopped
    cures: list[str]
    queued: dict[str, int]  # by noun
    unknown_until: datetime | None  # whether Neuroon has some is not known, and they wait until then
    leased_until: datetime | None  # by another worker
    rejections: list[Rejections]

    @property
    def lines(self) -> list[str]:
        """Return what an operator reads, one thing in a line."""
        rejected = [line for kind in self.rejections for line in kind.lines]
        return [*self.reasons, *self.cures, *self._queued_lines(), *rejected]

    def _queued_lines(self) -> Iterator[str]:
        total = sum(self.queued.values())
        if total:
            things = join([count(n, noun) for noun, n in self.queued.items() if n])
            yield f"{things} {is_or_are(total)} still queued. Run neuroon_sync again."
        if self.unknown_until:
            until = clock_time(self.unknown_until)
            yield f"Neuroon may have got some of them all the same: they are sent again after {until}."
        if self.leased_until:
            until = clock_time(self.leased_until)
            yield f"Another worker is sending some of them, until {until} at the latest."


class Sync:
    """One run over the products and then the orders of a shop, whatever a backoff or a pause says."""

    def __init__(self, shop: ShopState, client: Client, scan: Scan | None = None) -> None:
        self.shop = shop
        self.scan = scan
        self.on_progress: Callable[[int], None] = lambda done: None
        self.on_wait: Callable[[str], None] = lambda text: None
        options: dict[str, Any] = {"foreground": True, "on_wait": self._tell_wait}
        self.products = product_run(
            shop, client, scan=scan, on_progress=self._count_products, **options
        )
        self.orders = order_run(shop, client, **options)

    def expected(self) -> int:
        """Fold what changed, then return how many products the run has to do."""
        fold_all(self.shop)
        if self.scan is not None:
            return sum(s.live_queryset().count() for s in registry.products(self.shop.config))
        return int(SyncedProduct.objects.of(self.shop).waiting().count())

    def run(
        self,
        on_progress: Callable[[int], None],
        on_wait: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Send until nothing is due, or nothing can be sent; tell how many products are done.

        `on_wait` is told what is waited for, and for how long.
        """
        self.on_progress, self.on_wait = on_progress, on_wait
        self.products.run()
        if self.scan is not None:
            Conversion.objects.reassess(self.shop)
        self.orders.run()

    def remainder(self) -> Remainder:
        """Look what is left now that the run is over."""
        products, orders = self.products.statistics, self.orders.statistics
        stops = [*products.stops.values(), *orders.stops.values()]
        reasons = [*stops, *products.errors, *orders.errors]
        cures = [pause.cure for pause in pauses_of(self.shop) if pause.reason in reasons]
        queued = SyncedProduct.objects.of(self.shop).waiting().unanswered()
        waiting = Conversion.objects.of(self.shop).waiting()
        own = products.unknown_leases | orders.unknown_leases
        unknown, others = _lease_ends([queued, waiting], own)
        return Remainder(
            reasons=list(dict.fromkeys(reasons)),
            cures=list(dict.fromkeys(filter(None, cures))),
            queued={
                "product": queued.count(),
                "order": waiting.count(),
                "change": Change.objects.count(),
            },
            unknown_until=unknown,
            leased_until=others,
            rejections=[*self._rejected_products(), self._rejected_orders()],
        )

    def _tell_wait(self, seconds: float, reason: str) -> None:
        self.on_wait(f"waiting {seconds:,.0f} s: {reason}")

    def _count_products(self, done: RunStatistics) -> None:
        settled = done.synced + done.rejected + done.unchanged + done.deleted
        self.on_progress(max(settled, done.scanned))

    def _rejected_products(self) -> Iterator[Rejections]:
        """Yield what is rejected by now, if this run has rejected any; the latest are named."""
        if not self.products.statistics.rejected:
            return
        rows = SyncedProduct.objects.of(self.shop)
        rejected = rows.filter(status=ProductStatus.REJECTED).order_by("-pk")
        latest = rejected.values_list("external_id", "object_pk", "last_error")[:SHOWN]
        kind = rejections_of(rows, "product", rejected.count())
        kind.examples = [f"{external_id or pk}: {error}" for external_id, pk, error in latest]
        yield kind

    def _rejected_orders(self) -> Rejections:
        """Return what this run has rejected; the latest are named."""
        rejected = self.orders.statistics.rejected_orders
        reasons = Counter(reason for _, reason in rejected).most_common()
        latest = rejected[: -SHOWN - 1 : -1]
        examples = [f"Order {name}: {reason}" for name, reason in latest]
        return Rejections("order", len(rejected), reasons, examples)


def _lease_ends(
    querysets: Sequence[QuerySet[Any]], own: set[str]
) -> tuple[datetime | None, datetime | None]:
    """Return when the last lease ends of those that are this run's own, and of the others."""
    rows = [row for rows in querysets for row in rows.exclude(lease="").values_list("lease", "due_at")]
    ours = max((due_at for lease, due_at in rows if lease in own), default=None)
    return ours, max((due_at for lease, due_at in rows if lease not in own), default=None)


class Planned(NamedTuple):
    """One thing that a run would do: "send" with the payload, "delete", or "reject" with the reason."""

    verb: str
    name: str
    text: str


def plan(shop: ShopState, *, scan: bool, full: bool, retry: bool) -> Iterator[Planned]:
    """Yield what a run with these options would do, without a request."""
    verbs = {"send": "send", "delete": "delete", "keep": "reject"}
    scan = scan or shop.scanned_at is None or bool(shop.scan_cursor)
    for verb, external_id, text in preview_products(shop, scan=scan, full=full, retry=retry):
        yield Planned(verbs[verb], external_id, text)
    for verb, order_id, text in preview_orders(shop, scan=scan or full, retry=retry):
        yield Planned(verbs[verb], f"Order {order_id}:", text)


def retry_rejected(shop: ShopState) -> None:
    """Queue what was rejected."""
    SyncedProduct.objects.retry_rejected(shop)
    Conversion.objects.retry_rejected(shop)


def forget_sent(shop: ShopState) -> None:
    """Forget what Neuroon is known to hold, so that the next run scans and sends everything."""
    SyncedProduct.objects.forget_digests(shop)
    ShopState.objects.request_scan(shop.pk)
    shop.refresh_from_db(fields=["scan_cursor", "scanned_at"])


def remove_everything(shop: ShopState, client: Client) -> None:
    """Queue a delete for every product at Neuroon, whoever has sent it."""
    fold_all(shop)
    SyncedProduct.objects.of(shop).enqueue_delete()
    reconciliation = Reconciliation(shop, client)
    for listed in list(reconciliation.listed()):
        reconciliation.create_tombstones(listed)
