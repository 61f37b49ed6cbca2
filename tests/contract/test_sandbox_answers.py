"""Every shape of an answer and of an error that API.md names, as a style of the sandbox."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from neuroon_django.testing.sandbox import Sandbox
from tests.contract.shop import (
    ME,
    NOW,
    Shop,
    check,
    error,
    outcome,
    product,
    refused,
)

BAD = refused("A", "bad")
COUNTED = {"synced": 2, "created": 1, "updated": 1, "failed": 0, "errors": []}
ONE_FAILED = {"synced": 1, "created": 0, "updated": 1, "failed": 1, "errors": [BAD]}


def texts(counts: dict[str, Any]) -> dict[str, Any]:
    return {name: str(n) if isinstance(n, int) else n for name, n in counts.items()}


def floats(counts: dict[str, Any]) -> dict[str, Any]:
    return {name: Decimal(f"{n}.0") if isinstance(n, int) else n for name, n in counts.items()}


WHOLE_BATCH = (400, error(400, "bad", "", BAD))
# Style; status and body where all are accepted, and where one of two is refused.
STYLES: list[tuple[str, tuple[int, Any], tuple[int, Any]]] = [
    ("counts", (200, COUNTED), (200, ONE_FAILED)),
    ("created", (201, COUNTED), (201, ONE_FAILED)),
    ("data", (200, {"data": COUNTED}), (200, {"data": ONE_FAILED})),
    ("strings", (200, texts(COUNTED)), (200, texts(ONE_FAILED))),
    ("floats", (200, floats(COUNTED)), (200, floats(ONE_FAILED))),
    (
        "nulls",
        (200, dict.fromkeys(COUNTED)),
        (200, dict.fromkeys(COUNTED) | {"failed": 1, "errors": [BAD]}),
    ),
    (
        "created-updated",
        (200, {"created": 1, "updated": 1}),
        (200, {"created": 0, "updated": 1, "failed": 1, "errors": [BAD]}),
    ),
    (
        "success",
        (200, {"success": True, "productsCount": 2}),
        (200, {"success": False, "productsCount": 1, "errors": [BAD]}),
    ),
    ("job", (202, {"jobId": "job_1", "status": "QUEUED"}), WHOLE_BATCH),
    ("no-content", (204, None), WHOLE_BATCH),
    ("empty", (200, None), WHOLE_BATCH),
]


@pytest.mark.parametrize(("style", "fine", "partly"), STYLES, ids=[style for style, *_ in STYLES])
def test_the_styles_of_an_answer(
    neuroon: Sandbox, shop: Shop, style: str, fine: tuple[int, Any], partly: tuple[int, Any]
) -> None:
    shop.sync(product("B"))
    neuroon.answer_style = style
    check(shop.sync(product("B"), product("A")), *fine)
    assert neuroon.products.keys() == {"A", "B"}
    neuroon.reset()
    neuroon.products["B"] = product("B")
    neuroon.reject = {"A": "bad"}
    check(shop.sync(product("B", name="Boot"), product("A")), *partly)
    taken = partly[0] != 400
    assert neuroon.products == {"B": product("B", name="Boot" if taken else "Shoe")}


ELEMENTS: list[tuple[str, Any]] = [
    ("externalId", [refused("A", "price is bad")]),
    ("external_id", [{"external_id": "A", "message": "price is bad"}]),
    ("id", [{"id": "A", "message": "price is bad"}]),
    ("index", [{"index": 1, "message": "price is bad"}]),
    ("field", [{"field": "products[1].price", "message": "is bad"}]),
    ("text", ["A: price is bad"]),
    ("text-inside", ["price is bad (product A)"]),
    ("object", {"A": "price is bad"}),
    ("none", []),
]


@pytest.mark.parametrize(("style", "errors"), ELEMENTS, ids=[style for style, _ in ELEMENTS])
def test_the_elements_of_errors(neuroon: Sandbox, shop: Shop, style: str, errors: Any) -> None:
    neuroon.reject, neuroon.error_style = {"A": "price is bad"}, style
    check(shop.sync(product("B"), product("A")), 200, outcome(1) | {"failed": 1, "errors": errors})


@pytest.mark.parametrize(
    ("reasons", "message"),
    [
        (["price is bad"], "products[0].price: is bad"),
        (["price is bad", "forbidden"], "products[0].price: is bad, products[1]: forbidden"),
    ],
)
def test_a_400_that_joins_what_is_wrong(
    neuroon: Sandbox, shop: Shop, reasons: list[str], message: str
) -> None:
    neuroon.error_style = "reject-field"
    neuroon.reject = dict(zip("AB", reasons, strict=False))
    check(shop.sync(product("A"), product("B")), 400, error(400, message))
    assert neuroon.products == {}


def test_a_warning_beside_counts_that_include_the_product(neuroon: Sandbox, shop: Shop) -> None:
    neuroon.warn = {"A": "the image is small"}
    warned = outcome(2) | {"errors": [refused("A", "the image is small")]}
    check(shop.sync(product("A"), product("B")), 200, warned)
    assert neuroon.products.keys() == {"A", "B"}
    neuroon.error_style = "object"
    shown = outcome(0, 1) | {"errors": {"A": "the image is small"}}
    check(shop.sync(product("A")), 200, shown)


MESSAGE = "Sandbox fault 429"
ENVELOPE = {"timestamp": NOW, "status": 429, "error": "Too Many Requests", "message": MESSAGE}
LIMITED = {"error": "rate_limit_exceeded", "message": MESSAGE, "retryAfter": 7, "limit": 100}
BODIES: list[tuple[str, str, Any]] = [
    ("code", "application/json", {"code": "VALIDATION_ERROR", "message": MESSAGE, "details": []}),
    ("envelope", "application/json", ENVELOPE | {"path": ME}),
    ("limit", "application/json", LIMITED | {"remaining": 0, "timestamp": NOW}),
    ("by-status", "application/json", LIMITED | {"remaining": 0, "timestamp": NOW}),
    (
        "nested",
        "application/json",
        {"error": {"code": "TOO_MANY_REQUESTS", "message": MESSAGE, "retryAfter": 7}},
    ),
    (
        "problem",
        "application/problem+json",
        {
            "type": "about:blank",
            "title": "Too Many Requests",
            "status": 429,
            "detail": MESSAGE,
            "instance": ME,
        },
    ),
]


@pytest.mark.parametrize(("style", "content_type", "body"), BODIES, ids=[style for style, *_ in BODIES])
def test_the_shapes_of_an_error(
    neuroon: Sandbox, shop: Shop, style: str, content_type: str, body: Any
) -> None:
    neuroon.error_body = style
    neuroon.fault("status", status=429, headers={"Retry-After": "7"})
    answer = shop("GET", ME)
    check(answer, 429, body)
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Retry-After"] == "7"


def test_errors_that_are_no_json(neuroon: Sandbox, shop: Shop) -> None:
    neuroon.error_body = "text"
    answer = shop("POST", "/no")
    assert (answer.status_code, answer.text) == (404, "No such endpoint")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    neuroon.error_body = "html"
    answer = shop("POST", "/no")
    assert answer.text.startswith("<!doctype html>")
    assert "404 Not Found" in answer.text
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text)
