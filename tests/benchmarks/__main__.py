"""`python -m tests.benchmarks [--products N]`: every budget, measured in one run.

Each figure is set against the same work without the app, on the same machine, minutes apart at most,
so that what is compared is the app and not the machine.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

folder = tempfile.mkdtemp(prefix="neuroon-benchmarks-")
os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/bench.sqlite3")
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django  # noqa: E402

django.setup()

import requests  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, reset_queries, transaction  # noqa: E402
from django.template import Context, Template  # noqa: E402
from django.test import override_settings  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from neuroon_django import mark_changed, muted  # noqa: E402
from neuroon_django.api import Client  # noqa: E402
from neuroon_django.conf import conf  # noqa: E402
from neuroon_django.delivery import Scan, product_run  # noqa: E402
from neuroon_django.models import Change, ShopState, SyncedProduct  # noqa: E402
from neuroon_django.models.assignment import key_of  # noqa: E402
from tests.factories import current_shop  # noqa: E402
from tests.shop.models import Brand, Category, Product, StockRecord  # noqa: E402

ROUNDS = 5


def row(what: str, figure: str, bound: str, fine: bool) -> None:
    print(f"{what:<58}{figure:>14}   {bound:<14}{'' if fine else '  MISSED'}", flush=True)


@contextmanager
def sink(delay: float = 0, **settings: Any) -> Iterator[str]:
    """A server that says yes, in a process of its own, and settings that point there."""
    command = [sys.executable, "-m", "tests.benchmarks.sink", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        told = {"NEUROON_API_URL": url, "NEUROON_PRODUCTS_API": "plugin", **settings}
        try:
            with override_settings(**told):
                yield url
        finally:
            process.terminate()


def fill(count: int, first: int = 0) -> None:
    """A catalogue with brands, categories and stock records: products `first` to `count`."""
    with muted():
        brands = Brand.objects.bulk_create(Brand(name=f"Brand {n}") for n in range(40))
        shelves = Category.objects.bulk_create(Category(title=f"Shelf {n}") for n in range(60))
        for start in range(first, count, 5_000):
            products = Product.objects.bulk_create(
                Product(
                    sku=f"SKU-{n}",
                    title=f"A product with a name of common length, number {n}",
                    description="Words that say what it is and why anybody should want it. " * 6,
                    brand=brands[n % 40],
                )
                for n in range(start, min(start + 5_000, count))
            )
            StockRecord.objects.bulk_create(
                StockRecord(product=p, price=Decimal(p.pk % 900) + Decimal("0.99")) for p in products
            )
            Product.categories.through.objects.bulk_create(
                Product.categories.through(product_id=p.pk, category_id=shelves[(p.pk + k) % 60].pk)
                for p in products
                for k in range(2)
            )


def by_hand(url: str) -> float:
    """The loop a shop would write: instances, prefetched, dicts, `Session.post`."""
    started = time.perf_counter()
    session = requests.Session()
    batch: list[dict[str, Any]] = []
    products = Product.objects.select_related("brand").prefetch_related("categories", "stockrecords")

    def post() -> None:
        body = {"syncType": "INCREMENTAL", "products": batch}
        headers = {"X-Shop-API-Key": conf.API_KEY}
        session.post(f"{url}/api/plugin/shops/x/products/sync", json=body, headers=headers).json()
        batch.clear()

    for product in products.order_by("pk").iterator(chunk_size=100):
        batch.append(
            {
                "externalId": product.sku,
                "name": product.title,
                "description": product.description,
                "price": float(product.stockrecords.all()[0].price),
                "url": f"https://mystore.com{product.get_absolute_url()}",
                "brand": product.brand.name if product.brand else None,
                "categories": [category.title for category in product.categories.all()],
                "currency": "EUR",
            }
        )
        if len(batch) == 100:
            post()
    if batch:
        post()
    return time.perf_counter() - started


def full_sync() -> float:
    started = time.perf_counter()
    shop = current_shop()
    with Client(**conf.client_options()) as client:
        tally = product_run(shop, client, scan=Scan.due(shop), foreground=True).run()
    assert not tally.stopped, tally
    return time.perf_counter() - started


def saves() -> None:
    product = Product.objects.order_by("pk").first()
    assert product

    def measure(inside: bool) -> float:
        def once() -> None:
            for _ in range(200):
                product.save()

        started = time.perf_counter()
        if inside:
            with transaction.atomic():
                once()
        else:
            once()
        return time.perf_counter() - started

    for inside, bound in ((True, 1.5), (False, 2.0)):
        ratios = []
        for _ in range(15):
            with override_settings(NEUROON_ENABLED=False):
                bare = measure(inside)
            ratios.append(measure(inside) / bare)
        ratio = statistics.median(ratios)
        where = "inside a transaction" if inside else "in autocommit"
        row(f"save with the app / bare, {where}", f"{ratio:.2f} x", f"<= {bound} x", ratio <= bound)
    Change.objects.all().delete()


def syncs(products: int) -> None:
    for delay, in_flight, bound in ((0.0, 1, 0.6), (0.05, 4, 2.0)):
        with sink(delay, NEUROON_IN_FLIGHT=in_flight) as url:
            hands, ours = [], []
            for _ in range(ROUNDS):
                hands.append(by_hand(url))
                SyncedProduct.objects.all().delete()
                ShopState.objects.all().delete()
                ours.append(full_sync())
                assert SyncedProduct.objects.filter(status="synced").count() == products
            ratio = statistics.median(hands) / statistics.median(ours)
            rate = products / statistics.median(ours)
            what = f"full sync at {delay * 1000:.0f} ms, {in_flight} in flight / loop by hand"
            row(what, f"{ratio:.2f} x", f">= {bound} x", ratio >= bound)
            row("    products per second", f"{rate:,.0f}", "", True)


def statements() -> None:
    with sink():
        full_sync()
        for product in Product.objects.order_by("pk")[:100]:
            product.title += "!"
            product.save()
        reset_queries()
        with CaptureQueriesContext(connection) as captured:
            full_sync()
        sql = [q["sql"] for q in captured if not q["sql"].startswith(("BEGIN", "COMMIT", "PRAGMA"))]
        fold = next(i for i, s in enumerate(sql) if s.startswith("SELECT") and "_change" in s)
        claim = next(i for i, s in enumerate(sql) if s.startswith("SELECT") and s.count("attempts") > 1)
        settle = max(i for i, s in enumerate(sql) if s.startswith("UPDATE") and "digest" in s)
        count = settle - claim + 1
        row("statements of a batch of 100, claim to settle", str(count), "<= 15", count <= 15)
        row("    and of the fold of its 100 changes", str(claim - fold), "", True)


def memory() -> None:
    with sink():
        SyncedProduct.objects.all().delete()
        ShopState.objects.all().delete()
        full_sync()
        SyncedProduct.objects.all().delete()
        ShopState.objects.all().delete()
        tracemalloc.start()
        full_sync()
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        row(
            "peak memory of a full sync, over the idle process",
            f"{peak:.1f} MB",
            "<= 15 MB",
            peak <= 15,
        )


def tag() -> None:
    shop = current_shop()
    ShopState.objects.filter(pk=shop.pk).update(
        token="t" * 200, token_issued_at=timezone.now(), token_key=conf.key_fingerprint
    )
    template, context = Template("{% load neuroon %}{% neuroon_widget %}"), Context({})
    assert "data-token" in template.render(context)
    started = time.perf_counter()
    for _ in range(2_000):
        template.render(context)
    each = (time.perf_counter() - started) / 2_000 * 1e6
    row("a warm tag", f"{each:.0f} us", "<= 100 us", each <= 100)


def mirror() -> None:
    """A row for every product that has none, as a sync leaves it."""
    shop = current_shop()
    products = Product.objects.order_by("pk").filter(pk__gt=SyncedProduct.objects.count())
    products = products.values_list("pk", "sku")
    while page := list(products[:5_000]):
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
        products = products.filter(pk__gt=page[-1][0])


def flush(count: int) -> float:
    """Change that many products, all over the catalogue, and send them; seconds."""
    chosen = random.sample(range(1, Product.objects.count() + 1), count)
    Product.objects.filter(pk__in=chosen).update(title=f"Renamed at {time.perf_counter()}")
    mark_changed(Product.objects.filter(pk__in=chosen))
    started = time.perf_counter()
    shop = current_shop()
    with Client(**conf.client_options()) as client:
        tally = product_run(shop, client, foreground=True).run()
    assert tally.synced == count, tally
    return time.perf_counter() - started


def _peak() -> int:
    """The memory of a flush of 1,000 changes at its peak, in bytes."""
    gc.collect()
    tracemalloc.start()
    flush(1_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def scale(most: int) -> None:
    """A flush of 1,000 changes, and its memory, in a small catalogue and in a large one."""
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
            print(f"    {products:,} products: {seconds * 1e6 / 1_000:.0f} us each", flush=True)
    for what, (small, large) in zip(("time", "memory"), zip(*figures, strict=True), strict=True):
        ratio = large / small
        name = f"{what} of a flush, {most:,} products / 10,000"
        row(name, f"{ratio:.2f} x", "<= 1.3 x", ratio <= 1.3)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--products", type=int, default=5_000)
    parser.add_argument("--scale", type=int, help="only a flush, at 10,000 products and at so many")
    options = parser.parse_args()
    call_command("migrate", verbosity=0, run_syncdb=True)
    if options.scale:
        scale(options.scale)
        return
    fill(options.products)
    print(f"{options.products:,} products on {connection.vendor}\n")
    saves()
    syncs(options.products)
    statements()
    memory()
    tag()


if __name__ == "__main__":
    main()
