"""`neuroon_sync --watch`: a worker of its own for small shops, without Celery.

It runs the tasks that a Celery worker runs, when beat would run them and when there are changes. What
a task publishes to go on with later waits in this process's memory: a message is only a hint, the rows
are the truth. Several may run at once, as workers do: one run of a kind is at work in the whole system.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, InterfaceError, connections
from django.utils.module_loading import import_string

from neuroon_django.api.messages import text_of
from neuroon_django.conf import ShopConfig
from neuroon_django.feeds import registry
from neuroon_django.models import Change
from neuroon_django.recording import publishing
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, VERIFICATION

logger = logging.getLogger("neuroon_django")

POLL = 2.0  # seconds between two looks for changes
PATIENCE = 10.0  # seconds before the next attempt after something failed
SLICE = 0.2  # seconds slept at once, as a signal does not end a sleep

PER_SHOP = (PRODUCTS, ORDERS)  # tasks that are run for each shop; the others ask for the shops
# By task: after how many seconds it is run again, whatever changed.
SCHEDULE = {PRODUCTS: 60.0, ORDERS: 60.0, "refresh_widget_token": 600.0, VERIFICATION: 10.0}

Message = tuple[str, tuple[tuple[str, Any], ...]]  # a task's name, and its arguments


class Watch:
    """A worker in this process for some shops; it takes the place of the messages' backend."""

    runs_inline, has_workers = False, True

    def __init__(self, shops: Sequence[ShopConfig]) -> None:
        self.shops = shops
        self.is_stopping = False
        self.topics = {
            topic
            for shop in shops
            for topic in registry.product_topics(shop) | registry.order_topics(shop)
        }
        self._due: dict[Message, float] = {}  # when each is run, a monotonic second
        self._scheduled = dict.fromkeys(SCHEDULE, 0.0)  # when each is published again
        self._look_at = 0.0  # when changes are looked for again

    def run(self, on_start: Callable[[], None] = lambda: None) -> None:
        """Work until a signal asks for the end; what is in flight then is settled before."""
        with publishing.replaced_by(self), self._stopped_by_signals():
            on_start()
            while not self.is_stopping:
                self._sleep_until(self.round())

    def round(self) -> float:
        """Run what is due, and return the monotonic second of the next round."""
        try:
            self._publish_due()
            for message in sorted(self._due, key=self._due.__getitem__):
                if not self.is_stopping and self._due[message] <= time.monotonic():
                    del self._due[message]
                    name, options = message
                    import_string(f"neuroon_django.tasks.{name}")(**dict(options))
        except Exception as error:  # a task's own; the rows are the truth, and are tried again
            lost = isinstance(error, DatabaseError | InterfaceError)
            name, reason = type(error).__name__, text_of(error)
            logger.warning("watch_failed error=%s: %s", name, reason, exc_info=not lost)
            connections.close_all()
            return time.monotonic() + PATIENCE
        return min(self._look_at, *self._due.values(), *self._scheduled.values())

    def _publish_due(self) -> None:
        """Publish what beat would, and what a change would."""
        now = time.monotonic()
        names = {name for name, due in self._scheduled.items() if due <= now}
        self._scheduled.update({name: now + SCHEDULE[name] for name in names})
        if self._look_at <= now:
            self._look_at = now + POLL
            if Change.objects.filter(model__in=self.topics).exists():
                names.update(PER_SHOP)
        self.publish(name for name in SCHEDULE if name in names)

    def publish(self, names: Iterable[str]) -> None:
        """Run these tasks next, for each shop."""
        for name in names:
            for shop in self.shops if name in PER_SHOP else self.shops[:1]:
                self.send(name, kwargs={"shop": shop.alias} if name in PER_SHOP else {})

    def send(self, name: str, *, countdown: float = 0.0, kwargs: dict[str, Any] | None = None) -> None:
        """Run this task after so many seconds; the same one that waits already is not run twice."""
        message = name, tuple((kwargs or {}).items())
        due = time.monotonic() + countdown
        self._due[message] = min(due, self._due.get(message, due))

    # The end

    @contextmanager
    def _stopped_by_signals(self) -> Iterator[None]:
        """Let SIGTERM and Ctrl-C end the work; only a main thread hears them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {s: signal.signal(s, self._stop) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, *_: object) -> None:
        """End after what is being done; the second time at once, which loses nothing either."""
        if self.is_stopping:
            raise KeyboardInterrupt
        self.is_stopping = True

    def _sleep_until(self, moment: float) -> None:
        while not self.is_stopping and (seconds := moment - time.monotonic()) > 0:
            time.sleep(min(seconds, SLICE))
