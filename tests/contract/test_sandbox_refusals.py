"""What the sandbox refuses as a whole, by what every endpoint or one of them asks for."""

from __future__ import annotations

from typing import Any

import pytest

from neuroon_django.testing.sandbox import Sandbox
from tests.contract.shop import (
    BARE_SYNC,
    CONVERSION,
    LIST,
    ME,
    PLUGIN,
    SYNC,
    TOKEN,
    VERIFY,
    Shop,
    check,
    error,
    product,
    wrapped,
)

WRAPPED = 'The body must be {"syncType": "INCREMENTAL", "products": [...]}'
BARE, MANY = "The body must be a list of products", "From 1 to 100 products per request"
NOT_JSON, NOT_MINE = "Content-Type must be application/json", "Not a shop of this API key"
ORIGIN, HOME = "Origin does not match the shop's URL", "The domain does not match the shop's URL"
TAKEN, MISSING = "The domain is already verified by another shop", "No such endpoint"
MINE = {"shop_url": "https://mystore.com"}
DOMAIN = {"domain": "https://mystore.com"}

# Settings, method, path, body, headers; status and message of the answer.
REFUSED: list[tuple[dict[str, Any], str, str, Any, dict[str, Any], int, str]] = [
    ({}, "GET", ME, None, {"X-Shop-API-Key": None}, 401, "Missing API key"),
    ({}, "GET", ME, None, {"X-Shop-API-Key": "sk_other"}, 401, "Invalid API key"),
    *(
        ({}, method, path.replace("shop_sandbox", "other"), None, {}, status, NOT_MINE)
        for method, path, status in [
            ("POST", VERIFY, 404),
            ("GET", f"{PLUGIN}/verification-data", 403),
            ("POST", SYNC, 403),
            ("POST", BARE_SYNC, 403),
            ("GET", LIST, 403),
            ("DELETE", f"{PLUGIN}/products/1", 403),
            ("POST", TOKEN, 403),
            ("POST", CONVERSION, 403),
        ]
    ),
    (MINE, "GET", ME, None, {"Origin": "https://elsewhere.com"}, 403, ORIGIN),
    (MINE, "GET", ME, None, {"Origin": "https://mystore.com:8000"}, 403, ORIGIN),
    *(
        (MINE, "GET", ME, None, {"Origin": origin}, 403, ORIGIN)
        for origin in ("null", "https://MyStore.com", "https://mystore.com//", "https://m.mystore.com")
    ),
    ({}, "GET", "/no", None, {}, 404, MISSING),
    ({}, "GET", "/_sandbox/other", None, {}, 404, MISSING),
    ({}, "PUT", SYNC, None, {}, 405, MISSING),
    ({"routes": ["plugin"]}, "POST", BARE_SYNC, [product()], {}, 404, MISSING),
    ({"routes": ["plugin"]}, "DELETE", f"{LIST}/SKU-1", None, {}, 404, MISSING),
    ({"routes": ["shops"]}, "POST", SYNC, wrapped([product()]), {}, 404, MISSING),
    ({"routes": ["shops"]}, "DELETE", f"{PLUGIN}/products/SKU-1", None, {}, 404, MISSING),
    ({}, "POST", SYNC, b"[]", {"Content-Type": "text/plain"}, 415, NOT_JSON),
    ({}, "POST", SYNC, b"[]", {"Content-Type": None}, 415, NOT_JSON),
    *(
        ({}, "POST", SYNC, body, {}, 400, "Malformed JSON")
        for body in (b"{", b'[{"price": NaN}]', b"\xff", b"[" * 100_000, b'["\\ud83d"]', b'["\\uD83D"]')
    ),
    ({}, "POST", SYNC, None, {}, 400, WRAPPED),
    ({}, "POST", SYNC, [product()], {}, 400, WRAPPED),
    ({}, "POST", SYNC, {"products": [product()]}, {}, 400, WRAPPED),
    ({}, "POST", SYNC, wrapped([product()], syncType="FULL"), {}, 400, WRAPPED),
    ({}, "POST", SYNC, wrapped({}), {}, 400, WRAPPED),
    ({}, "POST", SYNC, wrapped([product()], more=1), {}, 400, WRAPPED),
    ({}, "POST", SYNC, wrapped([]), {}, 400, MANY),
    ({}, "POST", SYNC, wrapped([product()] * 101), {}, 400, MANY),
    ({}, "POST", BARE_SYNC, wrapped([product()]), {}, 400, BARE),
    ({}, "POST", BARE_SYNC, [], {}, 400, MANY),
    ({}, "POST", BARE_SYNC, [product()] * 101, {}, 400, MANY),
    ({}, "DELETE", f"{PLUGIN}/products/A", None, {}, 404, "Product not found"),
    ({}, "GET", f"{LIST}?page=-1", None, {}, 400, "page must be an integer of 0 or more"),
    ({}, "GET", f"{LIST}?page=x", None, {}, 400, "page must be an integer of 0 or more"),
    ({}, "GET", f"{LIST}?size=0", None, {}, 400, "size must be an integer of 1 or more"),
    ({}, "GET", f"{LIST}?sort=colour", None, {}, 400, "cannot sort by colour"),
    (MINE, "POST", VERIFY, {"domain": "https://elsewhere.com"}, {}, 403, HOME),
    (MINE | {"conflict": True}, "POST", VERIFY, DOMAIN, {}, 409, TAKEN),
    ({}, "POST", TOKEN, None, {}, 403, "The domain is not verified"),
]


@pytest.mark.parametrize(
    ("settings", "method", "path", "body", "headers", "status", "message"), REFUSED
)
def test_what_is_refused(
    settings: dict[str, Any], method: str, path: str, body: Any, headers: Any, status: int, message: str
) -> None:
    with Sandbox(**settings) as neuroon:
        response = Shop(neuroon)(method, path, body, headers=headers)
        check(response, status, error(status, message, path.partition("?")[0]))
        assert (neuroon.products, neuroon.tokens, neuroon.domains) == ({}, [], [])
        assert neuroon.verified is False


@pytest.mark.parametrize(
    "origin", ["https://mystore.com", "http://mystore.com", "https://www.mystore.com/", "mystore.com"]
)
def test_an_origin_of_the_shop(neuroon: Sandbox, shop: Shop, origin: str) -> None:
    neuroon.shop_url = "https://www.mystore.com/"
    assert shop("GET", ME, headers={"Origin": origin}).status_code == 200


def test_another_key_from_now_on(neuroon: Sandbox, shop: Shop) -> None:
    old, neuroon.api_key = neuroon.api_key, "sk_new"
    assert shop("GET", ME, headers={"X-Shop-API-Key": old}).status_code == 401
    assert shop("GET", ME).status_code == 200
    assert [received.key_ok for received in neuroon.requests] == [False, True]
