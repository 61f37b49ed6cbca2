"""The chaos: a shop that changes, workers that die, a Neuroon that misbehaves, and the reckoning.

Everything random comes from the seed; which thread is faster is the machine's business, so a seed
replays the same operations, faults and doom, though not their exact interleaving.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from django.conf import settings
from django.db import connection, connections

from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import order_run, product_run
from neuroon_django.models import Change, Conversion, ShopState, SyncedProduct
from neuroon_django.testing import Sandbox
from neuroon_django.testing.sandbox import Fault, random_faults
from tests.factories import shop_called
from tests.system.chaos import kills
from tests.system.chaos.shop import Shop

ROOT = Path(__file__).parents[3]
SHARE = 0.33  # of the requests that fail
BEHIND = 100  # rows that may wait before the shop waits for its workers
HARMLESS = [
    Fault("status", status=503),
    Fault("status", status=500),
    Fault("status", status=504, apply=True),
    Fault("status", status=429, headers={"Retry-After": "1"}),
    Fault("drop"),
    Fault("drop"),
    Fault("lost"),
    Fault("lost"),
    Fault("lost"),
    Fault("truncated"),
    Fault("empty"),
    Fault("html", apply=True),
    Fault("delay", seconds=0.6),
    Fault("delay", seconds=0.1),
    Fault("trickle", interval=0.2),
]
REFUSALS = [Fault("status", status=400), Fault("status", status=422)]
# What differs where there are several shops: the first has all of it, one is slow, one is refused.
TROUBLES = [
    [*HARMLESS, *REFUSALS],
    [fault for fault in HARMLESS if fault.kind in ("lost", "delay", "trickle", "drop")],
    [*(fault for fault in HARMLESS if fault.kind == "status"), *REFUSALS],
]
# Time runs faster here: pauses and leases are short, so that many fit into a run.
SETTINGS = {
    "NEUROON_TIMEOUT": 0.5,
    "NEUROON_BATCH_SIZE": 20,
    "NEUROON_RATE_LIMIT": None,
    "NEUROON_AUTO_SYNC": False,
}
PAUSES = {"FIRST_BACKOFF": 0.02, "LONG_BACKOFF": 0.1, "MAX_BACKOFF": 1.0}


@dataclass
class Figures:
    """What happened, for the README."""

    seed: int
    database: str = ""
    operations: int = 0
    requests: int = 0
    under_fire: int = 0  # of these, before the faults were switched off
    faulty: int = 0
    share_faulty: float = 0.0  # of those under fire
    shops: int = 1
    saves: int = 0
    change_rows: int = 0  # that these saves wrote
    faults: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    processes_killed: int = 0
    orders_paid: int = 0
    lost: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    orders_lost: list[str] = field(default_factory=list)
    orders_invented: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def wrong(self) -> dict[str, list[str]]:
        names = ("lost", "ghosts", "overlaps", "orders_lost", "orders_invented", "errors")
        return {name: found for name in names if (found := getattr(self, name))}


class Chaos:
    """One simulation. `processes` workers are real ones, killed by SIGKILL; `threads` die within."""

    def __init__(
        self,
        shops: Mapping[str, Sandbox],
        seed: int,
        *,
        threads: int = 2,
        processes: int = 0,
        doom: float = 0.002,
    ) -> None:
        self.shops, self.seed, self.doom = shops, seed, doom
        self.threads, self.processes = threads, processes
        self.figures = Figures(seed, connection.vendor)
        self.deaths: Counter[str] = Counter()
        self.random = Random(f"kills {seed}")
        self.over = threading.Event()
        self.children: list[subprocess.Popen[bytes]] = []

    def run(self, operations: int) -> Figures:
        began = time.monotonic()
        for number, neuroon in enumerate(self.shops.values()):
            neuroon.plan = self._plan(number)
        shop = Shop(self.seed)
        workers = [threading.Thread(target=self._work, args=(n,)) for n in range(self.threads)]
        for thread in workers:
            thread.start()
        try:
            for number in range(operations):
                shop.step()
                if self.processes and number % 200 == 0:
                    self._reap_and_sow()
                if number % 50 == 0:
                    self._keep_up()
        finally:
            self.over.set()
            for thread in workers:
                thread.join()
            for child in self.children:
                self._kill(child)
        for neuroon in self.shops.values():
            neuroon.plan = None
            self.figures.under_fire += len(neuroon.requests)
        shop.tidy()
        self._drain()
        self._reckon(shop, operations)
        self.figures.share_faulty = round(self.figures.faulty / self.figures.under_fire, 3)
        self.figures.seconds = time.monotonic() - began
        return self.figures

    def _plan(self, number: int) -> Any:
        troubles, seed = TROUBLES[number], self.seed + number
        catalogue = random_faults(seed, SHARE, troubles, endpoints={"sync", "delete"})
        orders = random_faults(seed, SHARE, HARMLESS, endpoints={"conversion"})
        return lambda call: catalogue(call) or orders(call)

    # Workers

    def _work(self, number: int) -> None:
        seeds = Random(f"worker {number} {self.seed}")
        while not self.over.is_set():
            doom = kills.worker.doomed = kills.Doom(seeds.getrandbits(32), self.doom, self.deaths)
            try:
                self._life(doom)
            except kills.Killed:
                pass
            except Exception as error:
                self.figures.errors.append(f"{type(error).__name__}: {error}")
            finally:
                kills.worker.doomed = None
                connections.close_all()

    def _life(self, doom: kills.Doom) -> None:
        with ExitStack() as stack:
            clients = {alias: stack.enter_context(_doomed_client(alias, doom)) for alias in self.shops}
            while not self.over.is_set():
                alias = doom.random.choice(list(clients))
                shop = shop_called(alias)
                until = time.monotonic() + 1
                for run in (product_run, order_run):
                    engine = run(shop, clients[alias], until=until)
                    if doom.random.random() < 0.5:
                        engine.lease = kills.ImpoliteLease(engine.lease.endpoint)
                    engine.run()
                time.sleep(0.02)

    def _keep_up(self) -> None:
        """The shop does not run away from its workers: else they would work when all is well again."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            queries = Change.objects.all(), SyncedProduct.objects.all().waiting()
            if sum(query.count() for query in queries) <= BEHIND:
                return
            time.sleep(0.05)

    def _reap_and_sow(self) -> None:
        """One real worker dies, by SIGKILL and whatever it is at; another one begins."""
        if len(self.children) == self.processes:
            self._kill(self.children.pop(self.random.randrange(self.processes)))
            self.figures.processes_killed += 1
        options = {
            name: getattr(settings, name) for name in dir(settings) if name.startswith("NEUROON_")
        }
        config = {"options": options, "pauses": PAUSES, "name": str(connection.settings_dict["NAME"])}
        command = [sys.executable, "-m", "tests.system.chaos.worker", json.dumps(config, default=str)]
        self.children.append(subprocess.Popen(command, cwd=ROOT, env=dict(os.environ)))

    def _kill(self, child: subprocess.Popen[bytes]) -> None:
        if child.poll() is not None:
            self.figures.errors.append(f"a worker process ended by itself with {child.returncode}")
        child.send_signal(signal.SIGKILL)
        child.wait()

    # The reckoning

    def _drain(self) -> None:
        """Faults are off: whatever is due, or leased to somebody dead, must go out now.

        Twice, since a product that was refused alone under fire is rejected as soon as another one is
        accepted, which may be now.
        """
        shops = [shop_called(alias) for alias in self.shops]
        for _ in range(2):
            for shop in shops:
                SyncedProduct.objects.retry_rejected(shop)
            self._drain_shops(shops)

    def _drain_shops(self, shops: Sequence[ShopState]) -> None:
        """Run until nothing is due in any shop."""
        deadline = time.monotonic() + 60 * len(shops)
        while time.monotonic() < deadline:
            for shop in shops:
                self._drain_shop(shop)
            waiting = [SyncedProduct.objects.waiting(), Conversion.objects.waiting()]
            if not (Change.objects.exists() or any(rows.exists() for rows in waiting)):
                return
            time.sleep(0.1)
        self.figures.errors.append("something is due for ever")

    def _drain_shop(self, shop: ShopState) -> None:
        with Client(**shop.config.client_options()) as client:
            product_run(shop, client, foreground=True).run()
            order_run(shop, client, foreground=True).run()

    def _reckon(self, shop: Shop, operations: int) -> None:
        figures, shops = self.figures, self.shops
        received = [request for neuroon in shops.values() for request in neuroon.requests]
        faults = Counter(_name(one) for one in received if one.fault)
        figures.operations, figures.requests = operations, len(received)
        figures.faults, figures.faulty = dict(faults.most_common()), faults.total()
        figures.kills = dict(self.deaths.most_common())
        figures.orders_paid, figures.shops = len(shop.paid), len(shops)
        figures.saves, figures.change_rows = shop.saves, shop.change_rows
        if shop.saves != shop.change_rows:
            figures.errors.append(f"{shop.saves} saves wrote {shop.change_rows} change rows")
        for alias, neuroon in shops.items():
            self._reckon_shop(shop, alias, neuroon)

    def _reckon_shop(self, shop: Shop, alias: str, neuroon: Sandbox) -> None:
        figures, there = self.figures, neuroon.products
        expected = shop.expected(alias, shop_called(alias).route)
        paid = {number for number, of in shop.paid.items() if of == alias}
        sent = neuroon.conversions.keys()
        wrong = {
            "lost": {key for key in expected if there.get(key) != expected[key]},
            "ghosts": there.keys() - expected.keys(),
            "overlaps": neuroon.overlaps,
            "orders_lost": paid - sent,
            "orders_invented": sent - paid,
        }
        for name, keys in wrong.items():
            getattr(figures, name).extend(f"{alias} {key}" for key in sorted(keys))


def _doomed_client(alias: str, doom: kills.Doom) -> kills.DoomedClient:
    client = kills.DoomedClient(**conf.shop(alias).client_options())
    client.doom = doom
    return client


def _name(received: Any) -> str:
    return f"{received.fault} {received.status}" if received.fault == "status" else received.fault
