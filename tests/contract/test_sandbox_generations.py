"""What there is in each generation, what is required in it, and what else is as odd as reality."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import time
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
    conversion,
    error,
    outcome,
    product,
    search,
    wrapped,
)

NAMES = [None, "s2s", "products", "later"]
# Method, path, body; the status in each generation: all at once, s2s, products, later.
ASKED: list[tuple[str, str, Any, list[int]]] = [
    ("POST", SYNC, wrapped([product()]), [200, 200, 404, 200]),
    ("POST", BARE_SYNC, [product()], [200, 404, 200, 404]),
    ("POST", SYNC, [product()], [400, 400, 404, 400]),
    ("POST", BARE_SYNC, wrapped([product()]), [400, 404, 400, 404]),
    ("DELETE", f"{PLUGIN}/products/SKU-0", None, [204, 204, 404, 204]),
    ("DELETE", f"{LIST}/SKU-0", None, [200, 404, 200, 404]),
    ("GET", LIST, None, [200, 200, 200, 404]),
    ("GET", f"{LIST}?sort=externalId", None, [200, 400, 400, 404]),
    ("GET", f"{LIST}?colour=red", None, [200, 400, 400, 404]),
    ("POST", TOKEN, None, [201, 201, 201, 404]),
    ("POST", VERIFY, {"domain": "http://localhost:8000"}, [200] * 4),
    ("POST", VERIFY, {"domain": "http://localhost:8000", "name": "x"}, [200, 400, 400, 400]),
    ("DELETE", VERIFY, None, [204] * 4),
    ("GET", f"{PLUGIN}/verification-data", None, [200] * 4),
    ("GET", ME, None, [200] * 4),
    ("POST", CONVERSION, conversion(), [200] * 4),
]


@pytest.mark.parametrize(("method", "path", "body", "statuses"), ASKED)
def test_what_there_is(method: str, path: str, body: Any, statuses: list[int]) -> None:
    seen = []
    for name in NAMES:
        with Sandbox(generation=name, verified=True) as neuroon:
            neuroon.products["SKU-0"] = product("SKU-0")
            seen.append(Shop(neuroon)(method, path, body).status_code)
    assert seen == statuses


def test_a_setting_stands_before_the_generations_and_none_gives_it_back() -> None:
    neuroon = Sandbox(generation="later", routes=("shops",), lists=True)
    assert (neuroon.routes, neuroon.lists, neuroon.token_refusal) == (("shops",), True, 404)
    neuroon.routes = None
    assert neuroon.routes == ("plugin",)
    neuroon.generation = "products"
    assert (neuroon.routes, neuroon.token_refusal) == (("shops",), None)
    neuroon.generation = None
    assert neuroon.routes == ("plugin", "shops")
    with pytest.raises(ValueError, match="no generation 'next'; there are later, products, s2s"):
        neuroon.generation = "next"


@pytest.mark.parametrize(
    ("bodies", "sent", "status"),
    [
        (("array",), [product()], 200),
        (("array",), wrapped([product()]), 400),
        (("object", "array"), [product()], 200),
        (("object", "array"), wrapped([product()]), 200),
        (("object", "array"), "text", 400),
        (("object", "array"), {"products": [product()]}, 400),
    ],
)
def test_the_bodies_of_the_plugin_route(
    neuroon: Sandbox, shop: Shop, bodies: tuple[str, ...], sent: Any, status: int
) -> None:
    neuroon.plugin_bodies = bodies
    answer = shop("POST", SYNC, sent)
    assert answer.status_code == status
    assert list(neuroon.products) == (["SKU-1"] if status == 200 else [])
    if status == 400 and bodies == ("array",):
        check(answer, 400, error(400, "The body must be a list of products"))


# Names that no document knows


def test_what_is_ignored_is_recorded(neuroon: Sandbox, shop: Shop) -> None:
    more = product(season="summer", sku="1")
    check(shop.sync(more), 200, outcome(1))
    check(shop("POST", BARE_SYNC, [more]), 200, outcome(0, 1))
    shop("GET", f"{LIST}?colour=red")
    shop("POST", VERIFY, {"domain": neuroon.shop_url, "name": "x"})
    assert neuroon.ignored == [
        "SKU-1: season",
        "SKU-1: season",
        "SKU-1: sku",
        "list: colour",
        "verify: name",
    ]
    assert shop("GET", "/_sandbox/state").json()["ignored"] == neuroon.ignored
    neuroon.reset()
    assert neuroon.ignored == []


@pytest.mark.parametrize(
    ("path", "field"), [(SYNC, "season"), (BARE_SYNC, "season"), (BARE_SYNC, "sku")]
)
def test_what_is_not_known_may_be_refused(neuroon: Sandbox, shop: Shop, path: str, field: str) -> None:
    neuroon.unknown_fields = "refuse"
    batch = [product("A", **{field: "x"}), product("B")]
    wrong = outcome(1, 0, {"externalId": "A", "message": f"{field} is not known"})
    check(shop("POST", path, wrapped(batch) if path == SYNC else batch), 200, wrong)
    assert (list(neuroon.products), neuroon.ignored) == (["B"], [])


# Headers


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("User-Agent", "app/1", 200),
        ("User-Agent", "app", 400),
        ("User-Agent", "", 400),
        ("Origin", "http://localhost:8000", 200),
        ("Origin", None, 400),
        ("Accept", "application/json", 200),
        ("Accept", "text/html", 400),
    ],
)
def test_a_header_that_is_required(
    neuroon: Sandbox, shop: Shop, name: str, value: str | None, status: int
) -> None:
    headers = {"User-Agent": "a/1", "Accept": "application/json", name: value}
    neuroon.required_headers = (name,)
    answer = shop("GET", ME, headers=headers)
    assert answer.status_code == status
    if status == 400:
        check(answer, 400, error(400, f"{name} is required"))
        neuroon.required_headers = ()
        assert shop("GET", ME, headers=headers).status_code == 200


# Spring's firewall


@pytest.mark.parametrize(
    ("external_id", "written"),
    [
        ("a/b", "a%2Fb"),
        ("a/b", "a%2fb"),
        ("50%", "50%25"),
        ("a;b", "a%3Bb"),
        ("a;b", "a;b"),
        ("a\\b", "a%5Cb"),
        ("..", ".."),
        (".", "%2E"),
    ],
)
@pytest.mark.parametrize("prefix", [f"{PLUGIN}/products", LIST])
def test_the_firewall(
    neuroon: Sandbox, shop: Shop, prefix: str, external_id: str, written: str
) -> None:
    shop.sync(product(external_id), product("a b"))
    neuroon.firewall = True
    request = (
        f"DELETE {prefix}/{written} HTTP/1.1\r\nHost: x\r\nX-Shop-API-Key: {neuroon.api_key}\r\n\r\n"
    )
    assert raw_status(neuroon, request) == 400
    assert external_id in neuroon.products
    assert shop("DELETE", f"{prefix}/a%20b").status_code in {200, 204}


def raw_status(neuroon: Sandbox, request: str) -> int:
    with socket.create_connection((neuroon.host, neuroon.port), timeout=10) as connection:
        connection.sendall(request.encode())
        return int(connection.recv(65536).split(b" ")[1])


# Tokens that a shop signs


def sign(key: str, shop_id: str, seconds: int) -> str:
    text = f"{shop_id}:{seconds}"
    signature = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return base64.urlsafe_b64encode(f"{text}:{signature}".encode()).decode().rstrip("=")


HOUR = 3600


@pytest.mark.parametrize(
    ("key", "shop_id", "age", "change", "status"),
    [
        ("", "shop_sandbox", 0, "", 200),
        ("", "shop_sandbox", 23 * HOUR, "", 200),
        ("", "shop_sandbox", 24 * HOUR, "", 401),
        ("", "shop_sandbox", -2 * HOUR, "", 401),
        ("sk_other", "shop_sandbox", 0, "", 401),
        ("", "other", 0, "", 401),
        ("", "shop_sandbox", 0, "=", 401),
        ("", "shop_sandbox", 0, "x", 401),
    ],
)
def test_a_signed_token(key: str, shop_id: str, age: int, change: str, status: int) -> None:
    with Sandbox(generation="later", verified=True) as neuroon:
        token = sign(key or neuroon.api_key, shop_id, int(time.time()) - age) + change
        assert search(Shop(neuroon), token, "x").status_code == status
        neuroon.signed_tokens = False
        assert search(Shop(neuroon), token, "x").status_code == 401


@pytest.mark.parametrize("token", ["", "é", "YQ", "a:b:c", "eDp5Ono", "====="])
def test_what_is_no_signed_token(token: str) -> None:
    with Sandbox(generation="later", verified=True) as neuroon:
        assert search(Shop(neuroon), token.encode().decode("latin-1"), "x").status_code == 401


def test_a_signed_token_needs_a_verified_domain() -> None:
    with Sandbox(generation="later") as neuroon:
        token = sign(neuroon.api_key, neuroon.shop_id, int(time.time()))
        assert search(Shop(neuroon), token, "x").status_code == 401
        Shop(neuroon)("POST", VERIFY, {"domain": neuroon.shop_url})
        assert search(Shop(neuroon), token, "x").status_code == 200


@pytest.mark.parametrize("status", [404, 405])
def test_no_token_is_issued(status: int) -> None:
    with Sandbox(token_refusal=status, verified=True) as neuroon:
        check(Shop(neuroon)("POST", TOKEN), status, error(status, "No such endpoint", TOKEN))
        assert neuroon.tokens == []
