"""The broker as the shop sees it: its queue, and how long its own tasks wait there."""

from __future__ import annotations

import json
import time

from celery import Celery
from redis import Redis

QUEUE, SHOP_TASK = "celery", "tests.shop_task"


class Broker:
    """One queue of a Redis; the shop's and the app's messages stand in the same line."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._app = Celery("benchmark", broker=url)
        self._app.set_default()  # the app's own thread publishes here as well
        self._redis = Redis.from_url(url)
        self._sent: list[float] = []

    def send(self, task: str, *args: object) -> None:
        """Publish a message for a task."""
        self._app.send_task(task, args, ignore_result=True)

    def send_shop_task(self) -> None:
        """Publish the shop's own task, which keeps in Redis how long it waited."""
        self._sent.append(time.time())
        self.send(SHOP_TASK, self._sent[-1])

    def waits(self) -> dict[float, float]:
        """Return the seconds that each shop's task waited which is done, by when it was sent."""
        pairs: list[bytes] = self._redis.lrange("waits", 0, -1)  # type: ignore[assignment]
        return dict(map(json.loads, pairs))

    def waits_so_far(self) -> list[float]:
        """Return the seconds that all shop's tasks have waited, those included that still wait."""
        done, now = self.waits(), time.time()
        return [done.get(sent, now - sent) for sent in self._sent]

    def length(self) -> int:
        """Return how many messages are in the queue."""
        return int(self._redis.llen(QUEUE))

    def clear(self) -> None:
        """Empty the queue and forget the shop's tasks."""
        self._redis.delete(QUEUE, "waits")
        self._sent.clear()
