"""The sections of the sandbox's page, each rendered from the state; they are what a poll replaces."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import quote, urlsplit

from .markup import Markup, element, image, join
from .messages import MALFORMED, Request
from .rules import Payload
from .scenarios import SCENARIOS, current
from .shoppers import matches_words
from .state import State

MOST_SHOWN = 50
MOST_TOKENS = 5


def circle(state: State, query: str) -> Markup:
    """Return the five steps from a fresh shop to a conversion, and how far this shop is."""
    steps = [
        ("Domain", state.verified, "verified", "run neuroon_verify"),
        ("Catalogue", len(state.products), _count(len(state.products), "product"), "run neuroon_sync"),
        ("Widget", len(state.tokens), _count(len(state.tokens), "token"), "open a page of the shop"),
        (
            "Search",
            len(state.searches),
            _count(len(state.searches), "search", "es"),
            "type into the widget",
        ),
        (
            "Conversion",
            len(state.conversions),
            _count(len(state.conversions), "order"),
            "click a result, buy it, pay",
        ),
    ]
    return join(*(_step(name, bool(done), text if done else hint) for name, done, text, hint in steps))


def _step(name: str, done: bool, text: str) -> Markup:
    mark = element("span", "✓" if done else "", class_="mark", aria_hidden="true")
    unseen = element("span", "done: " if done else "to do: ", class_="unseen")
    words = element("span", unseen, text, class_="quiet")
    return element("li", mark, element("strong", name), words, class_="done" if done else None)


def faults(state: State, query: str) -> Markup:
    """Return a button for each scenario, and what to expect of the one at work."""
    at_work = current(state)
    buttons = (
        element(
            "button",
            scenario.label,
            type="button",
            data_scenario=name,
            data_key=f"scenario-{name}",
            aria_pressed="true" if name == at_work else "false",
        )
        for name, scenario in SCENARIOS.items()
    )
    expected = element("p", SCENARIOS[at_work].expected, class_="quiet", role="status")
    return join(element("div", *buttons, class_="pills"), expected)


def products(state: State, query: str) -> Markup:
    """Return the products that a search finds, all for an empty one, the last received first."""
    words = query.casefold().split()
    received = (name for kind, name in reversed(state.received) if kind == "product")
    kept = (state.products[name] for name in received if name in state.products)
    found = [product for product in kept if matches_words(product, words)]
    if not found:
        return _empty("No product fits." if words else "No products yet. Run neuroon_sync.")
    rows = (_product(state, product) for product in found[:MOST_SHOWN])
    return join(element("ul", *rows, class_="rows"), _rest(len(found), "product"))


def _product(state: State, product: Payload) -> Markup:
    external_id = product["externalId"]
    refused = isinstance(state.reject, Mapping) and external_id in state.reject
    name = element("a", product["name"], href=_web_address(product["url"]), class_="name")
    facts = [external_id, product.get("brand"), *product.get("categories", [])]
    about = element("span", " · ".join(filter(None, facts)), class_="quiet about")
    button = element(
        "button",
        "Refused" if refused else "Refuse",
        type="button",
        class_="small",
        data_scenario="normal" if refused else "product",
        data_product=None if refused else external_id,
        data_key=f"refuse-{external_id}",
        aria_pressed="true" if refused else "false",
    )
    price = element("span", _money(product, "salePrice" if "salePrice" in product else "price"))
    moment = _time(state.received["product", external_id])
    side = element("span", price, moment, class_="side")
    return element("li", _picture(product), element("span", name, about, class_="text"), side, button)


def _picture(product: Payload) -> Markup:
    address = _web_address(product.get("imageUrl", ""))
    picture = image(src=address, alt="", loading="lazy") if address else None
    return element("span", picture, class_="picture")


def conversions(state: State, query: str) -> Markup:
    """Return the orders that were reported, the last one first."""
    if not state.conversions:
        return _empty("None yet. Search in the shop, click a result, order it and pay.")
    orders = islice(reversed(state.conversions.values()), MOST_SHOWN)
    shown = element("ul", *(_order(state, order) for order in orders), class_="rows")
    repeated = state.duplicates and element(
        "p", f"{_count(state.duplicates, 'report')} of an order that was here already.", class_="quiet"
    )
    return join(shown, repeated or None, _rest(len(state.conversions), "order"))


def _order(state: State, order: Payload) -> Markup:
    head = element("strong", f"Order {order['orderId']}")
    lines = (
        element("span", *_line(state, line, order["currency"]), class_="quiet about")
        for line in order["conversions"]
    )
    moment = _time(state.received["conversion", order["orderId"]])
    side = element("span", element("span", _money(order, "orderValue")), moment, class_="side")
    return element("li", element("span", head, *lines, class_="text"), side)


def _line(state: State, line: Payload, currency: str) -> Iterator[object]:
    product = state.products.get(line["productId"], {"name": line["productId"]})
    yield f"{line['quantity']} × {product['name']}, {line['lineTotal']} {currency}, "
    searched = state.searches.get(line["searchLogId"])
    yield f"found by “{searched}”" if searched else "by a search that is not known here"


def requests(state: State, query: str) -> Markup:
    """Return the last requests; the body of one is asked for when it is opened."""
    last = list(enumerate(state.requests))[: -MOST_SHOWN - 1 : -1]
    if not last:
        return _empty("None yet.")
    rows = (_request(number, request) for number, request in last)
    return join(element("ul", *rows, class_="rows requests"), _rest(len(state.requests), "request"))


def _request(number: int, request: Request) -> Markup:
    wrong = request.status is None or request.status >= 400
    status = element("span", request.status or "none", class_="status wrong" if wrong else "status")
    about = _count(len(request.external_ids), "product") if request.external_ids else ""
    name = request.path if request.endpoint == "unknown" else request.endpoint
    texts = [name, about, f"fault: {request.fault}" if request.fault else ""]
    moment = _time(time.time() - time.monotonic() + request.started)
    took = element("span", f"{(request.ended - request.started) * 1000:,.1f} ms")
    text = element("span", " · ".join(filter(None, texts)), class_="text")
    summary = element("summary", status, text, element("span", took, moment, class_="side"))
    line = element("code", f"{request.method} {request.path}")
    body = element("pre", "…", data_body=number)
    return element("li", element("details", summary, line, body, data_key=f"request-{number}"))


def body_text(request: Request) -> str:
    """Return a request's body as a person reads it: its JSON indented, anything else as it is."""
    value = request.json
    if value is None or value is MALFORMED:
        return request.body.decode(errors="replace") or "(no body)"
    return json.dumps(value, default=float, ensure_ascii=False, indent=2)


def tokens(state: State, query: str) -> Markup:
    """Return the widget tokens that were issued last, and how long each is good for."""
    if not state.tokens:
        return _empty("None yet. The first page with the widget asks for one.")
    rows = (_token(state, token) for token in state.tokens[: -MOST_TOKENS - 1 : -1])
    return join(element("ul", *rows, class_="rows"), _rest(len(state.tokens), "token", MOST_TOKENS))


def _token(state: State, token: str) -> Markup:
    age = time.monotonic() - state.issued[token]
    left = (state.token_lifetime - age) / 3600
    validity = f"good for {left:.1f} h more" if left > 0 else "expired"
    text = element("span", element("code", f"{token[:14]}…"), class_="text")
    side = element("span", element("span", validity), _time(time.time() - age), class_="side")
    return element("li", text, side)


def _empty(text: str) -> Markup:
    return element("p", text, class_="empty")


def _rest(n: int, what: str, most: int = MOST_SHOWN) -> Markup | None:
    return (
        element("p", f"{_count(n, what)}, the last {most} shown.", class_="quiet") if n > most else None
    )


def _count(n: int, what: str, plural: str = "s") -> str:
    return f"{n:,} {what}{'' if n == 1 else plural}"


def _money(value: Payload, name: str) -> str:
    return f"{value[name]:,.2f} {value.get('currency', 'USD')}"


def _time(seconds: float) -> Markup:
    moment = time.localtime(seconds)
    iso = time.strftime("%Y-%m-%dT%H:%M:%S%z", moment)
    return element("time", time.strftime("%H:%M:%S", moment), datetime=iso, class_="quiet")


def _web_address(text: str) -> str | None:
    """Return an address that a browser may follow, percent-encoded, or None."""
    try:
        usable = urlsplit(text).scheme in {"http", "https"}
    except ValueError:
        return None
    return quote(text, safe=":/?#[]@!$&'()*+,;=%~") if usable else None


SECTIONS: Mapping[str, Callable[[State, str], Markup]] = {
    "circle": circle,
    "faults": faults,
    "products": products,
    "conversions": conversions,
    "requests": requests,
    "tokens": tokens,
}


def render(state: State, query: str) -> dict[str, Any]:
    """Return each section's HTML by its name."""
    return {name: section(state, query) for name, section in SECTIONS.items()}
