"""A good guest in the shop's workers (DESIGN, law 9), with real processes.

A Redis of its own is the broker, and a Celery worker with one slot serves the shop's tasks and the
app's. Neuroon is a sandbox at 20 ms that allows 100 requests a minute, which is what the app keeps to
by default. Nothing but public names is used: tasks, settings, and models by the ORM.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.test.utils import setup_databases, teardown_databases

from neuroon_django.testing import Sandbox
from tests.benchmarks import idle
from tests.benchmarks.broker import Broker
from tests.benchmarks.catalogue import fill
from tests.benchmarks.processes import (
    environment,
    redis_server,
    save_in_processes,
    wait_for,
    worker,
)
from tests.benchmarks.report import Report

FLUSH = "neuroon_django.tasks.flush_products"
LIMIT = 100  # requests a minute, the app's default and the sandbox's limit
LATENCY = 0.02  # seconds
BATCH = 100  # products per request
PRODUCTS = 20_000
INTERVAL = 2.0  # seconds between the shop's own tasks
SAVERS = 8


def run(report: Report, seconds: int) -> None:
    """Measure the three scenarios, the first two for so many seconds each."""
    products = max(PRODUCTS, math.ceil(2 * seconds / 60 * LIMIT * BATCH))
    with ExitStack() as stack:
        stack.enter_context(database())
        broker = Broker(stack.enter_context(redis_server()))
        neuroon = stack.enter_context(
            Sandbox(shop_url="https://mystore.com", verified=True, rate_limit=LIMIT)
        )
        neuroon.fault("delay", times=None, seconds=LATENCY)
        options = {**neuroon.settings(), "NEUROON_RATE_LIMIT": LIMIT}
        stack.enter_context(override_settings(**options))
        env = environment(broker.url, options)
        fill(products)
        report.title(f"{products:,} products on {connection.vendor}, {seconds} s for each scenario")
        with worker(env) as started:
            broker.send_shop_task()
            wait_for("the worker", broker.waits, started)
            broker.clear()
            first_sync(report, broker, neuroon, seconds)
            broker.clear()
            saving(report, broker, env, seconds)
        call_command("flush", verbosity=0, interactive=False)
        neuroon.reset()
        idle.measure(report, neuroon)


@contextmanager
def database() -> Iterator[None]:
    """Create a test database beside the one of `--database`; it is removed at the block's end."""
    created = setup_databases(verbosity=0, interactive=False, serialized_aliases=[])
    try:
        yield
    finally:
        teardown_databases(created, verbosity=0)


def first_sync(report: Report, broker: Broker, neuroon: Sandbox, seconds: int) -> None:
    """Begin a first sync, send the shop's own task every two seconds, and see how long it waits."""
    broker.send(FLUSH)
    begun = time.monotonic()
    for number in range(math.ceil(seconds / INTERVAL)):
        time.sleep(max(0.0, begun + number * INTERVAL - time.monotonic()))
        broker.send_shop_task()
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    waits, ended = sorted(broker.waits_so_far()), time.monotonic()
    done = len(broker.waits())
    report.title("A first sync; the shop's own task is sent every 2 s")
    report.row("tasks sent", len(waits))
    report.row("    of them done", done)
    report.row("waiting time, p50", percentile(waits, 0.5), "{:.2f} s")
    p95 = percentile(waits, 0.95)
    report.row("waiting time, p95", p95, "{:.2f} s", "<= 6 s", p95 <= 6 and done > 0)
    report.row("waiting time, max", waits[-1], "{:.2f} s")
    _rows_of_requests(report, neuroon, ended)


def _rows_of_requests(report: Report, neuroon: Sandbox, ended: float) -> None:
    """Report the pace of the requests between the first one and `ended`, in monotonic seconds."""
    requests = neuroon.sync_requests
    accepted = sum(request.status == 200 for request in requests)
    refused = sum(request.status == 429 for request in requests)
    begun = min((request.started for request in requests), default=ended - 1)
    # The first request stands at the very beginning: it counts by half, as the last one does.
    rate = max(0.0, accepted - 0.5) / (ended - begun) * 60
    least = 0.95 * LIMIT
    report.row("requests per minute", rate, "{:.1f}", f">= {least:.0f}", rate >= least)
    report.row("requests refused by 429", refused, budget="0", met=refused == 0)


def percentile(ordered: list[float], share: float) -> float:
    """Return the value that this share of the ordered values does not exceed."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def saving(report: Report, broker: Broker, env: dict[str, str], seconds: int) -> None:
    """Let eight web processes save twice a second, and look at the queue's length each second."""
    lengths: list[int] = []
    with save_in_processes(env, SAVERS, seconds) as savers:
        begun = time.monotonic()
        for number in range(1, seconds + 1):
            time.sleep(max(0.0, begun + number - time.monotonic()))
            lengths.append(broker.length())
        results: list[dict[str, Any]] = [saver.result() for saver in savers]
    third = max(1, seconds // 3)
    first, last = max(lengths[:third]), max(lengths[-third:])
    report.title("Eight web processes, each saving twice a second, with the worker of the first sync")
    report.add_series("the queue's length, each second", lengths)
    report.row("the queue's length, maximum of the first third", first)
    name = "the queue's length, maximum of the last third"
    report.row(name, last, budget=f"<= {first + 5}", met=last <= first + 5)
    report.row("saves made", sum(result["saves"] for result in results))
    slowest = max(result["slowest"] for result in results)
    report.row("the slowest save", slowest * 1000, "{:.0f} ms")
