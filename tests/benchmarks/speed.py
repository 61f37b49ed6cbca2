"""Speed: every budget, measured in one run.

Each figure is set against the same work without the app, on the same machine, minutes apart at most,
so that what is compared is the app and not the machine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from django.db import connection, reset_queries, transaction
from django.template import Context, Template
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from neuroon_django import ProductFeed, muted
from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import Scan, product_run
from neuroon_django.feeds import registry
from neuroon_django.feeds.registry import Registration
from neuroon_django.models import Change, ShopState, SyncedProduct
from neuroon_django.recording.receivers import receivers
from tests.benchmarks.catalogue import fill
from tests.benchmarks.report import Report
from tests.factories import current_shop
from tests.shop.models import Batch, Item, Offer, Product

ROUNDS = 5


@contextmanager
def sink(delay: float = 0, **settings: Any) -> Iterator[str]:
    """Run a server that accepts everything as a process; the settings point there."""
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


def by_hand(url: str) -> float:
    """Return the seconds of the loop that a shop would write: instances, dicts, `Session.post`."""
    started = time.perf_counter()
    session = requests.Session()
    batch: list[dict[str, Any]] = []
    products = Product.objects.select_related("brand").prefetch_related("categories", "stockrecords")

    def post() -> None:
        body = {"syncType": "INCREMENTAL", "products": batch}
        headers = {"X-Shop-API-Key": conf.shop().API_KEY}
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
    """Scan the catalogue and send all of it; return the seconds."""
    started = time.perf_counter()
    shop = current_shop()
    with Client(**conf.shop().client_options()) as client:
        tally = product_run(shop, client, scan=Scan.due(shop), foreground=True).run()
    assert not tally.stopped, tally
    return time.perf_counter() - started


def saves(report: Report) -> None:
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
        name = f"save with the app / bare, {where}"
        report.row(name, ratio, "{:.2f} x", f"<= {bound} x", ratio <= bound)
    Change.objects.all().delete()


def deletes(report: Report) -> None:
    """Delete a product of 50 variants with 8 stock records each, with and without the app."""
    kept = registry.feeds
    feed = type("Feed", (ProductFeed,), {"external_id": "code", "depends_on": ["offers__batches"]})
    registry.feeds = {"shop.item": Registration(Item, feed)}
    receivers.connect()

    def measure() -> float:
        with muted():
            item = Item.objects.create(code="deleted", title="A product of many parts")
            offers = Offer.objects.bulk_create(Offer(item=item, name="variant") for _ in range(50))
            Batch.objects.bulk_create(Batch(offer=o, name="record") for o in offers for _ in range(8))
        started = time.perf_counter()
        item.delete()
        return time.perf_counter() - started

    ratios = []
    for _ in range(25):
        with override_settings(NEUROON_ENABLED=False):
            bare = measure()
        ratios.append(measure() / bare)
    registry.feeds = kept
    receivers.connect()
    Change.objects.all().delete()
    ratio = statistics.median(ratios)
    name = "delete of 50 variants x 8 records with the app / bare"
    report.row(name, ratio, "{:.2f} x", "<= 1.5 x", ratio <= 1.5)


def syncs(report: Report, products: int) -> None:
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
            report.row(what, ratio, "{:.2f} x", f">= {bound} x", ratio >= bound)
            report.row("    products per second", rate)


def statements(report: Report) -> None:
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
        name = "statements of a batch of 100, claim to settle"
        report.row(name, count, budget="<= 15", met=count <= 15)
        report.row("    and of the fold of its 100 changes", claim - fold)


def memory(report: Report) -> None:
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
        name = "peak memory of a full sync, over the idle process"
        report.row(name, peak, "{:.1f} MB", "<= 15 MB", peak <= 15)


def tag(report: Report) -> None:
    shop = current_shop()
    ShopState.objects.filter(pk=shop.pk).update(
        token="t" * 200, token_issued_at=timezone.now(), token_key=conf.shop().key_fingerprint
    )
    template, context = Template("{% load neuroon %}{% neuroon_widget %}"), Context({})
    assert "data-token" in template.render(context)
    started = time.perf_counter()
    for _ in range(2_000):
        template.render(context)
    each = (time.perf_counter() - started) / 2_000 * 1e6
    report.row("a warm tag", each, "{:.0f} us", "<= 100 us", each <= 100)


def run(report: Report, products: int) -> None:
    """Fill the shop with so many products and measure everything but the scale."""
    fill(products)
    report.title(f"{products:,} products on {connection.vendor}")
    saves(report)
    deletes(report)
    syncs(report, products)
    statements(report)
    memory(report)
    tag(report)
