"""A shop's process with one search app or none: it does what a line of JSON asks, and tells figures.

    python -m tests.benchmarks.peers.contender

Reads commands from standard input, one a line, `{"do": "saves", "count": 200}`, and answers each by
one line. The environment says which contender it is, where its database and the server are.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

# Where the class of a contender stands, by its name.
CLASSES = {
    "bare": "tests.benchmarks.peers.by_hand.Bare",
    "by-hand": "tests.benchmarks.peers.by_hand.ByHand",
    "values": "tests.benchmarks.peers.by_hand.Values",
    "neuroon": "tests.benchmarks.peers.ours.Neuroon",
    "algolia": "tests.benchmarks.peers.algolia.Algolia",
    "algolia-tuned": "tests.benchmarks.peers.algolia.TunedAlgolia",
    "elasticsearch": "tests.benchmarks.peers.elasticsearch.Elasticsearch",
    "elasticsearch-celery": "tests.benchmarks.peers.elasticsearch.Elasticsearch",
}
VARIANTS, RECORDS = 50, 8  # of the item that is deleted


class Contender:
    """The shop alone; subclasses add a search app."""

    def set_up(self) -> None:
        """Connect the shop with the search app."""

    def forget(self) -> None:
        """Forget what was sent, so that the next sync is a first one."""

    def sync(self) -> None:
        """Send the whole catalogue."""
        raise NotImplementedError

    def deliver(self) -> None:
        """Bring what was changed to the engine, where a save has not done so itself."""

    # What is measured: each returns its figures.

    def server(self) -> dict[str, Any]:
        """Return the address of the server that this contender sends to."""
        return {"url": os.environ["SINK"]}

    def fill(self, products: int) -> dict[str, Any]:
        """Create the tables and so many products."""
        from django.core.management import call_command

        from tests.benchmarks.catalogue import fill

        call_command("migrate", verbosity=0, run_syncdb=True)
        fill(products)
        return {}

    def saves(self, count: int, inside: bool) -> dict[str, Any]:
        """Save a product so many times, inside a transaction or in autocommit."""
        from django.db import transaction

        from tests.shop.models import Product

        product = Product.objects.order_by("pk")[0]

        def save_all() -> None:
            for _ in range(count):
                product.save()

        if not inside:
            return timed(save_all)

        def save_together() -> None:
            with transaction.atomic():
                save_all()

        return timed(save_together)

    def delete(self) -> dict[str, Any]:
        """Delete an item whose offers and their batches go with it."""
        from tests.shop.models import Batch, Item, Offer

        item = Item.objects.create(code=f"item-{time.time_ns()}", title="An item of many parts")
        offers = Offer.objects.bulk_create(Offer(item=item, name="variant") for _ in range(VARIANTS))
        Batch.objects.bulk_create(Batch(offer=o, name="x") for o in offers for _ in range(RECORDS))
        return timed(item.delete)

    def burst(self, saves: int, products: int) -> dict[str, Any]:
        """Save so many times, products by turns, until the engine has all of it."""
        from tests.shop.models import Product

        chosen = list(Product.objects.order_by("pk")[:products])

        def save_and_deliver() -> None:
            for number in range(saves):
                product = chosen[number % products]
                product.title = f"Renamed {number}"
                product.save()
            self.deliver()

        return timed(save_and_deliver)

    def first_sync(self) -> dict[str, Any]:
        """Send everything, to an engine that has nothing."""
        self.forget()
        return timed(self.sync)

    def next_sync(self) -> dict[str, Any]:
        """Send everything again, or find that nothing has changed."""
        return timed(self.sync)

    def memory(self) -> dict[str, Any]:
        """Return by how many MB a first sync raises the peak of this process."""
        before = _peak()
        self.forget()
        self.sync()
        return {"megabytes": _peak() - before}


def timed(work: Callable[[], object]) -> dict[str, Any]:
    """Return the seconds of the clock and of the processor that something takes."""
    cpu, started = time.process_time(), time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Set the contender up, then do what each line asks."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a command prints is no answer
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.peers.settings"
    import django

    django.setup()
    module, _, name = CLASSES[os.environ["CONTENDER"]].rpartition(".")
    contender: Contender = getattr(import_module(module), name)()
    contender.set_up()
    for line in sys.stdin:
        command = json.loads(line)
        result = getattr(contender, command.pop("do"))(**command)
        answers.write(json.dumps(result) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
