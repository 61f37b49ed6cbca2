"""Send what is queued in the foreground, and say what is left, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

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
from neuroon_django.delivery.fold import fold_orders_for
from neuroon_django.delivery.preview import Planned
from neuroon_django.exceptions import NoProductList
from neuroon_django.feeds import registry
from neuroon_django.models import Change, Conversion, Group, Lane, ShopState, SyncedProduct
from neuroon_django.operations.cures import CURES
from neuroon_django.operations.rejections import Rejections, rejections_of
from neuroon_django.operations.status import pauses_of
from neuroon_django.operations.wording import clock_time, count, is_or_are, join

SHOWN = 5  # rejected products and orders that are named


class Sync:
    """One run over the products and then the orders of a shop, whatever a backoff or a pause says."""

    def __init__(self, shop: ShopState, client: Client, scan: Scan | None = None) -> None:
        self.shop = shop
        self.scan = scan
        self.on_progress: Callable[[int], None] = lambda done: None
        self.on_wait: Callable[[str], None] = lambda text: None
        options: dict[str, Any] = {"foreground": True, "on_wait": self._tell_wait}
        self.products = product_run(shop, client, scan=scan, on_progress=self._count, **options)
        self.orders = order_run(shop, client, on_progress=self._count, **options)

    def expected(self) -> int:
        """Fold what changed, then return how many products, deletes and orders the run has to do."""
        fold_all(self.shop)
        fold_orders_for(self.shop, float("inf"), float("inf"))
        products = SyncedProduct.objects.of(self.shop).waiting()
        orders = Conversion.objects.of(self.shop).waiting().count()
        if self.scan is None:
            return int(products.count() + orders)
        listed = sum(source.count() for source in registry.products(self.shop.config))
        return int(listed + products.filter(lane=Lane.DELETES).count() + orders)

    def run(
        self,
        on_progress: Callable[[int], None],
        on_wait: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Send until nothing is due, or nothing can be sent; tell how many products are done.

        `on_wait` is told what is waited for, and for how long.
        """
        self.on_progress, self.on_wait = on_progress, on_wait
        if self.shop.endpoint(Group.PRODUCTS).row.is_run_at_work():
            on_wait("waiting for another run, which is at work")
        self.products.run()
        if self.scan is not None:
            Conversion.objects.reassess(self.shop)
        self.orders.run()

    def remainder(self) -> list[str]:
        """Return what the run left behind, why, and what to do about it, one thing in a line."""
        products, orders = self.products.statistics, self.orders.statistics
        stops = [*products.stops.values(), *orders.stops.values()]
        reasons = [*stops, *products.errors, *orders.errors]
        cures = [pause.cure for pause in pauses_of(self.shop) if pause.reason in reasons]
        rejected = [line for kind in self._rejections() for line in kind.lines]
        if self.shop.scan_warning:
            reasons += [f"{self.shop.scan_warning}.", CURES["brake"].text]
        return [*dict.fromkeys(filter(None, [*reasons, *cures])), *self._queued(), *rejected]

    def _queued(self) -> Iterator[str]:
        """Yield what is still queued, and until when it waits for an answer or another worker."""
        config = self.shop.config
        topics = registry.product_topics(config) | registry.order_topics(config)
        products = SyncedProduct.objects.of(self.shop).of_labels(registry.product_labels(config))
        orders = Conversion.objects.of(self.shop).of_labels(registry.order_labels(config))
        products, orders = products.waiting().unanswered(), orders.waiting()
        counts = {
            "product": products.count(),
            "order": orders.count(),
            "change": Change.objects.filter(model__in=topics).count() * config.is_configured,
        }
        if total := sum(counts.values()):
            queued = join([count(n, noun) for noun, n in counts.items() if n])
            yield f"{queued} {is_or_are(total)} still queued. Run neuroon_sync again."
        own = self.products.statistics.unknown_leases | self.orders.statistics.unknown_leases
        unknown_until, leased_until = _lease_ends([products, orders], own)
        if unknown_until:
            until = clock_time(unknown_until)
            yield f"Neuroon may have got some of them all the same: they are sent again after {until}."
        if leased_until:
            until = clock_time(leased_until)
            yield f"Another worker is sending some of them, until {until} at the latest."

    def _tell_wait(self, seconds: float, reason: str) -> None:
        self.on_wait(f"waiting {seconds:,.0f} s: {reason}")

    def _count(self, _: RunStatistics) -> None:
        done, orders = self.products.statistics, self.orders.statistics
        settled = max(done.synced + done.rejected + done.unchanged, done.scanned)
        reported = orders.reported + len(orders.rejected_orders)
        self.on_progress(settled + done.deleted + reported)

    def _rejections(self) -> Iterator[Rejections]:
        """Yield what is rejected by now, whichever run has rejected it; the latest are named."""
        products, orders = SyncedProduct.objects.of(self.shop), Conversion.objects.of(self.shop)
        now = self.products.statistics.rejected, len(self.orders.statistics.rejected_orders)
        yield _rejected(products, "product", "", "external_id", earlier=not now[0])
        yield _rejected(orders, "order", "Order ", "order_id", earlier=not now[1])


def _rejected(rows: QuerySet[Any], noun: str, prefix: str, name: str, *, earlier: bool) -> Rejections:
    """Return the rejected ones of these rows, some of them by name unless that was told earlier."""
    rejected = rows.filter(status="rejected").order_by("-pk")
    kind = rejections_of(rows, noun, rejected.count())
    kind.earlier = earlier
    if not earlier:
        latest = rejected.values_list(name, "object_pk", "last_error")[:SHOWN]
        kind.examples = [f"{prefix}{own or pk}: {error}" for own, pk, error in latest]
    return kind


def _lease_ends(
    querysets: Sequence[QuerySet[Any]], own: set[str]
) -> tuple[datetime | None, datetime | None]:
    """Return when the last lease ends of those that are this run's own, and of the others."""
    rows = [row for rows in querysets for row in rows.exclude(lease="").values_list("lease", "due_at")]
    ours = max((due_at for lease, due_at in rows if lease in own), default=None)
    return ours, max((due_at for lease, due_at in rows if lease not in own), default=None)


def plan(
    shop: ShopState, *, scan: bool, full: bool, retry: bool, force: bool = False
) -> Iterator[Planned]:
    """Yield what a run with these options would do, without a request."""
    scan = scan or shop.scanned_at is None or bool(shop.scan_cursor)
    yield from preview_products(shop, scan=scan, full=full, retry=retry, forced=force)
    yield from preview_orders(shop, scan=scan or full, retry=retry)


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
    """Queue a delete for every product at Neuroon, whoever has sent it.

    Where Neuroon cannot list its products, those that were sent from here are deleted.
    """
    fold_all(shop)
    SyncedProduct.objects.of(shop).enqueue_delete()
    reconciliation = Reconciliation(shop, client)
    with suppress(NoProductList):
        for listed in list(reconciliation.listed()):
            reconciliation.create_tombstones(listed)
