"""Death at any step: a worker's run is ended between any two things it does, and cleans nothing up.

Every verb on rows and every request is a point where a worker may die. Once it has, each further
verb of that worker raises too, as its `finally` blocks would do nothing in a killed process.
"""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

from neuroon_django.api import Client
from neuroon_django.delivery.lease import RunLease
from neuroon_django.models.assignment import AssignmentQuerySet
from neuroon_django.models.change import ChangeQuerySet
from neuroon_django.models.conversion import ConversionQuerySet
from neuroon_django.models.delivery import DeliveryQuerySet
from neuroon_django.models.endpoint import EndpointQuerySet
from neuroon_django.models.fold_lock import FoldLockQuerySet
from neuroon_django.models.product import SyncedProductQuerySet
from neuroon_django.models.run_lease import RunLeaseQuerySet
from neuroon_django.models.shop import ShopStateQuerySet

POINTS = {
    ChangeQuerySet: ("append", "consume"),
    AssignmentQuerySet: ("assign", "claim_scanned"),
    ConversionQuerySet: ("record_orders",),
    DeliveryQuerySet: ("_begin", "claim", "release", "settle"),
    EndpointQuerySet: (
        "acquire_slot",
        "block",
        "half_open",
        "resume",
    ),
    RunLeaseQuerySet: (
        "begin_run",
        "end_run",
        "extend_run",
        "hand_over_run",
        "release_run",
        "request_another_look",
    ),
    FoldLockQuerySet: ("hold",),
    ShopStateQuerySet: ("set",),
    SyncedProductQuerySet: ("delete_confirmed",),
}


class Killed(BaseException):
    """The process is gone."""


class Worker(threading.local):
    """What is known of the worker that runs in this thread; none outside of one."""

    doomed: Doom | None = None


worker = Worker()


class Doom:
    """When a run dies: at each point with that probability, and from then on at every point."""

    def __init__(self, seed: int, share: float, deaths: Counter[str]) -> None:
        self.random, self.share, self.deaths = Random(seed), share, deaths
        self.dead = False

    def point(self, name: str) -> None:
        if not self.dead and self.random.random() < self.share:
            self.dead = True
            self.deaths[name] += 1
        if self.dead:
            raise Killed(name)


class DoomedClient(Client):
    """Dies before a request, in the middle of one that goes on without it, or after the answer."""

    doom: Doom

    def _call(self, method: str, path: str, *args: Any, **kwargs: Any) -> tuple[bytes, int]:
        self.doom.point("before the request")
        try:
            self.doom.point("during the request")
        except Killed:
            send = functools.partial(_quietly, super()._call, method, path, *args, **kwargs)
            threading.Thread(target=send, daemon=True).start()
            raise
        answer = super()._call(method, path, *args, **kwargs)
        self.doom.point("after the answer")
        return answer


class ImpoliteLease(RunLease):
    """Begins whoever else is at work: rows must be safe without the lease of a run, too."""

    def begin(self, *, wait_until: float = 0.0) -> bool:
        self.is_held = True
        return True

    def extend(self) -> bool:
        return self.is_held

    def end(self) -> bool:
        self.is_held = False
        return True

    def pause(self, seconds: float | None = None) -> None:
        self.is_held = False


def _quietly(call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    with suppress(Exception):  # nobody is there any more to hear of it
        call(*args, **kwargs)


def install(patch: Callable[[Any, str, Any], None]) -> None:
    """Make every verb a point; `patch` is `monkeypatch.setattr` or `setattr`."""
    for owner, names in POINTS.items():
        for name in names:
            patch(owner, name, _mortal(name, vars(owner)[name]))


def _mortal(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(verb)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if worker.doomed is None:
            return verb(*args, **kwargs)
        worker.doomed.point(f"before {name}")
        result = verb(*args, **kwargs)
        worker.doomed.point(f"after {name}")
        return result

    return wrapper
