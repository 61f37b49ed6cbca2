"""Proof that a feed's methods make no query per product (law 11)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.db import connections
from django.test.utils import CaptureQueriesContext

from neuroon_django.api import messages
from neuroon_django.exceptions import InvalidProduct
from neuroon_django.feeds import Feed, ProductFeed, payload_context, registry


def assert_queries(feed: type[Feed[Any]], n: int) -> None:
    """Build every product of the feed, as a worker builds a batch, and count."""
    registered = [f for f in registry.products() if type(f) is feed]
    if not registered:
        raise AssertionError(f"{feed.__name__} is not registered, or is not a ProductFeed")
    for one in registered:
        _assert_queries(one, n)


def _assert_queries(feed: ProductFeed[Any], n: int) -> None:
    pks = list(feed.get_queryset().order_by("pk").values_list("pk", flat=True)[: messages.MAX_BATCH])
    if len(pks) < 2:
        raise AssertionError(f"{len(pks)} product(s) can show no query per product: make some")
    with CaptureQueriesContext(connections[feed.get_queryset().db]) as captured, payload_context():
        for product in feed.load(pks).values():
            with suppress(InvalidProduct):
                if feed.value("is_listed", product):
                    feed.payload(product)
    if len(captured) != n:
        made = "\n".join(f"{i}. {query['sql']}" for i, query in enumerate(captured, 1))
        raise AssertionError(f"{len(captured)} queries for {len(pks)} products, {n} expected:\n{made}")
