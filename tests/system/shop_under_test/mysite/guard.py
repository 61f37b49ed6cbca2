"""What must not happen while the shop's tests run; anything that does ends up in the file `left`."""

from __future__ import annotations

import os
import socket
import traceback
from pathlib import Path
from typing import Any

from django.core.cache.backends.base import BaseCache

LEFT = Path(os.environ["LEFT"])
own_ports: set[int] = set()  # of servers that a test has started itself


def note(what: object) -> None:
    with LEFT.open("a") as file:
        file.write(f"{what}\n{''.join(traceback.format_stack(limit=12))}\n")


class Socket(socket.socket):
    """A socket that reaches nobody but the test's own servers."""

    def connect(self, address: Any) -> None:
        if address[1] not in own_ports:
            note(address)
            raise ConnectionRefusedError(address)
        super().connect(address)

    def connect_ex(self, address: Any) -> int:
        note(address)
        return 111


def no_names(host: Any, *args: Any, **kwargs: Any) -> Any:
    if host not in ("localhost", "127.0.0.1"):
        note(host)
        raise socket.gaierror(host)
    return look_up(host, *args, **kwargs)


look_up = socket.getaddrinfo
socket.socket = Socket  # type: ignore[misc]
socket.getaddrinfo = no_names


class SharedCache(BaseCache):
    """The shop's cache, which all of its tests and developers share."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        note(f"get {key}")
        return default

    def set(self, key: str, value: Any, *args: Any, **kwargs: Any) -> None:
        note(f"set {key}")
