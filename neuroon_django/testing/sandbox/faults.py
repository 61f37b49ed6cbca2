"""What goes wrong on command: faults, one row per kind, and requests that are held back.

Whether a request is applied all the same depends on the fault's kind, and on `apply` where that
is given; what is kept of the request tells both.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from .server import Answer, Refusal, Request
from .service import ENDPOINTS

HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = b"<!doctype html><html><head><title>Sorry</title></head><body>Try again.</body></html>"


def choose(name: str, value: Any, there_are: Collection[str]) -> None:
    """`ValueError` unless it is, or they are, among those."""
    for one in [value] if isinstance(value, str) else value:
        if one not in there_are:
            raise ValueError(f"no {name} {one!r}; there are {', '.join(sorted(there_are))}")


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    `status`: answered instead (503) with `body` (JSON, text or bytes) and `headers`. `delay`:
    held for `seconds`, then applied and answered. `drop`: closed without an answer. `lost`: the
    same, but applied. `html`: a page, with `status` 200 unless given. `truncated`: applied, but
    the answer breaks off half-way. `huge`: `megabytes` of JSON, sent without a length. `trickle`:
    applied, the answer's body sent one byte per `interval` seconds, with `head` its status line
    and headers as well. `empty`: 200 and nothing. `shape`: 200 with the JSON `body`. `redirect`:
    to `location`, 302 unless `status` is given. `apply` overrides whether the request is applied.
    """

    kind: str
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 1.0
    interval: float = 0.05
    head: bool = False
    megabytes: int = 64
    location: str = "/elsewhere"
    apply: bool | None = None

    def __post_init__(self) -> None:
        choose("kind", self.kind, KINDS)

    @property
    def applied(self) -> bool:
        return KINDS[self.kind][0] if self.apply is None else self.apply

    def spoil(self, answer: Answer, path: str) -> Answer:
        """What takes the answer's place."""
        _, spoil = KINDS[self.kind]
        try:
            return spoil(self, replace(answer, headers={**answer.headers, **self.headers}))
        except Refusal as refusal:
            return refusal.answer(path)


def _error(fault: Fault, answer: Answer) -> Answer:
    status, body = fault.status or 503, fault.body
    if body is None:
        raise Refusal(status, f"Sandbox fault {status}", headers=fault.headers)
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return _other(answer, status, text.encode() if isinstance(text, str) else text)


def _other(answer: Answer, status: int, body: bytes = b"", **headers: str) -> Answer:
    return replace(answer, status=status, body=body, headers={**answer.headers, **headers})


def _truncated(fault: Fault, answer: Answer) -> Answer:
    half = answer.body[: len(answer.body) // 2]
    return replace(answer, pieces=_cut(answer.head() + half) if half else _cut())


def _huge(fault: Fault, answer: Answer) -> Answer:
    answer = _other(answer, fault.status or 200)
    megabytes = [b'"' + b"x" * (2**20 - 4) + b'", '] * fault.megabytes
    head = answer.head(sized=False)
    return replace(answer, pieces=_cut(head, b'{"errors": [', *megabytes, b'""]}'))


def _cut(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces
    raise ConnectionAbortedError("closed, as it was ordered")


def _trickle(fault: Fault, answer: Answer) -> Answer:
    def pieces(at_once: bytes, slow: bytes) -> Iterator[bytes]:
        yield at_once
        for n in range(len(slow)):
            yield slow[n : n + 1]
            time.sleep(fault.interval)

    head, body = answer.head(), answer.body
    return replace(answer, pieces=pieces(b"", head + body) if fault.head else pieces(head, body))


# kind: whether the request is applied, and what becomes of its answer.
KINDS: Mapping[str, tuple[bool, Callable[[Fault, Answer], Answer]]] = {
    "status": (False, _error),
    "delay": (True, lambda fault, answer: answer),
    "drop": (False, lambda fault, answer: replace(answer, status=None, pieces=_cut())),
    "lost": (True, lambda fault, answer: replace(answer, status=None, pieces=_cut())),
    "html": (False, lambda f, a: _other(a, f.status or 200, PAGE, **HTML)),
    "truncated": (True, _truncated),
    "huge": (True, _huge),
    "trickle": (True, _trickle),
    "empty": (True, lambda fault, answer: _other(answer, fault.status or 200)),
    "shape": (True, lambda f, a: _other(a, f.status or 200, json.dumps(f.body).encode())),
    "redirect": (False, lambda f, a: _other(a, f.status or 302, Location=f.location)),
}

Plan = Callable[[Request], Fault | None]


def random_faults(
    seed: int, share: float, kinds: Sequence[str | Fault], endpoints: Collection[str] = ()
) -> Plan:
    """A plan that serves one of `kinds` to a `share` (0 to 1) of the requests, by seed."""
    random, lock = Random(seed), threading.Lock()
    faults = [kind if isinstance(kind, Fault) else Fault(kind) for kind in kinds]

    def plan(request: Request) -> Fault | None:
        if endpoints and request.endpoint not in endpoints:
            return None
        with lock:
            return random.choice(faults) if random.random() < share else None

    return plan


@dataclass(eq=False)
class Order:
    """A fault for the next `times` requests to an endpoint, once `after` of them have passed."""

    fault: Fault
    endpoint: str | None = None
    times: int | None = 1
    after: int = 0

    def __post_init__(self) -> None:
        choose("endpoint", self.endpoint or "unknown", ENDPOINTS)


@dataclass(eq=False)
class Hold:
    """Requests to an endpoint (None: to any) stop here, read but not applied, until released."""

    endpoint: str | None
    inside: int = 0
    released: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        choose("endpoint", self.endpoint or "unknown", ENDPOINTS)

    def wait(self, n: int = 1, timeout: float = 10) -> None:
        """Until `n` requests are inside; `TimeoutError` after `timeout` seconds."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.inside >= n, timeout):
                raise TimeoutError(f"{self.inside} of {n} requests held after {timeout} s")

    def release(self) -> None:
        with self.changed:
            self.released = True
            self.changed.notify_all()

    def pass_through(self) -> None:
        with self.changed:
            self.inside += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.released)
            self.inside -= 1
