"""For the shop's own tests: a local Neuroon, and assertions about feeds and what was recorded.

Importable without settings; the functions import what they need when they are called.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from neuroon_django.testing.sandbox import Sandbox

if TYPE_CHECKING:
    from neuroon_django.feeds import Feed
    from neuroon_django.testing.outbox import Outbox

__all__ = ["Sandbox", "assert_feed_queries", "neuroon_outbox"]


def neuroon_outbox() -> AbstractContextManager[Outbox]:
    """Turn the app on, send nothing, and tell what the block's changes would send.

    `outbox.products` are payloads by external id, `outbox.rejected` reasons and `outbox.unlisted`
    what is not to be in Neuroon, by external id or, where there is none, `label pk`;
    `outbox.changes` are the (model label, primary key as text) that were recorded.
    """
    from neuroon_django.testing.outbox import recorded

    return recorded()


def assert_feed_queries(feed: type[Feed[Any]], n: int) -> None:
    """Fail unless all products (at most 100) are built in exactly `n` queries, the load included.

    It takes at least two products in the database, as different from each other as the shop's are:
    a query that a method makes for each of them shows.
    """
    from neuroon_django.testing.queries import assert_queries

    assert_queries(feed, n)
