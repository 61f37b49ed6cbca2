"""A request as the sandbox received it, and an answer as it writes it: plain data, no sockets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.message import Message
from http.client import responses
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY_HEADER, MASK = "X-Shop-API-Key", "sk_…"
MALFORMED = object()


def parse(body: bytes) -> Any:
    """Return a JSON body with its numbers as `int` or `Decimal`, None for an empty body.

    Return MALFORMED where it cannot be parsed or holds a lone surrogate.
    """
    if not body:
        return None
    try:
        # `int` refuses what it is called for: NaN and Infinity.
        value = json.loads(body.decode(), parse_float=Decimal, parse_constant=int)
        if b"\\ud" in body or b"\\uD" in body:
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError):
        return MALFORMED
    return value


def now() -> str:
    """Return the time as Neuroon's answers give it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(eq=False)
class Request:
    """One request and how it was answered.

    `path` is as sent, with its query. `headers` are in any case, the API key masked: `key_ok` says
    whether it was right. `external_ids` are the products that a sync or a delete names; `status`
    is None where no answer was given; `started` and `ended` are `time.monotonic()` seconds.
    """

    method: str
    path: str
    headers: Message
    body: bytes = field(repr=False)
    started: float
    ended: float = 0.0
    endpoint: str = "unknown"
    params: Mapping[str, str] = field(default_factory=dict)
    external_ids: tuple[str, ...] = ()
    status: int | None = None
    fault: str | None = None
    key_ok: bool = False

    @property
    def json(self) -> Any:
        """The parsed body, as `parse` returns it."""
        return parse(self.body)

    @property
    def address(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The parameters after the question mark."""
        return dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))

    @property
    def plugin(self) -> bool:
        """Whether the request came by the plugin route and not by the shops route."""
        return self.path.startswith("/api/plugin/")

    def mask_key(self, api_key: str) -> None:
        """Record whether the key is right and replace it, so that it is kept nowhere."""
        self.key_ok = self.headers[KEY_HEADER] == api_key
        if KEY_HEADER in self.headers:
            self.headers.replace_header(KEY_HEADER, MASK)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `pieces`, where given, are written as they are instead of head and body.

    A `status` of None says that no answer is given at all.
    """

    status: int | None = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    pieces: Iterable[bytes] | None = None

    @classmethod
    def from_json(cls, value: object, status: int = 200) -> Answer:
        """Return an answer with this value as its JSON body."""
        return cls(status, json.dumps(value, default=float).encode())

    @classmethod
    def from_result(cls, value: object) -> Answer:
        """Return what a handler's result means: an answer as it is, None a 204, all else JSON."""
        if isinstance(value, Answer):
            return value
        return cls(204) if value is None else cls.from_json(value)

    def head(self, *, sized: bool = True) -> bytes:
        """Return the status line and the headers, with the body's length if `sized`."""
        lines = dict(self.headers)
        if sized and self.status != 204:
            lines["Content-Length"] = str(len(self.body))
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        phrase = responses.get(self.status or 0, "Unknown")
        return f"HTTP/1.1 {self.status} {phrase}\r\n{text}\r\n".encode("latin-1")

    def write(self) -> Iterable[bytes]:
        """Return the pieces to write to the socket, one unless a fault says otherwise."""
        return [self.head() + self.body] if self.pieces is None else self.pieces
