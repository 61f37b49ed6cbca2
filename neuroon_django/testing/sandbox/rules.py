"""What products and orders must look like: one rule per field.

They are stricter than Neuroon may be on purpose: what the app sends has to be what API.md asks for,
to the cent and in plain notation, and an order's payload has no room for personal data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

Payload = dict[str, Any]
Rule = tuple[Callable[[Any], Any], str]

CENT, TENTH = Decimal("0.01"), Decimal("0.1")


def _is_text(value: Any, least: int = 0, most: float = math.inf) -> bool:
    return isinstance(value, str) and len(value) <= most and len(value.strip()) >= least


def _is_number(value: Any) -> bool:
    if type(value) is Decimal:  # a number with an exponent has another quantum
        return value.same_quantum(CENT) or value.same_quantum(TENTH)
    return type(value) is int


def _are(kind: type, values: Any) -> bool:
    return isinstance(values, list) and set(map(type, values)) <= {kind}


def _like(pattern: str) -> Callable[[Any], Any]:
    match = re.compile(pattern).fullmatch
    return lambda value: isinstance(value, str) and match(value)


TEXT: Rule = (_is_text, "a string")
FILLED: Rule = (lambda v: _is_text(v, 1), "a string that is not blank")
OPAQUE: Rule = (lambda v: isinstance(v, str) and v, "a string that is not empty")
TEXTS: Rule = (lambda v: _are(str, v), "a list of strings")
URL: Rule = (_like(r"(?i:https?)://[^\s/?#]+\S*"), "an absolute http(s) address")
CURRENCY: Rule = (_like("[A-Z]{3}"), "three upper-case letters")
FLAG: Rule = (lambda v: isinstance(v, bool), "true or false")
NUMBER: Rule = (_is_number, "a number, exact to the cent")
AMOUNT: Rule = (lambda v: _is_number(v) and v >= 0, "a number of 0 or more, exact to the cent")

REQUIRED = ("externalId", "name", "price", "url")
SHOPS_FIELDS: Mapping[str, Rule] = {  # PROD; the limits are from docs
    "externalId": FILLED,
    "name": (lambda v: _is_text(v, 1, 512), "a string of 1 to 512 characters"),
    "price": AMOUNT,
    "url": URL,
    "description": (lambda v: _is_text(v, 0, 5000), "a string of at most 5000 characters"),
    "salePrice": AMOUNT,
    "currency": CURRENCY,
    "imageUrl": URL,
    "categories": TEXTS,
    "brand": TEXT,
    "tags": TEXTS,
    "inStock": FLAG,
    "stockQuantity": NUMBER,
}
PLUGIN_FIELDS: Mapping[str, Rule] = {  # docs
    **SHOPS_FIELDS,
    "brands": TEXTS,
    "sku": TEXT,
    "rating": (lambda v: _is_number(v) and 0 <= v <= 5, "a number from 0 to 5"),
    "reviewCount": (lambda v: type(v) is int and v >= 0, "an integer of 0 or more"),
    "isActive": FLAG,
    "parentExternalId": FILLED,
    "attributes": (lambda v: isinstance(v, dict) and _are(str, [*v.values()]), "an object of strings"),
}
ORDER_FIELDS: Mapping[str, Rule] = {
    "orderId": FILLED,
    "orderValue": AMOUNT,
    "currency": CURRENCY,
    "conversions": (lambda v: v and _are(dict, v), "a list with at least one line"),
}
LINE_FIELDS: Mapping[str, Rule] = {
    "productId": FILLED,
    "searchLogId": OPAQUE,
    "quantity": (lambda v: type(v) is int and v >= 1, "an integer of 1 or more"),
    "lineTotal": NUMBER,
}


def breaches(value: Payload, rules: Mapping[str, Rule], *, exact: bool = False) -> Iterator[str]:
    """Yield what is wrong with an object; an `exact` one has all these fields and no others."""
    required = rules if exact else REQUIRED
    yield from (f"{name} is required" for name in required if name not in value)
    for name, item in value.items():
        if name in rules:
            is_right, description = rules[name]
            if not is_right(item):
                yield f"{name} must be {description}"
        elif exact:
            yield f"{name} is not known"
        elif _holds_null(item):
            yield f"{name} must not hold null"


def _holds_null(value: Any) -> bool:
    """Return whether a value is null or holds one, however deep."""
    if isinstance(value, dict):
        return _holds_null(list(value.values()))
    if isinstance(value, list):
        return any(map(_holds_null, value))
    return value is None
