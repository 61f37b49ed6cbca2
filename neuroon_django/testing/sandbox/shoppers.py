"""What the shoppers' side of Neuroon answers: the widget's search, and the orders it led to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from .errors import Refusal
from .messages import Request
from .rules import LINE_FIELDS, ORDER_FIELDS, Payload, breaches
from .state import State
from .tokens import is_valid

MAX_RESULTS = 100
SHOWN = ("externalId", "name", "price", "currency", "url", "imageUrl", "brand")


def search(state: State, request: Request, data: Any) -> Payload:
    """Return the products in which each word of the query occurs; 401 without a valid token."""
    if not is_valid(state, request.headers.get("X-Widget-Token", "")):
        raise Refusal(401, "Invalid or expired widget token")
    query, search_log_id = request.query.get("q", ""), str(uuid4())
    state.searches[search_log_id] = query
    words = query.casefold().split()
    matches = [
        product for product in state.products.values() if words and matches_words(product, words)
    ]
    results = [
        {"currency": "USD"} | {name: product[name] for name in SHOWN if name in product}
        for product in matches[:MAX_RESULTS]
    ]
    return {"searchLogId": search_log_id, "results": results}


def matches_words(product: Payload, words: list[str]) -> bool:
    """Return whether each of these words, in lower case, occurs in the product's texts."""
    texts = [product["name"], product.get("brand", ""), *product.get("categories", [])]
    text = "\n".join(texts).casefold()
    return all(word in text for word in words)


def preflight(state: State, request: Request, data: Any) -> None:
    """Answer 204 to a browser that asks whether it may search."""


def conversion(state: State, request: Request, data: Any) -> Payload:
    """Keep the first report of an order; the others are counted as duplicates."""
    details = list(_order_breaches(data))
    if details:
        raise Refusal(400, details[0], details)
    first = data["orderId"] not in state.conversions
    state.conversions.setdefault(data["orderId"], data)
    state.stamp("conversion", data["orderId"])
    state.duplicates += not first
    return {"status": "ok"} if first else {"status": "ok", "duplicate": True}


def _order_breaches(data: Any) -> Iterator[str]:
    """Yield what is wrong with a report: with its own fields or, if they are right, its lines."""
    if not isinstance(data, dict):
        yield "the body must be an object"
        return
    own = list(breaches(data, ORDER_FIELDS, exact=True))
    yield from own
    for number, line in enumerate([] if own else data["conversions"]):
        for breach in breaches(line, LINE_FIELDS, exact=True):
            yield f"conversions[{number}].{breach}"
