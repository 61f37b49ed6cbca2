"""The demo's other processes: sandbox, web server, Celery worker. They end when the demo does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from django.conf import settings

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"
GRACE = 3.0  # seconds a process gets to end by itself; being killed loses nothing


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(name: str, command: list[str], logs: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, its output in a log; ended with all its children."""
    with (logs / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=MANAGE.parent,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for order in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, order)
        except ProcessLookupError:
            break
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def wait_for(what: str, ready: Callable[[], bool], seconds: float = 60) -> float:
    """Ask until it is so; returns how long it took, raises TimeoutError."""
    started = time.monotonic()
    while not ready():
        if time.monotonic() - started > seconds:
            raise TimeoutError(f"{what}: nothing within {seconds:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - started


def neuroon(what: str, alias: str = "") -> Any:
    """What the sandbox tells of itself, or of one of several shops."""
    shop = {"shop": f"shop_{alias}"} if alias else None
    return requests.get(f"{settings.NEUROON_API_URL}/_sandbox/{what}", shop, timeout=30).json()
