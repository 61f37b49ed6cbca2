"""For the shop's own tests: a local Neuroon, and assertions about feeds and what was recorded.

It can be imported without settings; the functions import what they need when they are called.
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
    """Return a context manager that sends nothing and yields what the block's changes would send.

    The app is switched on in the block. Each attribute of the outbox is built when it is read:

    - `products`: payloads by external id, `{"A": {"externalId": "A", "price": Decimal("10.00"), …}}`
    - `conversions`: reports of paid orders that a search led to, by order id
    - `rejected`: reasons why a product or an order would be kept back, by its id
    - `unlisted`: what is not to be in Neuroon, by external id
    - `changes`: (model label, primary key as text) of all that was recorded, in order

    What has no id of its own is named `label pk`. Use it with `with`, in a TestCase with
    `self.enterContext(neuroon_outbox())`, or as the fixture of `neuroon_django.testing.fixtures`.
    """
    from neuroon_django.testing.outbox import recorded

    return recorded()


def assert_feed_queries(feed: type[Feed[Any]], n: int) -> None:
    """Fail unless all products (at most 100) are built in exactly `n` queries, the load included.

    There have to be two products or more in the database, as different from each other as the shop's
    are: then a query that a method makes for each of them shows.
    """
    from neuroon_django.testing.queries import assert_queries

    assert_queries(feed, n)
