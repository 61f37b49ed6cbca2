"""The sandbox's sockets: HTTP/1.1 with keep-alive, one thread for each connection.

A request is read whole and given to `exchange`, which returns what to write back: one piece, so
that neither Nagle nor a delayed ACK holds it up; only a fault writes otherwise.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socket import SHUT_RDWR, socket
from socketserver import ThreadingTCPServer
from typing import Any

from .messages import Request


class Handler(BaseHTTPRequestHandler):
    """Reads the requests of one connection and writes their answers."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        started, length = time.monotonic(), self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.send_error(411)  # this closes the connection as well
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionResetError("the client left within its request")
        request = Request(self.command, self.path, self.headers, body, started)
        for piece in self.server.exchange(request):
            self.wfile.write(piece)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def log_message(self, *_: Any) -> None:
        """Log nothing: the sandbox keeps the requests themselves."""


class Server(ThreadingTCPServer):
    """Listens in a daemon thread from the start; `exchange` may end a connection by raising."""

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
        """Stop listening and close every connection."""
        self.shutdown()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that `stop` can close it."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection, then close it."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print every error but those of connections, which faults and tests cause on purpose."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
