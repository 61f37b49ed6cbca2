"""The sandbox's conversions, and its stand-in for the widget's search."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest

from neuroon_django.testing.sandbox import Sandbox
from tests.contract.shop import (
    AMOUNT,
    BLANK,
    CONVERSION,
    NUMBER,
    SEARCH,
    TOKEN,
    Shop,
    check,
    conversion,
    error,
    product,
    search,
)


def test_the_first_conversion_of_an_order_counts(neuroon: Sandbox, shop: Shop) -> None:
    check(shop("POST", CONVERSION, conversion()), 200, {"status": "ok"})
    again = shop("POST", CONVERSION, conversion(orderValue=1))
    check(again, 200, {"status": "ok", "duplicate": True})
    stored = json.loads(json.dumps(conversion()), parse_float=Decimal)
    assert (neuroon.conversions, neuroon.duplicates) == ({"1001": stored}, 1)


def line(**fields: Any) -> dict[str, Any]:
    return conversion(conversions=[conversion()["conversions"][0] | fields])


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ([], ["the body must be an object"]),
        ({}, [f"{n} is required" for n in ("orderId", "orderValue", "currency", "conversions")]),
        (conversion(orderId=7), [f"orderId {BLANK}"]),
        (conversion(orderValue="24.98"), [f"orderValue {AMOUNT}"]),
        (conversion(orderValue=-1), [f"orderValue {AMOUNT}"]),
        (conversion(currency=""), ["currency must be three upper-case letters"]),
        (conversion(conversions=[]), ["conversions must be a list with at least one line"]),
        (conversion(conversions={}), ["conversions must be a list with at least one line"]),
        (conversion(conversions=["SKU-1"]), ["conversions must be a list with at least one line"]),
        (conversion(email="a@b.example"), ["email is not known"]),
        (line(productId=None), [f"conversions[0].productId {BLANK}"]),
        (line(searchLogId=""), ["conversions[0].searchLogId must be a string that is not empty"]),
        (line(quantity=0), ["conversions[0].quantity must be an integer of 1 or more"]),
        (line(quantity=True), ["conversions[0].quantity must be an integer of 1 or more"]),
        (line(lineTotal="1"), [f"conversions[0].lineTotal {NUMBER}"]),
        (line(customer="Ann"), ["conversions[0].customer is not known"]),
    ],
)
def test_a_conversion_that_is_not_right(
    neuroon: Sandbox, shop: Shop, body: Any, messages: list[str]
) -> None:
    check(shop("POST", CONVERSION, body), 400, error(400, messages[0], "", *messages))
    assert neuroon.conversions == {}


def test_search(neuroon: Sandbox, shop: Shop) -> None:
    neuroon.verified = True
    more = {"currency": "EUR", "imageUrl": "https://store.com/1.jpg", "brand": "Nike"}
    nike = product("A", name="Air Max", categories=["Shoes"], **more)
    shop.sync(nike, product("B", name="Sandal", price=5.5))
    token = shop("POST", TOKEN).json()["token"]
    sandal = product("B", name="Sandal", price=Decimal("5.5"), currency="USD")
    shown = product("A", name="Air Max", **more)
    queries = {"SHOES nike": [shown], "sandal": [sandal], "nike sandal": [], "": []}
    for query, results in queries.items():
        answer = search(shop, token, query)
        log = list(neuroon.searches)[-1]
        check(answer, 200, {"searchLogId": str(uuid.UUID(log)), "results": results})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert [*neuroon.searches.values()] == [*queries]
    neuroon.token_lifetime = 0
    for wrong in (token, "wt_unknown", ""):
        answer = search(shop, wrong, "x")
        check(answer, 401, error(401, "Invalid or expired widget token"))
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_browser_asks_first(shop: Shop) -> None:
    answer = shop("OPTIONS", SEARCH, headers={"X-Shop-API-Key": None})
    check(answer, 204, None)
    assert {name: value for name, value in answer.headers.items() if name.startswith("Acc")} == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Headers": "X-Widget-Token, Content-Type, Accept",
        "Access-Control-Allow-Methods": "GET, OPTIONS",
    }
