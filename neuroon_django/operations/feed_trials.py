"""The verification's trial of the feeds: real products and a real order, built and not sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import DatabaseError, connections
from django.test.utils import CaptureQueriesContext

from neuroon_django.api import messages
from neuroon_django.clicks import Clicked, Name
from neuroon_django.conf import ShopConfig
from neuroon_django.feeds import (
    Invalid,
    OrderSource,
    ProductSource,
    Rendered,
    Source,
    Unlisted,
    Waiting,
    payload_context,
    registry,
)
from neuroon_django.operations.doubts import doubts
from neuroon_django.operations.problems import NO_FEED
from neuroon_django.operations.rejections import REASONS
from neuroon_django.operations.repeated_ids import CURE, repeated_ids
from neuroon_django.operations.steps import Result, Step
from neuroon_django.operations.wording import count, join, shorten

BATCH = 10  # listed products that are built
PAGE, MAX_WALKED = 50, 500  # products looked at to find the listed ones: at once, and at most
GONE = "it does not exist any more"
UNLISTED = "it is not listed"

S = TypeVar("S", bound=Source[Any])


class ClickedEverything(Clicked):
    """Clicks on every product there is."""

    def find(self, external_id: str, name: Name | None = None) -> tuple[str, str] | None:
        """Return a search for any product that has an id."""
        return (external_id, "search") if external_id else None


EVERYTHING = ClickedEverything({"*": "search"})


@dataclass
class Built:
    """What became of some products, by primary key as text, and how many queries that took."""

    payloads: dict[str, bytes]
    reasons: dict[str, str]  # of those that have no payload
    queries: int


def try_feeds(shop: ShopConfig) -> Iterator[Step]:
    """Build a product of each feed twice and count the queries; build an order of each order feed."""
    for products in registry.products(shop):
        yield _tried(products, _try_product_feed)
    yield from _repeated(shop)
    for orders in registry.orders(shop):
        yield _tried(orders, _try_order_feed)
    if not registry.products(shop):
        yield _warning("no product feed is registered", NO_FEED.cure)


def _repeated(shop: ShopConfig) -> Iterator[Step]:
    """Yield a warning for ids that several products have; what fails is told of its feed already."""
    with suppress(Exception):
        for text in repeated_ids(shop):
            yield _warning(text, CURE)


def _warning(text: str, cure: str = "", details: dict[str, Any] | None = None) -> Step:
    return Step("feeds", "warning", text, cure, details or {})


def _tried(source: S, attempt: Callable[[S], Step]) -> Step:
    """Return the attempt's step, or the database's own trouble as a failed one."""
    try:
        return attempt(source)
    except DatabaseError as error:
        text = f"{source.name}: {' '.join(str(error).split())}"
        return Step("feeds", "failed", text, "Run: manage.py migrate")


def _try_product_feed(source: ProductSource[Any]) -> Step:
    """Build ten listed products: it fails where none can be, and warns where some cannot."""
    name = source.name
    pks, walked = _listed(source)
    if not pks:
        none = f"none of the first {count(walked, 'product')} is listed"
        return _warning(f"{name}: {none if walked else 'the shop has no product yet'}")
    several = _build(source, pks)
    good = [pk for pk in pks if str(pk) in several.payloads]
    if len(good) < len(pks):
        return _failing(name, several, len(pks))
    return _compared(name, _build(source, good[:1]), several, str(good[0]))


def _listed(source: ProductSource[Any]) -> tuple[list[Any], int]:
    """Return the keys of the first listed products, and how many products that took."""
    found: list[Any] = []
    walked, after = 0, ""
    while len(found) < BATCH and walked < MAX_WALKED:
        pks = source.keys_after(after, PAGE)
        results = source.render_many(map(str, pks))
        found += [pk for pk in pks if not isinstance(results.get(str(pk)), Unlisted | None)]
        walked += len(pks)
        after = source.encode_cursor(pks[-1]) if len(pks) == PAGE else ""
        if not after:
            break
    return found[:BATCH], walked


def _failing(name: str, built: Built, number: int) -> Step:
    """Return the step where products cannot be sent: how many, and why."""
    failing = len(built.reasons)
    reasons = Counter(built.reasons.values()).most_common(REASONS)
    named = ", ".join(f"{n} × {shorten(reason)}" for reason, n in reasons)
    result: Result = "warning" if failing < number else "failed"
    text = f"{name}: {failing} of {count(number, 'listed product')} cannot be sent ({named})"
    return Step("feeds", result, text, _correct(name, "products", "scan"))


def _correct(name: str, noun: str, option: str) -> str:
    """Return what to look at where a feed cannot build something, and what to run then."""
    return (
        f"Correct that method or lookup of {name}, or the {noun}, "
        f"then run: manage.py neuroon_sync --{option}"
    )


def _build(source: ProductSource[Any], pks: list[Any]) -> Built:
    """Build these products, as one batch."""
    built = Built({}, {}, 0)
    with CaptureQueriesContext(connections[source.db_alias]) as captured:
        results = source.render_many(map(str, pks))
    for pk in map(str, pks):
        result = results.get(pk)
        if isinstance(result, Rendered):
            built.payloads[pk] = result.payload
        elif isinstance(result, Invalid):
            built.reasons[pk] = result.reason
        else:
            built.reasons[pk] = UNLISTED if result else GONE
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
    for other, built in several.payloads.items():
        for doubt in doubts(messages.decode(built)):
            return _warning(f"{name}: product {other}: {doubt.text}", doubt.cure, details)
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


def _try_order_feed(source: OrderSource[Any]) -> Step:
    """Build the latest order, a paid one if there is, as if a search had led to each of its lines."""
    name = source.name
    with payload_context(source.shop):
        latest = source.live_queryset().order_by("-pk").values_list("pk", flat=True)
        pks = list(latest[:BATCH])
        loaded = source.load(pks)
        results = {pk: source.report(loaded[str(pk)], EVERYTHING) for pk in pks if str(pk) in loaded}
    if not results:
        return Step("feeds", "ok", f"{name}: the shop has no order yet")
    paid = (pk for pk, result in results.items() if not isinstance(result, Waiting))
    pk = next(paid, next(iter(results)))
    result = results[pk]
    if isinstance(result, Invalid):
        text = f"{name}: {source.label} {pk}: {result.reason}"
        return _warning(text, _correct(name, "order", "retry"))
    body = None if isinstance(result, Waiting) else result.body
    if body is None:
        cure = "lines() must yield ConversionLine with a product of a feed and a quantity."
        return _warning(f"{name}: no line of order {pk} is reported", cure)
    text = f"{name}: order {pk} built, {count(len(body), 'byte')}"
    return Step("feeds", "ok", text, details={"payload": body.decode()})
