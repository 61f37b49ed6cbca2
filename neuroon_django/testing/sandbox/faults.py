"""What can go wrong with one request: one row per kind of fault.

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

from .choices import check_choice
from .errors import Refusal
from .messages import Answer, Request

HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = b"<!doctype html><html><head><title>Sorry</title></head><body>Try again.</body></html>"


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
        check_choice("kind", self.kind, KINDS)

    @property
    def applied(self) -> bool:
        """Whether the request changes anything at Neuroon."""
        return KINDS[self.kind][0] if self.apply is None else self.apply

    def spoil(self, answer: Answer, path: str, error_body: str = "by-status") -> Answer:
        """Return what is written instead of the answer to a request for this path."""
        _, spoil = KINDS[self.kind]
        try:
            return spoil(self, replace(answer, headers={**answer.headers, **self.headers}))
        except Refusal as refusal:
            return refusal.answer(path, error_body)


def _error(fault: Fault, answer: Answer) -> Answer:
    status, body = fault.status or 503, fault.body
    if body is None:
        raise Refusal(status, f"Sandbox fault {status}", headers=fault.headers)
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return _other(answer, status, text.encode() if isinstance(text, str) else text)


def _other(answer: Answer, status: int, body: bytes = b"", **headers: str) -> Answer:
    return replace(answer, status=status, body=body, headers={**answer.headers, **headers})


def _no_answer(fault: Fault, answer: Answer) -> Answer:
    return replace(answer, status=None, pieces=_cut())


def _html(fault: Fault, answer: Answer) -> Answer:
    return _other(answer, fault.status or 200, PAGE, **HTML)


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
    raise ConnectionAbortedError("closed, as the fault asks")


def _trickle(fault: Fault, answer: Answer) -> Answer:
    def pieces(at_once: bytes, slow: bytes) -> Iterator[bytes]:
        yield at_once
        for n in range(len(slow)):
            yield slow[n : n + 1]
            time.sleep(fault.interval)

    head, body = answer.head(), answer.body
    return replace(answer, pieces=pieces(b"", head + body) if fault.head else pieces(head, body))


def _empty(fault: Fault, answer: Answer) -> Answer:
    return _other(answer, fault.status or 200)


def _shape(fault: Fault, answer: Answer) -> Answer:
    return _other(answer, fault.status or 200, json.dumps(fault.body).encode())


def _redirect(fault: Fault, answer: Answer) -> Answer:
    return _other(answer, fault.status or 302, Location=fault.location)


# Kind: whether the request is applied, and what is done to its answer.
KINDS: Mapping[str, tuple[bool, Callable[[Fault, Answer], Answer]]] = {
    "status": (False, _error),
    "delay": (True, lambda fault, answer: answer),
    "drop": (False, _no_answer),
    "lost": (True, _no_answer),
    "html": (False, _html),
    "truncated": (True, _truncated),
    "huge": (True, _huge),
    "trickle": (True, _trickle),
    "empty": (True, _empty),
    "shape": (True, _shape),
    "redirect": (False, _redirect),
}

Plan = Callable[[Request], Fault | None]


def random_faults(
    seed: int, share: float, kinds: Sequence[str | Fault], endpoints: Collection[str] = ()
) -> Plan:
    """Return a plan that serves one of `kinds` to a `share` (0 to 1) of the requests, by seed.

    With `endpoints`, only their requests are asked about.
    """
    random, lock = Random(seed), threading.Lock()
    faults = [kind if isinstance(kind, Fault) else Fault(kind) for kind in kinds]

    def plan(request: Request) -> Fault | None:
        if endpoints and request.endpoint not in endpoints:
            return None
        with lock:
            return random.choice(faults) if random.random() < share else None

    return plan
