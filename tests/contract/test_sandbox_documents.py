"""The sandbox answers the two primary documents' own examples, sent as they stand there."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from decimal import Decimal
from string import Template

import pytest
import requests

from neuroon_django.testing.sandbox import Sandbox
from tests.contract.shop import (
    BARE_SYNC,
    LIST,
    TOKEN,
    Shop,
    check,
    outcome,
    search,
)

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
