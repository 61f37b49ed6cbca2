"""A flush of 1,000 changes and its memory, in a small catalogue and in a large one."""

from __future__ import annotations

import gc
import random
import statistics
import time
import tracemalloc

from django.db import connection

from neuroon_django import mark_changed
from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import product_run
from neuroon_django.models import SyncedProduct
from neuroon_django.models.assignment import key_of
from tests.benchmarks.catalogue import fill
from tests.benchmarks.report import Report
from tests.benchmarks.speed import ROUNDS, sink
from tests.factories import current_shop
from tests.shop.models import Product


def mirror() -> None:
    """Create a row for every product that has none, as a sync leaves it."""
    shop = current_shop()
    products = Product.objects.order_by("pk").filter(pk__gt=SyncedProduct.objects.count())
    rows = products.values_list("pk", "sku")
    while page := list(rows[:5_000]):
        SyncedProduct.objects.bulk_create(
            SyncedProduct(
                shop=shop,
                key=key_of(sku),
                external_id=sku,
                model="shop.product",
                object_pk=str(pk),
                status="synced",
                digest="0" * 64,
                in_neuroon=True,
                claimed_revision=1,
            )
            for pk, sku in page
        )
        rows = rows.filter(pk__gt=page[-1][0])


def flush(count: int) -> float:
    """Change so many products, all over the catalogue, and send them; return the seconds."""
    chosen = random.sample(range(1, Product.objects.count() + 1), count)
    Product.objects.filter(pk__in=chosen).update(title=f"Renamed at {time.perf_counter()}")
    mark_changed(Product.objects.filter(pk__in=chosen))
    started = time.perf_counter()
    shop = current_shop()
    with Client(**conf.shop().client_options()) as client:
        tally = product_run(shop, client, foreground=True).run()
    assert tally.synced == count, tally
    return time.perf_counter() - started


def _peak() -> int:
    """Return the memory of a flush of 1,000 changes at its peak, in bytes."""
    gc.collect()
    tracemalloc.start()
    flush(1_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def run(report: Report, most: int) -> None:
    """Measure at 10,000 products and at `most`."""
    figures = []
    with sink():
        for products in (10_000, most):
            fill(products, Product.objects.count())
            mirror()
            if connection.vendor == "postgresql":  # as its daemon has done long since in a shop
                with connection.cursor() as cursor:
                    cursor.execute("ANALYZE")
            flush(1_000)
            seconds = statistics.median(flush(1_000) for _ in range(ROUNDS))
            figures.append((seconds, min(_peak() for _ in range(3))))
            report.row(f"    {products:,} products, each", seconds * 1e6 / 1_000, "{:.0f} us")
    for what, (small, large) in zip(("time", "memory"), zip(*figures, strict=True), strict=True):
        ratio = large / small
        name = f"{what} of a flush, {most:,} products / 10,000"
        report.row(name, ratio, "{:.2f} x", "<= 1.3 x", ratio <= 1.3)
