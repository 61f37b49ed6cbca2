"""A web process that saves: `python -m tests.benchmarks.saver NUMBER SECONDS`.

It says that it is ready, begins when a line comes in, saves the product of its number twice a
second, as a shop's views do, and at the end says how often it did and what the slowest save took.
Whatever is published on the way comes from the app's own thread.
"""

from __future__ import annotations

import json
import sys
import time

import django

import tests.celery_app  # noqa: F401  as a shop imports its Celery app, broker and all

INTERVAL = 0.5


def main(number: int, seconds: float) -> None:
    django.setup()
    from tests.shop.models import Product

    product = Product.objects.order_by("pk")[number]
    print("ready", flush=True)
    sys.stdin.readline()
    begun, saves, slowest = time.monotonic(), 0, 0.0
    while (due := saves * INTERVAL) < seconds:
        time.sleep(max(0.0, begun + due - time.monotonic()))
        started = time.perf_counter()
        product.title = f"Saved {saves} times"
        product.save()
        slowest = max(slowest, time.perf_counter() - started)
        saves += 1
    print(json.dumps({"saves": saves, "slowest": slowest}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
