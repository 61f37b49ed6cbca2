"""A database for each contender, on the server or in the folder that the run was given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import connection


@contextmanager
def database_of(url: str, folder: str, contender: str) -> Iterator[str]:
    """Make an empty database beside that of the address; yield its address, and drop it."""
    name = contender.replace("-", "_")
    if url.startswith("sqlite"):
        path = Path(folder) / f"{name}.sqlite3"
        try:
            yield f"sqlite:///{path}"
        finally:
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink()
        return
    server, _, base = url.rpartition("/")
    quoted = connection.ops.quote_name(f"{base}_{name}")
    _execute(f"DROP DATABASE IF EXISTS {quoted}")
    _execute(f"CREATE DATABASE {quoted}")
    try:
        yield f"{server}/{base}_{name}"
    finally:
        with suppress(Exception):  # a connection that is about to end
            _execute(f"DROP DATABASE {quoted}")


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
