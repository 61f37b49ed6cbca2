"""A shop without Celery: Django's Tasks with a real worker, and `neuroon_sync --watch`."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 150

SAVE = """
import django; django.setup()
import sys
from tests.factories import make_order, make_product
product = make_product(sys.argv[1])
if sys.argv[2:]:
    make_order(sys.argv[2], product)
print("saved", flush=True)
sys.stdin.read()
"""


class Shop:
    """Processes of one shop with a database of its own; `settings` are those of its processes."""

    def __init__(self, database: Path, settings: dict[str, Any]) -> None:
        self.database = database
        self.own = settings
        self.processes: list[subprocess.Popen[str]] = []
        self.manage("migrate", "--verbosity", "0").communicate(timeout=PATIENCE)

    def settings(self, **own: Any) -> None:
        """Change settings of processes that are started from now on."""
        self.own |= own

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.framework_settings",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "SHOP_SETTINGS": json.dumps(self.own),
        }

    def python(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return process

    def manage(self, *arguments: str) -> subprocess.Popen[str]:
        return self.python("-m", "django", *arguments)

    def save(self, sku: str, order: str = "") -> subprocess.Popen[str]:
        """Save a product, and an order of it, in a process that lives until its input ends."""
        process = self.python("-c", SAVE, sku, *filter(None, [order]))
        assert process.stdout and process.stdout.readline() == "saved\n"
        return process

    def rows(self, sql: str) -> list[Any]:
        connection = sqlite3.connect(self.database, timeout=20)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def shop(neuroon, tmp_path) -> Iterator[Shop]:
    made = Shop(tmp_path / "shop.sqlite3", neuroon.settings())
    yield made
    made.end()


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.1)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the exit code and the output of a process that ends by itself now."""
    out, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, out


def test_law_02_djangos_tasks_carry_a_change_from_a_shops_process_to_a_worker(neuroon, shop):
    worker = shop.manage("db_worker", "--queue-name", "neuroon", "--interval", "0.1")
    saver = shop.save("A", "1001")
    until(lambda: neuroon.conversions and neuroon.products)
    assert list(neuroon.products) == ["A"]
    assert ended(saver)[0] == 0
    worker.send_signal(signal.SIGTERM)
    assert ended(worker)[0] == 0
    paths = {path for (path,) in shop.rows("SELECT task_path FROM django_tasks_database_dbtaskresult")}
    assert paths == {
        "neuroon_django.framework_tasks.flush_products",
        "neuroon_django.framework_tasks.flush_conversions",
    }
    assert (
        shop.rows("SELECT traceback FROM django_tasks_database_dbtaskresult WHERE traceback > ''") == []
    )


def watch(shop: Shop) -> subprocess.Popen[str]:
    """Start `neuroon_sync --watch`, and wait until it says that it is there."""
    process = shop.manage("neuroon_sync", "--watch")
    assert process.stdout and process.stdout.readline().startswith("Watching shop_sandbox at http://")
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_law_02_a_watch_sends_changes_as_they_come_and_ends_by_a_signal(neuroon, shop, number):
    shop.settings(NEUROON_TASKS=None)
    first = shop.save("A")
    watching = watch(shop)
    until(lambda: neuroon.products.keys() == {"A"})  # by its first scan
    until(lambda: neuroon.tokens)
    second = shop.save("B", "1001")
    until(lambda: neuroon.products.keys() == {"A", "B"} and neuroon.conversions)
    with neuroon.held("sync") as hold:
        third = shop.save("C")
        hold.wait(timeout=PATIENCE)
        watching.send_signal(number)
    code, out = ended(watching)
    assert (code, out.splitlines()[-1]) == (0, "Ended. What is queued is sent by the next run.")
    assert neuroon.products.keys() == {"A", "B", "C"}
    assert shop.rows("SELECT status, lease FROM neuroon_django_syncedproduct") == [("synced", "")] * 3
    assert shop.rows("SELECT 1 FROM neuroon_django_endpoint WHERE run_until IS NOT NULL") == []
    assert {ended(one)[0] for one in (first, second, third)} == {0}


def test_law_09_two_watches_and_a_killed_one_do_no_harm(neuroon, shop):
    shop.settings(NEUROON_TASKS=None, NEUROON_TIMEOUT=1)
    first, second = watch(shop), watch(shop)
    for n in range(5):
        ended(shop.save(f"P-{n}"))
    until(lambda: len(neuroon.products) == 5)
    with neuroon.held("sync") as hold:
        shop.save("LATE")
        hold.wait(timeout=PATIENCE)
        first.kill()
        second.kill()
    held = "SELECT 1 FROM neuroon_django_endpoint WHERE run_until > strftime('%Y-%m-%d %H:%M:%f', 'now')"
    until(lambda: not shop.rows(held))  # else the third one looks again in a minute, as beat does
    third = watch(shop)
    late = "SELECT 1 FROM neuroon_django_syncedproduct WHERE external_id = 'LATE' AND status = 'synced'"
    until(lambda: shop.rows(late))
    assert neuroon.overlaps == []
    third.send_signal(signal.SIGTERM)
    assert ended(third)[0] == 0
