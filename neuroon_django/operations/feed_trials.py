"""The verification's trial of the feeds: real products and a real order, built and not sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import DatabaseError, connections
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from neuroon_django.api import messages
from neuroon_django.delivery import build, lines_of
from neuroon_django.exceptions import InvalidProduct
from neuroon_django.feeds import Feed, OrderFeed, ProductFeed, payload_context, registry
from neuroon_django.operations.steps import Step
from neuroon_django.operations.wording import count, join

BATCH = 10  # products built to see whether queries grow with their number
GONE = "it does not exist any more"

F = TypeVar("F", bound=Feed[Any])


class ClickedEverything(dict[str, str]):
    """Clicks on every product there is."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return a search's id for any product's id."""
        return "search" if key else default


@dataclass
class Built:
    """What became of some products, by primary key as text, and how many queries that took."""

    payloads: dict[str, bytes]
    reasons: dict[str, str]  # of those that have no payload
    queries: int


def try_feeds() -> Iterator[Step]:
    """Build a product of each feed twice and count the queries; build an order of each order feed."""
    for product_feed in registry.products():
        yield _tried(product_feed, _try_product_feed)
    for order_feed in registry.orders():
        yield _tried(order_feed, _try_order_feed)
    if not registry.products():
        cure = "Write <app>/neuroon.py with a ProductFeed and @register(Product)."
        yield _warning("no product feed is registered", cure)


def _warning(text: str, cure: str = "", details: dict[str, Any] | None = None) -> Step:
    return Step("feeds", "warning", text, cure, details or {})


def _tried(feed: F, attempt: Callable[[F], Step]) -> Step:
    """Return the attempt's step, or the database's own trouble as a failed one."""
    try:
        return attempt(feed)
    except DatabaseError as error:
        text = f"{type(feed).__name__}: {' '.join(str(error).split())}"
        return Step("feeds", "failed", text, "Run: manage.py migrate")


def _try_product_feed(feed: ProductFeed[Any]) -> Step:
    name = type(feed).__name__
    pks = list(feed.get_queryset().order_by("pk").values_list("pk", flat=True)[:BATCH])
    if not pks:
        return _warning(f"{name}: the shop has no product yet")
    pk = str(pks[0])
    one, several = _build(feed, pks[:1]), _build(feed, pks)
    if reason := one.reasons.get(pk) or several.reasons.get(pk):
        text = f"{name}: {feed.label} {pk}: {reason}"
        return _warning(text, _correct(name, "product", "scan"))
    return _compared(name, one, several, pk)


def _correct(name: str, noun: str, option: str) -> str:
    """Return what to look at where a feed cannot build something, and what to run then."""
    return (
        f"Correct that method or lookup of {name}, or the {noun}, "
        f"then run: manage.py neuroon_sync --{option}"
    )


def _build(feed: ProductFeed[Any], pks: list[Any]) -> Built:
    """Build these products, as one batch."""
    built = Built({}, {}, 0)
    with CaptureQueriesContext(connections[feed.get_queryset().db]) as captured, payload_context():
        loaded = feed.load(pks)
        for pk in map(str, pks):
            try:
                if pk in loaded:
                    built.payloads[pk] = feed.payload(loaded[pk])[1]
                else:
                    built.reasons[pk] = GONE
            except InvalidProduct as invalid:
                built.reasons[pk] = str(invalid)
    built.queries = len(captured)
    return built


def _compared(name: str, one: Built, several: Built, pk: str) -> Step:
    """Tell whether a payload is the same twice, and whether the number of queries is."""
    payload = one.payloads[pk]
    queries = count(one.queries, "query", "queries")
    details = {"queries": one.queries, "payload": payload.decode()}
    if differing := _differing(payload, several.payloads[pk]):
        verb = "differs" if len(differing) == 1 else "differ"
        text = f"{name}: {join(differing)} {verb} each time the product is built"
        return _warning(text, "It would be sent again and again: return the same value.", details)
    if several.queries > one.queries:
        number = len(several.payloads) + len(several.reasons)
        text = f"{name}: {queries} for one product, {several.queries} for {number}"
        return _warning(text, "Name the relations that its methods read in depends_on.", details)
    text = f"{name}: product {pk} built with {queries}, {count(len(payload), 'byte')}"
    return Step("feeds", "ok", text, details=details)


def _differing(first: bytes, again: bytes) -> list[str]:
    """Return the names of the fields that are not the same in both payloads."""
    one, other = messages.decode(first), messages.decode(again)
    return [name for name in one | other if one.get(name) != other.get(name)]


def _try_order_feed(feed: OrderFeed[Any]) -> Step:
    """Build the latest order, a paid one if there is, as if a search had led to each of its lines."""
    name = type(feed).__name__
    pks = list(feed.get_queryset().order_by("-pk").values_list("pk", flat=True)[:BATCH])
    loaded = feed.load(pks)
    orders = {pk: loaded[str(pk)] for pk in pks if str(pk) in loaded}
    if not orders:
        return Step("feeds", "ok", f"{name}: the shop has no order yet")
    pk = next(iter(orders))
    try:
        with payload_context():
            pk = next((pk for pk, order in orders.items() if feed.value("is_paid", order)), pk)
            body = _report(feed, orders[pk])
    except InvalidProduct as invalid:
        return _warning(f"{name}: {feed.label} {pk}: {invalid}", _correct(name, "order", "retry"))
    if body is None:
        cure = "lines() must yield ConversionLine with a product of a feed and a quantity."
        return _warning(f"{name}: no line of order {pk} is reported", cure)
    text = f"{name}: order {pk} built, {count(len(body), 'byte')}"
    return Step("feeds", "ok", text, details={"payload": body.decode()})


def _report(feed: OrderFeed[Any], order: Model) -> bytes | None:
    return build(feed, order, lines_of(feed, order), ClickedEverything())
