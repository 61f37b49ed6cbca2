"""The contenders by turns, in one run: medians of five rounds, each set against doing it by hand."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import django

from tests.benchmarks.peers.databases import database_of
from tests.benchmarks.processes import ROOT, redis_server
from tests.benchmarks.report import Report
from tests.benchmarks.speed import sink

ROUNDS = 5
SAVES = 200
PEERS = ("algolia", "algolia-tuned", "elasticsearch", "elasticsearch-celery")
SAVING = ("bare", "neuroon", "algolia", "elasticsearch", "elasticsearch-celery")
SYNCING = ("by-hand", "values", "neuroon", "algolia", "algolia-tuned", "elasticsearch")
PACKAGES = (
    "algoliasearch-django",
    "algoliasearch>=4,<5",
    "django-elasticsearch-dsl",
    "celery",
    "redis",
    "packaging",
    "psycopg[binary]",
    "django-environ",
    f"django=={django.__version__}",
)


class Racer:
    """The process of one contender."""

    def __init__(self, name: str, started: subprocess.Popen[str]) -> None:
        self.name = name
        self._process = started

    def do(self, what: str, **options: Any) -> dict[str, Any]:
        """Let it do something; return its figures, {"failed": …} where it raised."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"do": what, **options}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended while it did {what}")
        figures: dict[str, Any] = json.loads(line)
        return figures


def run(
    report: Report, sizes: tuple[int, int], folder: str, database: str, environment: str | None
) -> None:
    """Measure everything with so many products, the memory with the second number of them, too."""
    products, most = sizes
    report.title(
        f"{products:,} products on {database.partition(':')[0]}, beside the peers; {machine()}"
    )
    python = peers_python(Path(environment or f"{folder}/peers"))
    with redis_server() as broker:
        env = {"BROKER": broker, "PEERS_PYTHON": python, "FOLDER": folder, "DATABASE": database}
        with racers(SAVING, env, products) as entrants:
            _race(report, "200 saves in a transaction", entrants, "saves", count=SAVES, inside=True)
            _race(report, "200 saves in autocommit", entrants, "saves", count=SAVES, inside=False)
            _race(report, "a delete of 50 offers x 8 batches", entrants, "delete")
            _burst(report, [racer for racer in entrants if racer.name != "bare"])
        for delay in (0.0, 0.05):
            with racers(SYNCING, env, products, delay) as entrants:
                name = f"first sync at {delay * 1000:.0f} ms"
                _race(report, name, entrants, "first_sync")
                if not delay:
                    _race(report, "another sync, nothing changed", entrants, "next_sync")
        for count in dict.fromkeys((products, most)):
            _memory(report, env, count)


def machine() -> str:
    """Return what the figures were measured on."""
    processor = platform.processor() or platform.machine()
    versions = f"Python {platform.python_version()}, Django {django.__version__}"
    return f"{os.cpu_count()} cores, {processor}, {versions}"


def peers_python(folder: Path) -> str:
    """Return the interpreter of the peers' environment, which is made where there is none."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        install = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*install, *PACKAGES], check=True)
    return str(python)


@contextmanager
def racers(
    names: tuple[str, ...], env: dict[str, str], products: int, delay: float = 0
) -> Iterator[list[Racer]]:
    """Run the processes of these contenders, each with a filled shop and a server of its own."""
    with ExitStack() as stack:
        entrants = []
        for name in names:
            url = stack.enter_context(sink(delay))
            database = stack.enter_context(database_of(env["DATABASE"], env["FOLDER"], name))
            own = os.environ | env | {"CONTENDER": name, "SINK": url, "DATABASE_URL": database}
            own["IN_FLIGHT"] = "4" if delay else "1"
            if name != "elasticsearch-celery":
                own.pop("BROKER")
            python = env["PEERS_PYTHON"] if name in PEERS else sys.executable
            racer = Racer(name, stack.enter_context(_process(python, own)))
            racer.do("fill", products=products)
            entrants.append(racer)
        yield entrants


@contextmanager
def _process(python: str, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [python, "-W", "ignore", "-m", "tests.benchmarks.peers.contender"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=env, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def _race(report: Report, title: str, entrants: list[Racer], what: str, **options: Any) -> None:
    """Let all do the same by turns, and tell how often as long as the first one it took each."""
    seconds: dict[str, list[float]] = {racer.name: [] for racer in entrants}
    for _ in range(ROUNDS):
        for racer in entrants:
            seconds[racer.name].append(racer.do(what, **options)["seconds"])
    first = statistics.median(seconds[entrants[0].name])
    report.title(f"{title}: {first * 1000:,.0f} ms, {entrants[0].name}; times as long, and spread")
    for name, taken in seconds.items():
        ratio = statistics.median(taken) / first
        spread = f"{min(taken) / first:.2f} … {max(taken) / first:.2f}"
        report.row(f"{title}: {name}", ratio, "{:.2f} x", spread)
    ours = statistics.median(seconds["neuroon"])
    best = min(statistics.median(seconds[name]) for name in seconds if name in PEERS)
    report.row(f"{title}: neuroon / best peer", ours / best, "{:.2f} x", "< 1 x", ours < best)


def _burst(report: Report, entrants: list[Racer]) -> None:
    """Tell how many requests and bytes 1,000 saves of 100 products cost."""
    report.title("1,000 saves of 100 products, until all is there")
    for racer in entrants:
        racer.do("burst", saves=0, products=1)  # what is left of the saves before
        _counts(racer)
        racer.do("burst", saves=1_000, products=100)
        counts = _counts(racer)
        report.row(f"requests: {racer.name}", counts["requests"])
        report.row(f"kilobytes: {racer.name}", counts["bytes"] / 1024)


def _counts(racer: Racer) -> dict[str, int]:
    with urlopen(f"{racer.do('server')['url']}/counts") as answer:
        counts: dict[str, int] = json.load(answer)
    return counts


def _memory(report: Report, env: dict[str, str], products: int) -> None:
    report.title(f"memory of a first sync of {products:,} products, over the idle process")
    for name in SYNCING:
        with racers((name,), env, products) as [racer]:
            report.row(f"memory of {products:,}: {name}", racer.do("memory")["megabytes"], "{:.0f} MB")
