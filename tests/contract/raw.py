"""A server that reads whole requests and writes whatever bytes it is told, for answers that no HTTP
library would send.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST


@dataclass(frozen=True)
class Script:
    """What every request gets: these bytes, then `after`: keep, close, reset or stall.

    `early` answers before the body was read.
    """

    data: bytes
    after: str = "close"
    early: bool = False


def good(body: bytes, status: int = 200) -> Script:
    """Return a sound answer."""
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return Script(head.encode() + b"\r\n\r\n" + body, "keep")


class RawServer(ThreadingTCPServer):
    """Answers by its `script`; `requests` are the bodies that were read, in order."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RawHandler)
        self.script = good(b"{}")
        self.requests: list[bytes] = []
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def use(self, script: Script) -> None:
        """Answer by this from now on; whatever stalls is let go."""
        self.released.set()
        self.released = threading.Event()
        self.script, self.requests = script, []

    def server_close(self) -> None:
        self.released.set()
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is what many answers bring about."""


class RawHandler(BaseRequestHandler):
    server: RawServer

    def handle(self) -> None:
        connection: socket.socket = self.request
        connection.settimeout(5)
        with suppress(OSError), connection.makefile("rb") as reader:
            while self._answer(connection, reader):
                pass

    def _answer(self, connection: socket.socket, reader: Any) -> bool:
        """Serve one request; return whether the connection may have another."""
        length, line = 0, reader.readline()
        if not line:
            return False
        while (header := reader.readline()) not in (b"\r\n", b""):
            if header.lower().startswith(b"content-length:"):
                length = int(header.partition(b":")[2])
        script, released = self.server.script, self.server.released
        if script.early:
            connection.sendall(script.data)
        self.server.requests.append(reader.read(length))
        if not script.early:
            connection.sendall(script.data)
        if script.after == "stall":
            released.wait(5)
        if script.after == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        return script.after == "keep"
