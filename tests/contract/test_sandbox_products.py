"""The sandbox's catalogue: what it takes, refuses, lists and deletes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from neuroon_django.testing.sandbox import Sandbox
from tests.contract.shop import (
    AMOUNT,
    BARE_SYNC,
    BLANK,
    LIST,
    NOW,
    NUMBER,
    PLUGIN,
    Shop,
    check,
    error,
    outcome,
    product,
    refused,
)

ADDRESS = "must be an absolute http(s) address"
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
