"""HTTP against one clock: a request is over in time, whatever it is waiting for (law 5).

`requests`' own timeout starts anew with each address that is tried and each byte that arrives, so an
answer that trickles could outlive the lease of its rows. Here what is left of the time is counted
from the first address to the last byte.
"""

from __future__ import annotations

import io
import time
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError


class _Clocked(io.RawIOBase):
    """A socket's bytes, for as long as its timeout says when the answer begins."""

    def __init__(self, sock: Any, raw: Any) -> None:
        self._sock, self._raw = sock, raw
        self._deadline = time.monotonic() + (sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
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
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Clocked(sock, self.fp.detach()))


class _InTime:
    """A connection that took too long to come about carries no request."""

    response_class: Any = _Response

    def connect(self: Any) -> None:
        began = time.monotonic()
        super().connect()  # type: ignore[misc]
        if time.monotonic() - began > self.timeout:
            self.close()
            raise ConnectTimeoutError(self, "no connection in time")


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
