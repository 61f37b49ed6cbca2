"""Work in other threads, each with a connection of its own that is closed when the work is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections

PATIENCE = 20  # seconds until a wait counts as a deadlock


def elsewhere(work: Callable[..., Any], *args: Any) -> threading.Thread:
    """Run in another thread, which is running on return."""

    def closing() -> None:
        try:
            work(*args)
        finally:
            connections.close_all()

    thread = threading.Thread(target=closing)
    thread.start()
    return thread


def side_by_side(*works: Callable[[], Any]) -> None:
    """Run all of them at once; what one of them raises is raised here."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(works))

    def together(work: Callable[[], Any]) -> None:
        try:
            start.wait(PATIENCE)
            work()
        except BaseException as error:
            errors.append(error)
            start.abort()

    threads = [elsewhere(together, work) for work in works]
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other"
    if errors:
        raise errors[0]
