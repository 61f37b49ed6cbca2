"""Real Celery workers on a real broker, killed by SIGKILL in the middle of a request (law 2)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from celery import Celery
from django.conf import settings as django_settings
from django.db import connection

from neuroon_django import attribute_order, clicks
from neuroon_django.models import Conversion, ShopState, SyncedProduct
from tests.factories import current_shop, make_product
from tests.shop.models import Order, Product

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60


@pytest.fixture
def broker(redis) -> Celery:
    return Celery("tests", broker=redis, set_as_current=False)


@pytest.fixture
def worker(neuroon, broker, settings) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts workers; each is a process group of its own, so that its children die with it."""
    settings.NEUROON_TIMEOUT = 1
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        names = [name for name in dir(django_settings) if name.startswith("NEUROON_")]
        config = {
            "broker": broker.conf.broker_url,
            "name": str(connection.settings_dict["NAME"]),
            "options": {name: getattr(django_settings, name) for name in names},
        }
        command = [sys.executable, "-m", "celery", "-A", "tests.celery_app", "worker", "-c", "1"]
        process = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle", "-l", "ERROR"],
            cwd=ROOT,
            env=os.environ | {"NEUROON_TEST_WORKER": json.dumps(config)},
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def until(true: Callable[[], object], nudge: Callable[[], object] = lambda: None) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never happened"
        nudge()
        time.sleep(0.2)


@pytest.mark.parametrize("endpoint", ["sync", "delete", "conversion"])
def test_law_02_a_worker_killed_during_its_request(neuroon, flush, worker, broker, endpoint):
    product = make_product("A")
    task = "flush_conversions" if endpoint == "conversion" else "flush_products"
    if endpoint != "sync":
        flush()
    if endpoint == "delete":
        Product.objects.all().delete()
    if endpoint == "conversion":
        token = clicks.current.set('{"A": "search-1"}')
        order = Order.objects.create(number="1", total=Decimal("1"), status="paid")
        order.lines.create(product=product, total=Decimal("1"))
        clicks.current.reset(token)

    def wake() -> None:
        broker.send_task(f"neuroon_django.tasks.{task}")

    process = worker()
    with neuroon.held(endpoint) as hold:
        wake()
        hold.wait(timeout=PATIENCE)
        rows = Conversion.objects if endpoint == "conversion" else SyncedProduct.objects
        assert rows.exclude(lease="").count() == 1
        kill(process)
    worker()
    if endpoint == "conversion":
        until(lambda: Conversion.objects.filter(status="sent").exists(), wake)
        assert list(neuroon.conversions) == ["1"]
    elif endpoint == "delete":
        until(lambda: not SyncedProduct.objects.exists(), wake)
        assert neuroon.products == {}
    else:
        until(lambda: SyncedProduct.objects.filter(status="synced").exists(), wake)
        assert list(neuroon.products) == ["A"]
    assert neuroon.overlaps == []


def test_law_13_an_order_paid_in_a_celery_task(neuroon, flush_orders, worker, broker, settings):
    """The task's own process wakes the worker that reports it."""
    settings.NEUROON_DEBOUNCE = 0.1
    product = make_product("A")
    order = Order.objects.create(number="1", total=Decimal("1"))
    order.lines.create(product=product, total=Decimal("1"))
    attribute_order(order, {"A": "search-1"})
    flush_orders()
    worker()
    broker.send_task("tests.pay", ["1"])
    until(lambda: Conversion.objects.filter(status="sent").exists())
    assert neuroon.conversions["1"]["conversions"][0]["searchLogId"] == "search-1"


def test_a_worker_verifies_the_shop_that_was_asked_for(neuroon, worker, broker):
    """The admin asks with a row and a message, and shows what the worker has written to the row."""
    make_product("A")
    neuroon.verified = False
    shop = current_shop()
    ShopState.objects.request_verification(shop.pk)
    worker()
    until(
        lambda: ShopState.objects.exclude(verification=None).exists(),
        lambda: broker.send_task("neuroon_django.tasks.verify_shop"),
    )
    shop.refresh_from_db()
    assert shop.verification_requested_at is None
    assert shop.verification_ended_at is not None
    assert shop.verification["passed"] is True
    steps = {step["name"]: step for step in shop.verification["steps"]}
    assert steps["celery"]["text"].endswith(" does this")
    assert neuroon.verified
