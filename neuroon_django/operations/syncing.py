"""Send what is queued in the foreground, and say what is left, why, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

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
        if self.leased_until:
            until = clock_time(self.leased_until)
            yield f"Another worker is sending some of them, until {until} at the latest."


class Sync:
    """One run over the products and then the orders of a shop, whatever a backoff or a pause says."""

    def __init__(self, shop: ShopState, client: Client, scan: Scan | None = None) -> None:
        self.shop = shop
        self.scan = scan
        self.on_progress: Callable[[int], None] = lambda done: None
        self.products = product_run(
            shop, client, scan=scan, foreground=True, on_progress=self._count_products
        )
        self.orders = order_run(shop, client, foreground=True)

    def expected(self) -> int:
        """Fold what changed, then return how many products the run has to do."""
        fold_all(self.shop)
        if self.scan is not None:
            return sum(s.count() for s in registry.products(self.shop.config))
        return int(SyncedProduct.objects.of(self.shop).waiting().count())

    def run(self, on_progress: Callable[[int], None]) -> None:
        """Send until nothing is due, or nothing can be sent; tell how many products are done."""
        self.on_progress = on_progress
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
        queued = SyncedProduct.objects.of(self.shop).waiting()
        leases = queued.exclude(lease="").order_by("-due_at").values_list("due_at", flat=True)
        return Remainder(
            reasons=list(dict.fromkeys(reasons)),
            cures=list(dict.fromkeys(filter(None, cures))),
            queued={
                "product": queued.count(),
                "order": Conversion.objects.of(self.shop).waiting().count(),
                "change": Change.objects.count(),
            },
            leased_until=leases.first(),
            rejections=[*self._rejected_products(), self._rejected_orders()],
        )

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
