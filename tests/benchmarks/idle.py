"""What the app costs with nothing to do: the statements of the tasks that beat wakes."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from neuroon_django import tasks
from neuroon_django.testing import Sandbox
from tests.benchmarks.catalogue import fill
from tests.benchmarks.report import Report

PRODUCTS, CALLS, ATTEMPTS = 100, 10, 10
# Beat's tasks, and how often it wakes them in a minute; a scan once a day is not idling.
TASKS = {"flush_products": 1.0, "flush_conversions": 1.0, "refresh_widget_token": 0.1}
TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA")


def measure(report: Report, neuroon: Sandbox) -> None:
    """Get a small catalogue in step, then call each task ten times, in this process."""
    fill(PRODUCTS)
    _get_in_step(neuroon)
    report.title("No backlog; each of beat's tasks is called ten times")
    a_minute = 0.0
    for name, frequency in TASKS.items():
        counts = [_statements(name) for _ in range(CALLS)]
        most = max(counts)
        a_minute += sum(counts) / CALLS * frequency
        report.row(f"statements of an idle {name}, at most", most, budget="<= 4", met=most <= 4)
    report.row("statements a minute", a_minute, "{:.1f}", "<= 10", a_minute <= 10)


def _get_in_step(neuroon: Sandbox) -> None:
    """Call the tasks until all products are in Neuroon, and once more to end what is left to do."""
    for _ in range(ATTEMPTS):
        in_step = len(neuroon.products) == PRODUCTS
        for name in TASKS:
            getattr(tasks, name)()
        if in_step:
            return
    raise RuntimeError(f"{len(neuroon.products)} of {PRODUCTS} products are in step")


def _statements(name: str) -> int:
    """Return how many statements one call makes, those that frame transactions not counted."""
    with CaptureQueriesContext(connection) as captured:
        getattr(tasks, name)()
    return sum(not query["sql"].startswith(TRANSACTIONS) for query in captured)
