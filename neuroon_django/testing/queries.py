"""The count of a feed's queries, which shows methods that make one per product (law 11)."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.test.utils import CaptureQueriesContext

from neuroon_django.api import messages
from neuroon_django.feeds import Feed, ProductSource, registry


def assert_queries(feed: type[Feed[Any]], n: int) -> None:
    """Fail unless every product of the feed is built in `n` queries, as a worker builds a batch."""
    registered = [source for source in registry.products() if type(source.feed) is feed]
    if not registered:
        raise AssertionError(f"{feed.__name__} is not registered, or is not a ProductFeed")
    for source in registered:
        _assert_queries(source, n)


def _assert_queries(source: ProductSource[Any], n: int) -> None:
    pks = source.keys_after("", messages.MAX_BATCH)
    if len(pks) < 2:
        raise AssertionError(f"{len(pks)} product(s) can show no query per product: make some")
    with CaptureQueriesContext(connections[source.db_alias]) as captured:
        source.render_many(map(str, pks))
    if len(captured) != n:
        made = "\n".join(f"{i}. {query['sql']}" for i, query in enumerate(captured, 1))
        raise AssertionError(f"{len(captured)} queries for {len(pks)} products, {n} expected:\n{made}")
