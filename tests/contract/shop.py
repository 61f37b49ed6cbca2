"""A shop's server for the tests of the sandbox, what it sends, and what it expects to read."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
import requests

from neuroon_django.testing import Sandbox

PLUGIN, SHOPS = "/api/plugin/shops/shop_sandbox", "/api/shops/shop_sandbox"
SYNC, BARE_SYNC, LIST = f"{PLUGIN}/products/sync", f"{SHOPS}/products/sync", f"{SHOPS}/products"
VERIFY, TOKEN = f"{PLUGIN}/verify", f"{SHOPS}/widget-token"
ME, CONVERSION, SEARCH = "/api/plugin/shops/me", f"{PLUGIN}/track/conversion", "/api/widget/search"


# What the sandbox says of a field
AMOUNT = "must be a number of 0 or more, exact to the cent"
NUMBER = "must be a number, exact to the cent"
BLANK = "must be a string that is not blank"


class Whatever:
    """Equal to whatever fits."""

    def __init__(self, fits: Callable[[Any], bool]) -> None:
        self.fits = fits

    def __eq__(self, other: object) -> bool:
        return self.fits(other)

    __hash__ = object.__hash__


NOW = Whatever(lambda text: datetime.fromisoformat(text).tzinfo is not None)


class Shop:
    """A shop's server: every call carries the key, unless a header says otherwise."""

    def __init__(self, neuroon: Sandbox) -> None:
        self.neuroon, self.session = neuroon, requests.Session()
        self.session.trust_env = False

    def __call__(self, method: str, path: str, body: Any = None, **how: Any) -> requests.Response:
        headers = {"X-Shop-API-Key": self.neuroon.api_key} | how.pop("headers", {})
        if isinstance(body, bytes):
            headers, how = {"Content-Type": "application/json"} | headers, how | {"data": body}
        elif body is not None:
            how["json"] = body
        how = {"timeout": 10, "allow_redirects": False} | how
        return self.session.request(method, self.neuroon.url + path, headers=headers, **how)

    def sync(self, *products: Any, **how: Any) -> requests.Response:
        return self("POST", SYNC, wrapped([*products]), **how)

    def statuses(self, count: int, path: str = ME) -> list[int]:
        return [self("GET", path).status_code for _ in range(count)]


def product(external_id: Any = "SKU-1", **fields: Any) -> dict[str, Any]:
    url = "https://store.com/p"
    return {"externalId": external_id, "name": "Shoe", "price": 9, "url": url} | fields


def wrapped(products: Any, **more: Any) -> dict[str, Any]:
    return {"syncType": "INCREMENTAL", "products": products} | more


def outcome(created: int = 0, updated: int = 0, *errors: Any) -> dict[str, Any]:
    counts = {"synced": created + updated, "created": created, "updated": updated}
    return counts | {"failed": len(errors), "errors": [*errors]}


def refused(external_id: str | None, message: str) -> dict[str, Any]:
    return {"externalId": external_id, "message": message}


def error(status: int, message: str, path: str = "", *details: Any) -> dict[str, Any]:
    """The shapes of API.md, Errors."""
    if status in {400, 413}:
        return {"code": "VALIDATION_ERROR", "message": message, "details": [*details]}
    if status == 401:
        return {"error": {"code": "UNAUTHORIZED", "message": message}}
    phrases = {403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict"}
    phrases |= {415: "Unsupported Media Type", 503: "Service Unavailable"}
    shown = {"timestamp": NOW, "status": status, "error": phrases.get(status, "Unknown")}
    return shown | {"message": message, "path": path}


def check(response: requests.Response, status: int, body: Any) -> None:
    shown = json.loads(response.text, parse_float=Decimal) if response.content else None
    assert (response.status_code, shown) == (status, body)


def broken(call: Callable[[], requests.Response]) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        call()


def conversion(**fields: Any) -> dict[str, Any]:
    line = {"productId": "SKU-1", "searchLogId": "log-1", "quantity": 2, "lineTotal": 19.98}
    order = {"orderId": "1001", "orderValue": 24.98, "currency": "EUR", "conversions": [line]}
    return order | fields


def search(shop: Shop, token: str, query: str) -> requests.Response:
    headers = {"X-Shop-API-Key": None, "X-Widget-Token": token, "Origin": "https://anywhere.com"}
    return shop("GET", SEARCH, params={"q": query}, headers=headers)
