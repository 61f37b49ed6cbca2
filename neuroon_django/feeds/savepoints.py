"""Shop code that queries inside a transaction of ours: what fails there ends with its own object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import DatabaseError, connections, transaction

from neuroon_django.feeds.source import Invalid, M, Source

V = TypeVar("V")

MAX_FAILED_QUERIES = 30  # of the shop's code, before it is no single object's fault


def ask_each(
    source: Source[M], pks: list[Any], ask: Callable[[M | Invalid], V], *, failed: V
) -> dict[str, V]:
    """Load objects and ask something of each, in a savepoint; return the answers by key as text.

    Where a query of the shop's code fails, halves are asked, down to the single object, whose answer
    is `failed`.
    """
    found: dict[str, V] = {}
    todo, failures = [pks], 0
    while todo:
        some = todo.pop()
        try:
            with transaction.atomic(source.db_alias):
                found |= {pk: ask(loaded) for pk, loaded in source.load(some).items()}
        except DatabaseError:
            failures += 1
            # A deadlock has ended the whole transaction, or it is not a matter of some objects.
            is_ended = connections[source.db_alias].needs_rollback
            if is_ended or failures > MAX_FAILED_QUERIES:
                raise
            middle = len(some) // 2
            if middle:
                todo += [some[middle:], some[:middle]]
            else:
                found[str(some[0])] = failed
    return found
