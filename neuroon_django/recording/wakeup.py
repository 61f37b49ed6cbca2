"""Wake a worker: a flag after the shop's commit, and a thread that publishes a message per flag.

The rows are the truth and a message is only a hint, so nothing here may delay the shop or raise into
it. How it is published, `publishing` says.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from django.db import transaction

from neuroon_django.conf import conf
from neuroon_django.models import Change
from neuroon_django.recording.publishing import task_backend

logger = logging.getLogger("neuroon_django")

PRODUCTS, ORDERS, VERIFICATION = "flush_products", "flush_conversions", "verify_shop"
COOLDOWN = 30.0  # seconds between wake-ups that fail


def wake_after_commit(task: str) -> None:
    """Notify the publisher once the shop's transaction is committed.

    A transaction gets one hook, outside its savepoints, since Django goes through all hooks each time
    a savepoint is rolled back. Where the shop commits by hand there is no hook, and beat finds the
    rows. A shop's tests get no hook either, which `captureOnCommitCallbacks` would count.
    """
    connection: Any = transaction.get_connection(Change.objects.db)
    if not conf.AUTO_SYNC or conf.TASKS is None or conf.is_silent:
        return
    if not connection.in_atomic_block:
        if connection.get_autocommit():
            publisher.notify(task)
        return
    # Django makes a new list whenever it takes hooks out: in the same list, the task's is still there.
    hooks, hooked = connection.run_on_commit, vars(connection).setdefault("neuroon_hooked", {})
    if hooked.get(task) is not hooks:
        notify = _notify(task)
        if all(hook is not notify for _, hook, _ in hooks):
            hooks.append((set(), notify, True))
        hooked[task] = hooks


@cache
def _notify(task: str) -> Callable[[], None]:
    return lambda: publisher.notify(task)


class Publisher:
    """The publisher of wake-up messages: one daemon thread per process, started by the first flag."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Begin without a thread, as in a fork, which inherits none, and with locks that are free."""
        self._flag = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wanted: dict[str, None] = {}
        self._quiet_until = 0.0

    def notify(self, task: str) -> None:
        """Flag a task; called by the shop's thread after commit, it neither waits nor fails."""
        self._wanted[task] = None
        self._flag.set()
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            self._thread = threading.Thread(target=self._work, daemon=True, name="neuroon-wake")
            try:
                self._thread.start()
            except RuntimeError:  # the process is ending; beat finds the rows
                self._thread = None

    def _work(self) -> None:
        while True:
            self._flag.wait()
            self._debounce()
            self._flag.clear()
            # Taken out one by one: what is flagged meanwhile is either among them or still there.
            self._publish([self._wanted.popitem()[0] for _ in range(len(self._wanted))])

    def _debounce(self) -> None:
        """Wait for further flags of a burst, and as long as the broker is left alone."""
        time.sleep(max(conf.DEBOUNCE, self._quiet_until - time.monotonic()))

    def _publish(self, tasks: list[str]) -> None:
        """Publish a message for each of these tasks; log what the broker raises."""
        try:
            backend = task_backend()
            if tasks and conf.can_send and backend.has_workers:
                backend.publish(tasks)
        except Exception as error:
            self._quiet_until = time.monotonic() + COOLDOWN
            logger.warning(
                "wake_up_failed error=%s: %s; the next beat or neuroon_sync delivers",
                type(error).__name__,
                error,
            )


publisher = Publisher()
