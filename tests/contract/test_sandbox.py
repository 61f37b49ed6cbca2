"""The local Neuroon against its contract: API.md and the two primary documents, over sockets."""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Iterator
from decimal import Decimal
from string import Template
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from neuroon_django.testing.sandbox import Sandbox, limits
from tests.contract.shop import (
    BARE_SYNC,
    CONVERSION,
    LIST,
    ME,
    NOW,
    PLUGIN,
    SEARCH,
    SYNC,
    TOKEN,
    VERIFY,
    Shop,
    check,
    conversion,
    error,
    outcome,
    product,
    refused,
    search,
    wrapped,
)

# The primary documents' own examples, verbatim

PROD_BODY = b"""[
  {
    "externalId": "SKU-001",
    "name": "Nike Air Max Shoes",
    "description": "Classic running shoes",
    "price": 129.99,
    "salePrice": 99.99,
    "currency": "USD",
    "url": "https://store.com/nike-air-max",
    "imageUrl": "https://store.com/images/nike.jpg",
    "categories": ["sports", "shoes"],
    "brand": "Nike",
    "tags": ["running", "casual"],
    "inStock": true,
    "stockQuantity": 25
  }
]"""
PROD_LIST = ["content", "page", "size", "totalElements", "totalPages"]
PROD_LISTED = ["id", "externalId", "name", "price", "inStock", "createdAt"]
PROD_ANSWER = ["synced", "created", "updated", "failed", "errors"]
PROD_CURL = r"""curl -X POST https://api.neuroon.ai/api/shops/shop_123/products/sync \
  -H "X-Shop-API-Key: sk_live_abc123" \
  -H "Content-Type: application/json" \
  -d '[
    {
      "externalId": "SKU-001",
      "name": "Product 1",
      "price": 49.99,
      "url": "https://store.com/product-1"
    },
    {
      "externalId": "SKU-002",
      "name": "Product 2",
      "price": 79.99,
      "url": "https://store.com/product-2"
    }
  ]'"""
S2S_VERIFY = r"""curl -X POST "$NEUROON_API_URL/api/plugin/shops/$NEUROON_SHOP_ID/verify" \
-H "X-Shop-API-Key: $NEUROON_API_KEY" \
-H "Content-Type: application/json" \
-H "Origin: https://mystore.com" \
-d '{"domain":"https://mystore.com"}'"""
S2S_DATA = r"""curl "$NEUROON_API_URL/api/plugin/shops/$NEUROON_SHOP_ID/verification-data" \
-H "X-Shop-API-Key: $NEUROON_API_KEY" """


def curl(command: str, neuroon: Sandbox) -> requests.Response:
    """The documented command line, sent by `requests`."""
    command = command.replace("https://api.neuroon.ai", neuroon.url).replace("\\\n", " ")
    words = shlex.split(Template(command).substitute(neuroon.settings()))[1:]
    flags = [n for n, word in enumerate(words) if word in {"-X", "-H", "-d"}]
    (url,) = {*words} - {words[n] for flag in flags for n in (flag, flag + 1)}
    given = [(words[n], words[n + 1]) for n in flags]
    headers = dict(value.split(": ", 1) for flag, value in given if flag == "-H")
    method, body = dict(given).get("-X", "GET"), dict(given).get("-d")
    return requests.request(method, url, headers=headers, data=body, timeout=10)


@pytest.fixture
def documented() -> Iterator[Sandbox]:
    shop_url = "https://mystore.com"
    with Sandbox(shop_id="shop_123", api_key="sk_live_abc123", shop_url=shop_url) as neuroon:
        yield neuroon


def test_the_curl_of_the_products_page(documented: Sandbox) -> None:
    response = curl(PROD_CURL, documented)
    check(response, 200, outcome(2))
    assert list(response.json()) == PROD_ANSWER
    one, two = json.loads(PROD_CURL.split("'")[1], parse_float=Decimal)
    assert documented.products == {"SKU-001": one, "SKU-002": two}


def test_the_bodies_of_the_products_page(neuroon: Sandbox, shop: Shop) -> None:
    check(shop("POST", BARE_SYNC, PROD_BODY), 200, outcome(1))
    assert neuroon.products == {"SKU-001": json.loads(PROD_BODY, parse_float=Decimal)[0]}
    assert neuroon.products["SKU-001"]["price"] == Decimal("129.99")
    shown = shop("GET", LIST).json()
    assert (list(shown), list(shown["content"][0])) == (PROD_LIST, PROD_LISTED)
    check(shop("DELETE", f"{LIST}/SKU-001"), 200, {"deleted": True})


def test_the_curls_of_the_server_to_server_page(documented: Sandbox) -> None:
    before, verified, after = (curl(c, documented) for c in (S2S_DATA, S2S_VERIFY, S2S_DATA))
    code = before.json()["verificationCode"]
    text = "POST the storefront's domain to /verify."
    check(before, 200, {"verificationCode": code, "instructions": text, "verified": False})
    shown = {"shopId": "shop_123", "verificationCode": code, "name": "Sandbox shop"}
    check(verified, 200, shown | {"domain": "https://mystore.com"})
    check(after, 200, {"verificationCode": code, "instructions": text, "verified": True})
    assert documented.domains == ["https://mystore.com"]


def test_the_token_of_the_server_to_server_page(neuroon: Sandbox, shop: Shop) -> None:
    neuroon.verified = True
    issued = [shop("POST", TOKEN, headers={"User-Agent": "my-app/1.0"}) for _ in range(3)]
    for response, token in zip(issued, neuroon.tokens, strict=True):
        check(response, 201, {"token": token})
        assert search(shop, token, "x").status_code == 200  # the older ones live on
    assert len(set(neuroon.tokens)) == 3
    assert (neuroon.requests[0].headers["User-Agent"], neuroon.requests[0].body) == ("my-app/1.0", b"")


# What is refused as a whole: settings, method, path, body, headers, status, message, details

WRAPPED = 'The body must be {"syncType": "INCREMENTAL", "products": [...]}'
BARE, MANY = "The body must be a list of products", "From 1 to 100 products per request"
NOT_JSON, NOT_MINE = "Content-Type must be application/json", "Not a shop of this API key"
ORIGIN, HOME = "Origin does not match the shop's URL", "The domain does not match the shop's URL"
TAKEN, MISSING = "The domain is already verified by another shop", "No such endpoint"
ROW = ("settings", "method", "path", "body", "headers", "status", "message")
MINE = {"shop_url": "https://mystore.com"}
DOMAIN = {"domain": "https://mystore.com"}

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
    (MINE, "GET", ME, None, {"Origin": "null"}, 403, ORIGIN),
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
    (
        MINE | {"conflict": True},
        "POST",
        VERIFY,
        DOMAIN,
        {},
        409,
        "The domain is already verified by another shop",
    ),
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
    "origin", ["https://mystore.com", "http://mystore.com", "https://www.MyStore.com/"]
)
def test_an_origin_of_the_shop(neuroon: Sandbox, shop: Shop, origin: str) -> None:
    neuroon.shop_url = "https://www.mystore.com/"
    assert shop("GET", ME, headers={"Origin": origin}).status_code == 200


def test_another_key_from_now_on(neuroon: Sandbox, shop: Shop) -> None:
    old, neuroon.api_key = neuroon.api_key, "sk_new"
    assert shop("GET", ME, headers={"X-Shop-API-Key": old}).status_code == 401
    assert shop("GET", ME).status_code == 200
    assert [received.key_ok for received in neuroon.requests] == [False, True]


# Products

AMOUNT, NUMBER = (
    "must be a number of 0 or more, exact to the cent",
    "must be a number, exact to the cent",
)
BLANK, ADDRESS = "must be a string that is not blank", "must be an absolute http(s) address"
TEXTS, NAME = "must be a list of strings", "must be a string of 1 to 512 characters"
EITHER_ROUTE = [
    *(("externalId", value, BLANK) for value in ("", " ", 7)),
    *(("name", value, NAME) for value in (" ", "x" * 513, None)),
    ("description", "x" * 5001, "must be a string of at most 5000 characters"),
    *(("price", value, AMOUNT) for value in ("9.99", True, -1, 9.999, 1e20, 1e-7)),
    ("salePrice", None, AMOUNT),
    ("currency", "eur", "must be three upper-case letters"),
    *(("url", value, ADDRESS) for value in ("/p/1", "ftp://store.com/1")),
    ("imageUrl", "https:///x.jpg", ADDRESS),
    *(("categories", value, TEXTS) for value in ("shoes", [None])),
    ("tags", [1], TEXTS),
    ("brand", ["Nike"], "must be a string"),
    ("inStock", 1, "must be true or false"),
    *(("stockQuantity", value, NUMBER) for value in ("7", False)),
    *(("season", value, "must not hold null") for value in (None, [None], {"a": [{"b": None}]})),
]
PLUGIN_ROUTE = [
    ("brands", "Nike", TEXTS),
    ("sku", 7, "must be a string"),
    *(("rating", value, "must be a number from 0 to 5") for value in (5.1, -1)),
    ("reviewCount", 1.5, "must be an integer of 0 or more"),
    ("isActive", "yes", "must be true or false"),
    ("attributes", {"size": 44}, "must be an object of strings"),
    ("parentExternalId", "none", "none is not known"),
]


@pytest.mark.parametrize(("field", "value", "want"), EITHER_ROUTE + PLUGIN_ROUTE)
def test_a_field_that_is_not_right(
    neuroon: Sandbox, shop: Shop, field: str, value: Any, want: str
) -> None:
    batch = [bad := product(**{"external_id": "bad", field: value}), product("good")]
    named = bad["externalId"] if isinstance(bad["externalId"], str) else None
    wrong = outcome(1, 0, refused(named, f"{field} {want}"))
    check(shop.sync(*batch), 200, wrong)
    assert neuroon.products == {"good": product("good")}
    neuroon.reset()
    fine = (field, value, want) in PLUGIN_ROUTE
    check(shop("POST", BARE_SYNC, batch), 200, outcome(2) if fine else wrong)
    assert neuroon.products == {"good": product("good")} | ({"bad": product("bad")} if fine else {})


@pytest.mark.parametrize("field", ["externalId", "name", "price", "url"])
def test_a_field_that_is_missing(shop: Shop, field: str) -> None:
    partial = {name: value for name, value in product().items() if name != field}
    named = None if field == "externalId" else "SKU-1"
    check(shop.sync(partial), 200, outcome(0, 0, refused(named, f"{field} is required")))


def test_what_is_no_product(shop: Shop) -> None:
    check(shop.sync("SKU-1"), 200, outcome(0, 0, refused(None, "a product must be an object")))
    exponent = json.dumps([product(price="1e1")]).replace('"1e1"', "1e1").encode()
    check(shop("POST", BARE_SYNC, exponent), 200, outcome(0, 0, refused("SKU-1", f"price {AMOUNT}")))


def test_created_and_updated(neuroon: Sandbox, shop: Shop) -> None:
    new = product("B", name="Größe/靴 👟")
    headers = {"Content-Type": "application/json; charset=utf-8"}
    check(shop.sync(product("A"), product("B"), headers=headers), 200, outcome(2))
    check(shop.sync(new, product("C"), product("C")), 200, outcome(1, 2))
    assert neuroon.products == {"A": product("A"), "B": new, "C": product("C")}
    check(shop.sync(*(product(str(n)) for n in range(100))), 200, outcome(100))


def test_the_plugin_route_keeps_unknown_fields_and_the_shops_route_drops_them(
    neuroon: Sandbox, shop: Shop
) -> None:
    more = product(brand="Nike", brands=["Nike"], sku="1", rating=4.5, season="summer")
    check(shop.sync(more), 200, outcome(1))
    assert neuroon.products == {"SKU-1": more}
    check(shop("POST", BARE_SYNC, [more]), 200, outcome(0, 1))
    assert neuroon.products == {"SKU-1": product(brand="Nike")}


def test_what_speaks_against_a_product_that_is_right(neuroon: Sandbox, shop: Shop) -> None:
    child = product("child", parentExternalId="parent")
    check(shop.sync(product("parent"), child), 200, outcome(2))
    neuroon.reject = {"A": "forbidden"}
    check(shop.sync(product("A"), product("B")), 200, outcome(1, 0, refused("A", "forbidden")))
    neuroon.reject = lambda payload: "too dear" if payload["price"] > 10 else None
    dear = product("C", price=11)
    check(shop.sync(product("A"), dear), 200, outcome(1, 0, refused("C", "too dear")))
    neuroon.reject, neuroon.max_products = None, 5
    full = refused("D", "the plan allows 5 products")
    check(shop.sync(dear, product("D"), product("A")), 200, outcome(1, 1, full))


@pytest.mark.parametrize(
    ("style", "status", "errors"),
    [
        ("externalId", 200, [refused("A", "bad")]),
        ("index", 200, [{"index": 1, "message": "bad"}]),
        ("text", 200, ["A: bad"]),
        ("none", 200, []),
        ("reject", 400, []),
        ("reject-named", 400, [refused("A", "bad")]),
    ],
)
def test_the_styles_of_an_error(
    neuroon: Sandbox, shop: Shop, style: str, status: int, errors: list[Any]
) -> None:
    neuroon.reject, neuroon.error_style = {"A": "bad"}, style
    whole, partly = error(400, "bad", "", *errors), outcome(1) | {"failed": 1, "errors": errors}
    check(shop.sync(product("B"), product("A")), status, whole if status == 400 else partly)
    assert neuroon.products == ({} if status == 400 else {"B": product("B")})
    assert shop.sync(product("B")).status_code == 200


def test_the_list_page_by_page(neuroon: Sandbox, shop: Shop) -> None:
    shop.sync(*(product(f"SKU-{n}", price=n, name=f"N{9 - n}") for n in (1, 3)))
    neuroon.products["SKU-2"] = product("SKU-2", price=Decimal("2.50"), name="N7")  # by hand
    shop.sync(product("SKU-3", price=3, inStock=False, name="N6"))

    def row(number: int, n: int, price: Any, in_stock: bool = True) -> dict[str, Any]:
        shown = {"id": f"prod_{number}", "externalId": f"SKU-{n}", "name": f"N{9 - n}"}
        return shown | {"price": price, "inStock": in_stock, "createdAt": NOW}

    one, three, two = row(1, 1, 1), row(2, 3, 3, False), row(3, 2, Decimal("2.5"))
    for query, page, size, pages, content in [
        ("", 0, 20, 1, [one, three, two]),
        ("?page=0&size=2", 0, 2, 2, [one, three]),
        ("?page=1&size=2", 1, 2, 2, [two]),
        ("?page=9&size=1000", 9, 100, 1, []),
        ("?sort=externalId", 0, 20, 1, [one, two, three]),
        ("?sort=name", 0, 20, 1, [three, two, one]),
    ]:
        shown = {"content": content, "page": page, "size": size}
        check(shop("GET", LIST + query), 200, shown | {"totalElements": 3, "totalPages": pages})
    neuroon.reset()
    empty = {"content": [], "page": 0, "size": 20, "totalElements": 0, "totalPages": 0}
    check(shop("GET", LIST), 200, empty)


@pytest.mark.parametrize(
    ("settings", "path", "sent", "statuses", "named"),
    [
        ({}, f"{PLUGIN}/products/a%2Fb%20%C3%BC%25", "a/b ü%", [204, 404], ["a/b ü%", "a/b ü%"]),
        ({}, f"{PLUGIN}/products/sync", "sync", [204, 404], ["sync", "sync"]),
        ({}, f"{PLUGIN}/products/prod_1", "A", [404, 404], ["prod_1", "prod_1"]),
        ({}, f"{LIST}/A", "A", [200, 404], ["A", "A"]),
        ({}, f"{LIST}/prod_1", "A", [200, 404], ["A", "prod_1"]),
        ({"shops_delete_by": "id"}, f"{LIST}/A", "A", [404, 404], ["A", "A"]),
        ({"shops_delete_by": "id"}, f"{LIST}/prod_1", "A", [200, 404], ["A", "prod_1"]),
    ],
)
def test_delete(
    settings: dict[str, Any], path: str, sent: str, statuses: list[int], named: list[str]
) -> None:
    with Sandbox(**settings) as neuroon:
        shop = Shop(neuroon)
        shop.sync(product(sent))
        for status in statuses:
            answers = {200: {"deleted": True}, 204: None, 404: error(404, "Product not found", path)}
            check(shop("DELETE", path), status, answers[status])
        assert (sent in neuroon.products) is (statuses[0] == 404)
        assert [r.external_ids for r in neuroon.requests_to("delete")] == [(n,) for n in named]
        shop.sync(product(sent))  # what comes back has another id
        assert neuroon.identify(sent)[0] == ("prod_1" if statuses[0] == 404 else "prod_2")


# The domain, conversions, limits, and the stand-in for the widget


def test_verify_and_unverify(neuroon: Sandbox, shop: Shop) -> None:
    domains = ["http://localhost:8000", "www.localhost:8000/"]
    for domain in domains:
        assert shop("POST", VERIFY, {"domain": domain}).json()["domain"] == domain
    assert (neuroon.verified, neuroon.domains) == (
        True,
        ["http://localhost:8000", "www.localhost:8000/"],
    )
    check(shop("DELETE", VERIFY), 204, None)
    assert neuroon.verified is False
    neuroon.staging = True
    answer = shop(
        "POST", VERIFY, {"domain": "https://b.example"}, headers={"Origin": "https://b.example"}
    )
    assert (answer.status_code, neuroon.domains[-1]) == (200, "https://b.example")


@pytest.mark.parametrize("body", [{"url": "http://localhost:8000"}, {"domain": " "}, {}, []])
def test_verify_without_a_domain(shop: Shop, body: Any) -> None:
    refusal = error(400, "domain must not be blank", "", "domain: must not be blank")
    check(shop("POST", VERIFY, body), 400, refusal)


def test_me(shop: Shop) -> None:
    shop.sync(product())
    shown = {"shopId": "shop_sandbox", "name": "Sandbox shop", "plan": "sandbox"}
    check(shop("GET", ME), 200, shown | {"maxProducts": 1_000_000, "productCount": 1})


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
        (line(searchLogId=""), [f"conversions[0].searchLogId {BLANK}"]),
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


class Clock:
    moment = 1000.0

    def monotonic(self) -> float:
        return self.moment


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def standing(response: requests.Response) -> tuple[int, str | None, str | None, str | None]:
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "Retry-After")
    limit, remaining, after = (response.headers.get(name) for name in names)
    return response.status_code, limit, remaining, after


def test_over_the_limit(neuroon: Sandbox, shop: Shop, clock: Clock) -> None:
    assert standing(shop("GET", LIST)) == (200, None, None, None)
    neuroon.rate_limit = 2
    answers = [shop.sync(product()) for _ in range(3)]
    limited = [(200, "2", "1", None), (200, "2", "0", None), (429, "2", "0", "60")]
    assert [standing(answer) for answer in answers] == limited
    assert answers[2].json() == {
        "error": "rate_limit_exceeded",
        "message": "Rate limit exceeded. Retry after 60 seconds.",
        "retryAfter": 60,
        "limit": 2,
        "remaining": 0,
        "timestamp": NOW,
    }
    assert standing(shop("GET", LIST)) == (200, "2", "1", None)
    assert standing(shop("POST", CONVERSION, {})) == (400, "2", "1", None)


@pytest.mark.parametrize(("sliding", "later"), [(False, [200, 200]), (True, [200, 429])])
def test_the_window(
    neuroon: Sandbox, shop: Shop, clock: Clock, sliding: bool, later: list[int]
) -> None:
    neuroon.rate_limit, neuroon.rate_window, neuroon.sliding = 2, 10.0, sliding
    assert shop.statuses(1, LIST) == [200]
    clock.moment += 9.5
    assert shop.statuses(1, LIST) == [200]
    assert standing(shop("GET", LIST)) == (429, "2", "0", "1")
    clock.moment += 0.5
    assert shop.statuses(2, LIST) == later


@pytest.mark.parametrize(
    ("path", "body", "limit", "after"),
    [
        (VERIFY, {"domain": "http://localhost:8000"}, 5, "300"),
        (f"{PLUGIN}/verification-data", None, 20, "60"),
        (ME, None, 60, "60"),
    ],
)
@pytest.mark.usefixtures("clock")
def test_the_endpoints_with_a_limit_of_their_own(
    neuroon: Sandbox, shop: Shop, path: str, body: Any, limit: int, after: str
) -> None:
    neuroon.rate_limit, method = 100, "POST" if body else "GET"
    assert {shop(method, path, body).status_code for _ in range(limit)} == {200}
    assert standing(shop(method, path, body)) == (429, str(limit), "0", after)


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
