"""What a test needs beside Python: where CI runs, a missing service is a failure and not a skip."""

from __future__ import annotations

import os
import shutil
import socket

import pytest

REDIS, RABBITMQ = 6379, 5672


def need(found: object, what: str) -> None:
    """Skip the test where something is not on this machine; in CI it has to be."""
    if not found:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no {what} here")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def chromium() -> str | None:
    """Where the browser is: `CHROMIUM`, or the first one on the path."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
