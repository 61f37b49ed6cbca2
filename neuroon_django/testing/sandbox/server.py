"""The sandbox's socket side: HTTP/1.1 with keep-alive, one thread for each connection.

A request is read whole and given to `exchange`, which tells what to write back: one piece, so
that neither Nagle nor a delayed ACK holds it up; only a fault writes otherwise.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from email.message import Message
from http.client import responses
from http.server import BaseHTTPRequestHandler
from socket import SHUT_RDWR, socket
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MALFORMED = object()


def parse(body: bytes) -> Any:
    """JSON, its numbers `int` or `Decimal`; MALFORMED where it is none, for a lone surrogate too."""
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
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(eq=False)
class Request:
    """One request and how it was answered.

    `path` as sent, with its query. `headers` in any case, the API key masked: `key_ok` says
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
        return parse(self.body)

    @property
    def address(self) -> str:
        return self.path.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))

    @property
    def plugin(self) -> bool:
        return self.path.startswith("/api/plugin/")


@dataclass(frozen=True)
class Answer:
    """`pieces`, where given, are written instead; a `status` of None tells that there is none."""

    status: int | None = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    pieces: Iterable[bytes] | None = None

    @classmethod
    def of(cls, value: object, status: int = 200) -> Answer:
        return cls(status, json.dumps(value, default=float).encode())

    def head(self, *, sized: bool = True) -> bytes:
        lines = dict(self.headers)
        if sized and self.status != 204:
            lines["Content-Length"] = str(len(self.body))
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        phrase = responses.get(self.status or 0, "Unknown")
        return f"HTTP/1.1 {self.status} {phrase}\r\n{text}\r\n".encode("latin-1")

    def write(self) -> Iterable[bytes]:
        return [self.head() + self.body] if self.pieces is None else self.pieces


@dataclass(eq=False)
class Refusal(Exception):
    """Ends a request with an error, in the shape that its status has (API.md, Errors)."""

    status: int
    message: str
    details: Sequence[object] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, path: str) -> dict[str, Any]:
        named, told = {"message": self.message}, {"timestamp": now()}
        match self.status:
            case 400 | 413 | 422:
                return {"code": "VALIDATION_ERROR", **named, "details": self.details}
            case 401:
                return {"error": {"code": "UNAUTHORIZED", **named}}
            case 429:
                after, limit = (self.headers.get(n, "") for n in ("Retry-After", "X-RateLimit-Limit"))
                shown = {"retryAfter": int(after)} if after.isdecimal() else {}
                shown |= {"limit": int(limit or 100), "remaining": 0}
                return {"error": "rate_limit_exceeded", **named, **shown, **told}
        error = responses.get(self.status, "Unknown")
        return {**told, "status": self.status, "error": error, **named, "path": path}

    def answer(self, path: str) -> Answer:
        plain = Answer.of(self.body(path), self.status)
        return replace(plain, headers={**plain.headers, **self.headers})


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        started, length = time.monotonic(), self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.send_error(411)  # and closes
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionResetError("the client left within its request")
        request = Request(self.command, self.path, self.headers, body, started)
        for piece in self.server.exchange(request):
            self.wfile.write(piece)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingTCPServer):
    """Listens in a daemon thread from the start. `exchange` may end a connection by raising."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], exchange: Callable[[Request], Iterable[bytes]]
    ) -> None:
        self.exchange = exchange
        self._connections: set[socket] = set()
        super().__init__(address, Handler)
        # The interval is how long `stop` may take, not how long a request waits.
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
