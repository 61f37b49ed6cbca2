"""A server of raw bytes: what it writes, and when, is up to the test, HTTP or not."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def answer(body: bytes, status: str = "200 OK", *headers: bytes) -> bytes:
    """Return a whole answer with these header lines."""
    lines = [b"HTTP/1.1 " + status.encode("latin-1"), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Peer:
    """One connection as its server sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def read_head(self) -> bytes:
        """Read a request's head, and of its body what came with it."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.sock.recv(65_536)
            if not piece:
                raise ConnectionAbortedError
            data += piece
        return data

    def read(self) -> bytes:
        """Read a whole request."""
        head, _, body = self.read_head().partition(b"\r\n\r\n")
        lengths = [
            line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        ]
        missing = int(lengths[0]) - len(body) if lengths else 0
        while missing > 0:
            piece = self.sock.recv(missing)
            if not piece:
                raise ConnectionAbortedError
            body, missing = body + piece, missing - len(piece)
        return head + b"\r\n\r\n" + body

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)


class Wire:
    """Listens on loopback; `serve` gets each connection in a thread, `connections` counts them."""

    def __init__(self, serve: Callable[[Peer], None]) -> None:
        self.serve = serve
        self.connections = 0
        self.requests: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def _listen(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._handle, args=(sock,), daemon=True).start()

    def _handle(self, sock: socket.socket) -> None:
        with sock:
            sock.settimeout(10)
            with contextlib.suppress(OSError):
                self.serve(Peer(sock))
