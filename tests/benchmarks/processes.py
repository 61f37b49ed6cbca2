"""The processes of a shop: Redis as its broker, a Celery worker, and web processes that save.

Each is a process group of its own, so that Ctrl-C reaches the benchmark alone, which ends them all.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import connection
from redis import Redis, RedisError

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60  # seconds for a process to come up


@contextmanager
def process(*command: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a command within the block; the process and its children are killed at its end."""
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, text=True, **options) as started:
        try:
            yield started
        finally:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)


@contextmanager
def redis_server() -> Iterator[str]:
    """Start a Redis on a free port that writes nothing to the disk; yield its address."""
    if shutil.which("redis-server") is None:
        raise RuntimeError("the benchmark needs redis-server")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = ("redis-server", "--port", str(port), "--save", "", "--appendonly", "no")
    with process(*command, stdout=subprocess.DEVNULL) as server:
        url = f"redis://127.0.0.1:{port}/0"
        wait_for("Redis", lambda: _answers(url), server)
        yield url


def _answers(url: str) -> bool:
    try:
        with Redis.from_url(url) as client:
            return bool(client.ping())
    except RedisError:
        return False


def wait_for(name: str, is_ready: Callable[[], object], started: subprocess.Popen[str]) -> None:
    """Wait until a process is ready; `RuntimeError` when it ended or takes longer than a minute."""
    end = time.monotonic() + PATIENCE
    while not is_ready():
        if started.poll() is not None:
            raise RuntimeError(f"{name} ended with status {started.returncode}")
        if time.monotonic() > end:
            raise RuntimeError(f"{name} did not come up in {PATIENCE} s")
        time.sleep(0.1)


def environment(broker: str, options: dict[str, Any]) -> dict[str, str]:
    """Return the environment of a process of the shop: its database, its broker, its settings."""
    config = {"broker": broker, "name": str(connection.settings_dict["NAME"]), "options": options}
    return os.environ | {"NEUROON_TEST_WORKER": json.dumps(config)}


def worker(env: dict[str, str]) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run a Celery worker with one slot, which reserves one message, within a block."""
    command = (sys.executable, "-m", "celery", "-A", "tests.celery_app", "worker", "-l", "ERROR")
    slots = ("--pool", "prefork", "--concurrency", "1", "--prefetch-multiplier", "1")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    env = env | {"PYTHONWARNINGS": "ignore"}  # one complains of a worker that root runs
    return process(*command, *slots, *quiet, env=env, stdout=subprocess.DEVNULL)


class Saver:
    """A web process that saves its own product; see `saver.py`."""

    def __init__(self, started: subprocess.Popen[str]) -> None:
        self._process = started

    def wait_until_ready(self) -> None:
        """Wait until it has set up; `RuntimeError` when it ended before."""
        self._line()

    def begin(self) -> None:
        """Let it save."""
        assert self._process.stdin
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """Wait until it is done; return its `saves` and the seconds of the `slowest`."""
        result: dict[str, Any] = json.loads(self._line())
        return result

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a web process ended before it was done")
        return line


@contextmanager
def save_in_processes(env: dict[str, str], count: int, seconds: float) -> Iterator[list[Saver]]:
    """Run so many web processes, which have all begun to save when the block is entered."""
    command = (sys.executable, "-m", "tests.benchmarks.saver")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with ExitStack() as stack:
        commands = [(*command, str(number), str(seconds)) for number in range(count)]
        savers = [Saver(stack.enter_context(process(*each, env=env, **pipes))) for each in commands]
        for saver in savers:
            saver.wait_until_ready()
        for saver in savers:
            saver.begin()
        yield savers
