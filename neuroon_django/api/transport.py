"""HTTP as far as it can be believed: one request, one final answer, against one clock (laws 5 and 15).

`requests`' own timeout starts anew with each address that is tried and each byte that arrives, so an
answer that trickles could outlive the lease of its rows. Here what is left of the time is counted
from the first address to the last byte. A connection that saw anything but one final answer is
closed: whatever comes late would be taken for the answer to the next request.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from http.client import HTTPException, HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any

from requests import Response, Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.wait import wait_for_read

PIECE = 64 * 1024  # bytes that are sent before it is looked whether an answer is there already
MAX_INTERIM = 20  # answers with 1xx before the final one

_begin_by: ContextVar[float] = ContextVar("neuroon_begin_by", default=float("inf"))


class TooLate(Exception):
    """A request that did not begin in time, as when its machine was suspended.

    Its lease may end before it does, so another worker's newer one could overtake it (law 5).
    """


def clock() -> float:
    """Return seconds that go on while the machine is suspended, where the system counts them."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


@contextmanager
def begin_by(moment: float) -> Iterator[None]:
    """Let no request of this thread begin after that second of the `clock`: it raises `TooLate`."""
    token = _begin_by.set(moment)
    try:
        yield
    finally:
        _begin_by.reset(token)


class _Clocked(io.RawIOBase):
    """A socket's bytes, for as long as its timeout says when the answer begins."""

    def __init__(self, sock: Any, raw: Any, first: bytes) -> None:
        self._sock, self._raw, self._first = sock, raw, first
        self._deadline = time.monotonic() + (sock.gettimeout() or 0.0)
        self.is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.is_over:
            return None
        if self._first:
            buffer[:1], self._first = self._first, b""
            return 1
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no whole answer in time")
        self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """One final answer; what came before or comes behind it closes its connection."""

    def __init__(self, sock: Any, *args: Any, connection: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._connection = connection
        self._clocked = _Clocked(sock, self.fp.detach(), connection.read_early)
        self.fp = io.BufferedReader(self._clocked)

    def _read_status(self) -> tuple[str, int, str]:
        """Return the status line of the final answer; interim ones are skipped."""
        for _ in range(MAX_INTERIM):
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= line[1] < 200 or line[1] == 101:
                return line
            self._connection.is_spoiled = True
            while self.fp.readline(65_537) not in (b"\r\n", b"\n", b""):
                pass
        raise HTTPException(f"more than {MAX_INTERIM} interim answers")

    def begin(self) -> None:
        super().begin()
        self.is_early = self._connection.is_early
        if self.is_early or self._connection.is_spoiled or self.status == 101:
            self.will_close = True

    def _close_conn(self) -> None:
        """End the answer; where more is there than its body, the connection is closed."""
        self._clocked.is_over = True
        is_open = self.fp is not None and not self.fp.closed
        has_more = is_open and bool(self.fp.peek(1) or self._connection.has_input())
        super()._close_conn()  # type: ignore[misc]
        if has_more:
            self._connection.close()


class _InTime:
    """A connection that begins no request too late, and none while an answer is there already."""

    response_class: Any

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.response_class = partial(_Response, connection=self)
        self.deadline = float("inf")
        self.has_begun = False
        self._forget()

    def _forget(self: Any) -> None:
        """Begin anew, as a connection does that has seen nothing yet."""
        self.requests = 0
        self.is_spoiled = False  # by interim answers
        self.is_early = False  # the answer, which was there before all was sent
        self.read_early = b""

    def connect(self: Any) -> None:
        began = time.monotonic()
        self._forget()
        super().connect()  # type: ignore[misc]
        if time.monotonic() - began > self.timeout:
            self.close()
            raise ConnectTimeoutError(self, "no connection in time")

    def request(self: Any, *args: Any, **kwargs: Any) -> None:
        self.deadline = time.monotonic() + self.timeout
        self.has_begun = False
        super().request(*args, **kwargs)  # type: ignore[misc]
        self.requests += 1

    def send(self: Any, data: Any) -> None:
        """Send in pieces, up to where an answer is there that can only be to something else."""
        if self.sock is None:
            self.connect()
        for start in range(0, len(data), PIECE):
            if self._answers_early():
                return
            if not self.has_begun and clock() > _begin_by.get():
                self.close()
                raise TooLate
            self.has_begun = True
            self.sock.settimeout(max(0.001, min(self.timeout, self.deadline - time.monotonic())))
            super().send(data[start : start + PIECE])  # type: ignore[misc]

    def _answers_early(self: Any) -> bool:
        """Return whether there is an answer before all is sent; where it is another's, raise."""
        if self.is_early or not self.has_input():
            return bool(self.is_early)
        if self.requests:
            self.close()
            raise NewConnectionError(self, "the connection was closed, or answered out of turn")
        self.is_early = True
        return True

    def has_input(self: Any) -> bool:
        """Return whether the other side has sent anything; a TLS session's tickets are nothing."""
        is_tls = isinstance(self.sock, ssl.SSLSocket)
        if not is_tls and type(self.sock) is not socket.socket:  # closed, or TLS inside of TLS
            return False
        if not (is_tls and self.sock.pending()) and not wait_for_read(self.sock, timeout=0):
            return False
        if not is_tls:
            return True
        timeout = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            self.read_early += self.sock.recv(1)
        except ssl.SSLWantReadError:
            return False
        finally:
            self.sock.settimeout(timeout)
        return True


class _Http(_InTime, HTTPConnection):
    pass


class _Https(_InTime, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


POOLS = {"http": _HttpPool, "https": _HttpsPool}


class Adapter(HTTPAdapter):
    """What a session sends with; each request needs a `urllib3.Timeout` with a `total`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # these have connections of their own
            manager.pool_classes_by_scheme = POOLS
        return manager


class PlainSession(Session):
    """A session that follows nothing, keeps no cookies and reads no `.netrc`; proxies are respected."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda request: request  # any callable keeps `requests` from `.netrc`
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.headers["Accept-Encoding"] = "identity"

    def get_redirect_target(self, resp: Response) -> None:
        """Give no target: `requests` would read the redirect's body, whatever its size."""
