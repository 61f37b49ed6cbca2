"""Several shops: what a save costs with ten of them, and a fold for each of them, beside one shop."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.test import override_settings

from neuroon_django import mark_changed
from neuroon_django.conf import conf
from neuroon_django.delivery import fold_all
from neuroon_django.models import Change, ShopState, SyncedProduct
from tests.benchmarks.catalogue import fill
from tests.benchmarks.report import Report
from tests.factories import shop_called
from tests.shop.models import Product

MANY = 10
CHANGES = 500
ROUNDS = 9


@contextmanager
def shops(count: int) -> Iterator[None]:
    """Let the project have so many shops within the block, each with its row."""
    entries = {
        f"s{n}": {"SHOP_ID": f"shop_{n}", "API_KEY": f"sk_{n}", "STOREFRONT_URL": f"https://s{n}.com"}
        for n in range(count)
    }
    with override_settings(NEUROON_SHOP_ID="", NEUROON_SHOPS=entries):
        for alias in entries:
            shop_called(alias)
        yield


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def save_all() -> None:
    """Save one product, 300 times in a transaction."""
    product = Product.objects.order_by("pk").first()
    assert product
    with transaction.atomic():
        for _ in range(300):
            product.save()


def recording(report: Report) -> None:
    """Compare saves with ten shops to saves with one: the rows are as many, and so is the time."""
    ratios = []
    for _ in range(ROUNDS):
        with shops(1):
            one = seconds_of(save_all)
        Change.objects.all().delete()
        with shops(MANY):
            ratios.append(seconds_of(save_all) / one)
        rows = Change.objects.count()
        assert rows == 300, rows
        Change.objects.all().delete()
    ratio = statistics.median(ratios)
    name = f"save with {MANY} shops / with one, 1 change row each"
    report.row(name, ratio, "{:.2f} x", "<= 1.05 x", ratio <= 1.05)


def fold_seconds(count: int) -> float:
    """Fold changes of rows that are known to so many shops; return the seconds for each of them."""
    with shops(count):
        first = next(iter(conf.shops()))
        mark_changed(Product.objects.order_by("pk")[:CHANGES])
        fold_all(shop_called(first))  # makes the rows
        mark_changed(Product.objects.order_by("pk")[:CHANGES])
        seconds = seconds_of(lambda: fold_all(shop_called(first)))
        assert SyncedProduct.objects.count() == CHANGES * count
    SyncedProduct.objects.all().delete()
    ShopState.objects.all().delete()
    return seconds / count


def folding(report: Report) -> None:
    """Compare a fold for each of ten shops to the fold for one shop alone."""
    ratios = []
    for _ in range(ROUNDS):
        one = fold_seconds(1)
        ratios.append(fold_seconds(MANY) / one)
    ratio = statistics.median(ratios)
    name = f"fold of {CHANGES} changes, each of {MANY} shops / one alone"
    report.row(name, ratio, "{:.2f} x", "<= 1.1 x", ratio <= 1.1)


def run(report: Report) -> None:
    """Measure recording and folding."""
    if Product.objects.count() < CHANGES:
        fill(CHANGES)
    report.title(f"{MANY} shops on {connection.vendor}")
    recording(report)
    folding(report)
