"""The sandbox's page as it is served: what it shows, that it escapes it, and what a click orders."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from neuroon_django.testing.sandbox import Sandbox
from neuroon_django.testing.sandbox.scenarios import SCENARIOS, SHOP_ENDPOINTS
from neuroon_django.testing.sandbox.sections import MOST_SHOWN, SECTIONS
from tests.contract.shop import (
    CONVERSION,
    ME,
    TOKEN,
    VERIFY,
    Shop,
    check,
    conversion,
    error,
    product,
    search,
)

HOSTILE = '"><script>alert(1)</script>&amp;'


def page(shop: Shop, query: str = "") -> str:
    response = shop("GET", "/", params={"q": query}, headers={"X-Shop-API-Key": None})
    assert response.status_code == 200
    return response.text


def texts(html: str) -> str:
    """What a person reads: the text without its elements."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def section(shop: Shop, name: str, query: str = "") -> str:
    return texts(shop("GET", "/_sandbox/sections", params={"q": query}).json()[name])


def start(shop: Shop, name: str, **more: str) -> Any:
    return shop("POST", "/_sandbox/scenario", {"name": name} | more)


def test_an_empty_sandbox_says_what_to_do_next(shop: Shop) -> None:
    html = page(shop)
    assert "It is not the service" in html
    assert set(re.findall(r'data-section="(\w+)"', html)) == SECTIONS.keys()
    assert section(shop, "circle") == (
        "Domain to do: run neuroon_verify Catalogue to do: run neuroon_sync Widget to do: open a page "
        "of the shop Search to do: type into the widget Conversion to do: click a result, buy it, pay"
    )
    assert section(shop, "products") == "No products yet. Run neuroon_sync."
    assert [section(shop, name).split(".")[0] for name in ("conversions", "requests", "tokens")] == [
        "None yet"
    ] * 3


def test_the_whole_circle_as_it_is_shown(neuroon: Sandbox, shop: Shop) -> None:
    shop("POST", VERIFY, {"domain": neuroon.shop_url})
    fields = {"brand": "Acme", "categories": ["Feet"], "currency": "EUR", "price": 1234.5}
    shop.sync(product(**fields), product("SKU-2", name="Boot"))
    token = shop("POST", TOKEN).json()["token"]
    log = search(shop, token, "shoe").json()["searchLogId"]
    line = conversion()["conversions"][0] | {"searchLogId": log}
    shop("POST", CONVERSION, conversion(conversions=[line]))
    assert section(shop, "circle") == (
        "✓ Domain done: verified ✓ Catalogue done: 2 products ✓ Widget done: 1 token "
        "✓ Search done: 1 search ✓ Conversion done: 1 order"
    )
    moment = r"\d\d:\d\d:\d\d"
    boot = rf"Boot SKU-2 9.00 USD {moment} Refuse"
    shoe = rf"Shoe SKU-1 · Acme · Feet 1,234.50 EUR {moment} Refuse"
    assert re.fullmatch(f"{boot} {shoe}", section(shop, "products"))
    assert re.fullmatch(shoe, section(shop, "products", "acme SHO"))
    assert section(shop, "products", "hat") == "No product fits."
    order = rf"Order 1001 2 × Shoe, 19.98 EUR, found by “shoe” 24.98 EUR {moment}"
    assert re.fullmatch(order, section(shop, "conversions"))
    assert re.fullmatch(rf"{token[:14]}… good for 24.0 h more {moment}", section(shop, "tokens"))
    shown = re.findall(r"(\d{3}) (\w+(?: · \d products)?) \d+\.\d ms", section(shop, "requests"))
    assert shown == [
        ("200", "conversion"),
        ("200", "search"),
        ("201", "token"),
        ("200", "sync · 2 products"),
        ("200", "verify"),
    ]


def test_a_changed_product_comes_first_and_a_deleted_one_is_gone(neuroon: Sandbox, shop: Shop) -> None:
    shop.sync(product("A"), product("B"), product("C"))
    shop.sync(product("A", name="Changed"))
    shop("DELETE", "/api/plugin/shops/shop_sandbox/products/C")
    shown = re.findall(r"(\w+) (\w) 9.00 USD", section(shop, "products"))
    assert shown == [("Changed", "A"), ("Shoe", "B")]


def test_a_large_catalogue_shows_the_last_ones_and_how_many_there_are(shop: Shop) -> None:
    shop.sync(*(product(f"SKU-{n}") for n in range(MOST_SHOWN + 1)))
    shown = section(shop, "products")
    assert shown.count("Refuse") == MOST_SHOWN
    assert shown.endswith("51 products, the last 50 shown.")


def test_what_came_from_outside_is_text(neuroon: Sandbox, shop: Shop) -> None:
    neuroon.name = HOSTILE
    shop.sync(
        product(
            HOSTILE, name=HOSTILE, brand=HOSTILE, url=f"https://a.b/{HOSTILE}", imageUrl="https://["
        ),
        product("B", url="https://a.b/", imageUrl=f"https://a.b/{HOSTILE}"),
    )
    line = conversion()["conversions"][0] | {"productId": HOSTILE, "searchLogId": HOSTILE}
    shop("POST", CONVERSION, conversion(orderId=HOSTILE, conversions=[line]))
    shop("GET", f"/{HOSTILE}")
    html = page(shop, HOSTILE)
    assert "<script>alert" not in html + str(shop("GET", "/_sandbox/sections").json())
    assert html.count("&lt;script&gt;") > 5
    addresses = re.findall(r'(?:href|src)="(https?:[^"]*)"', html)
    assert addresses and not any(character in "".join(addresses) for character in "<> ")


def test_the_page_loads_nothing_from_elsewhere_and_the_key_is_not_in_it(
    neuroon: Sandbox, shop: Shop
) -> None:
    response = shop("GET", "/")
    assert response.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; script-src 'self'"
    )
    assert re.findall(r'(?:src|href)="([^"]*)"', response.text) == [
        "data:,",
        "/_sandbox/page.css",
        "/_sandbox/page.js",
    ]
    assert neuroon.api_key not in response.text
    assert "NEUROON_API_KEY = &quot;sk_…&quot;" in response.text
    assert f"NEUROON_WIDGET_URL = &quot;{neuroon.url}/widget.js&quot;" in response.text
    kinds = {"page.css": "text/css", "page.js": "text/javascript"}
    for name, kind in kinds.items():
        assert shop("GET", f"/_sandbox/{name}").headers["Content-Type"] == f"{kind}; charset=utf-8"
    widget = shop("GET", "/widget.js")
    assert widget.headers["Access-Control-Allow-Origin"] == "*"
    assert "neuroon_clicks" in widget.text
    assert neuroon.requests == []


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"a":[1.50,"\xc3\xa9"]}', '{\n  "a": [\n    1.5,\n    "é"\n  ]\n}'),
        (b"{broken \xff", "{broken �"),
        (b"", "(no body)"),
    ],
)
def test_the_body_of_a_request(shop: Shop, body: bytes, shown: str) -> None:
    shop("POST", VERIFY, body)
    response = shop("GET", "/_sandbox/body?number=0")
    response.encoding = "utf-8"
    assert response.text == shown
    assert shop("GET", "/_sandbox/body?number=1").status_code == 400
    assert shop("GET", "/_sandbox/body").status_code == 400


@pytest.mark.parametrize(
    ("name", "status"),
    [("limit", 429), ("errors", 500), ("key", 401), ("forbidden", 403), ("proxy", 502)],
)
def test_a_scenario_reaches_the_shops_requests_until_it_is_ended(
    shop: Shop, name: str, status: int
) -> None:
    check(start(shop, name), 204, None)
    assert shop.statuses(3) == [status] * 3
    assert search(shop, "", "x").status_code == 401  # the widget's search meets none of it
    shown = shop("GET", "/_sandbox/sections").json()["faults"]
    assert f'data-scenario="{name}" data-key="scenario-{name}" aria-pressed="true"' in shown
    assert texts(shown).endswith(SCENARIOS[name].expected)
    check(start(shop, "normal"), 204, None)
    assert shop.statuses(1) == [200]


def test_the_limit_is_over_after_a_minute(neuroon: Sandbox, shop: Shop) -> None:
    start(shop, "limit")
    assert shop("GET", ME).headers["Retry-After"] == "20"
    for scheduled in neuroon.faults_in_force:
        assert scheduled.until is not None
        scheduled.until -= 60
    assert shop.statuses(1) == [200]
    assert section(shop, "faults").endswith(SCENARIOS["normal"].expected)


def test_one_bad_product_is_the_last_one_or_the_one_that_was_clicked(
    neuroon: Sandbox, shop: Shop
) -> None:
    assert start(shop, "product").status_code == 400
    shop.sync(product("A"), product("B"))
    start(shop, "product")
    assert shop.sync(product("A"), product("B")).json()["failed"] == 1
    start(shop, "product", external_id="A")
    assert neuroon.reject == {"A": "the sandbox was asked to refuse this product"}
    assert section(shop, "products").count("Refused") == 1
    start(shop, "normal")
    assert neuroon.reject is None


def test_every_scenario_can_be_started_and_is_the_only_one(neuroon: Sandbox, shop: Shop) -> None:
    shop.sync(product())
    for name in [*SCENARIOS, "normal"]:
        check(start(shop, name), 204, None)
        shown = json.dumps(shop("GET", "/_sandbox/sections").json()["faults"])
        assert shown.count('aria-pressed=\\"true\\"') == 1
    assert (neuroon.faults_in_force, neuroon.plan, neuroon.reject) == ([], None, None)
    assert set(SHOP_ENDPOINTS).isdisjoint({"search", "preflight", "control"})


@pytest.mark.parametrize("body", [{"name": "other"}, {}, {"name": "errors", "colour": "red"}])
def test_a_scenario_that_makes_no_sense(shop: Shop, body: Any) -> None:
    assert shop("POST", "/_sandbox/scenario", body).status_code == 400
    assert shop.statuses(1) == [200]


@pytest.mark.parametrize(("site", "status"), [("same-origin", 204), ("cross-site", 403)])
def test_no_other_sites_page_orders_anything(shop: Shop, site: str, status: int) -> None:
    headers = {"Sec-Fetch-Site": site}
    answer = shop("POST", "/_sandbox/scenario", {"name": "errors"}, headers=headers)
    message, path = "only this sandbox's own page may ask for that", "/_sandbox/scenario"
    check(answer, status, None if status == 204 else error(403, message, path))


def test_the_page_of_several_shops_switches_between_them(neuroon: Sandbox, shop: Shop) -> None:
    assert 'class="shops"' not in page(shop)
    other = neuroon.add_shop("shop_uk", name="uk")
    shop.sync(product("A"))
    for own, present in ((neuroon, neuroon.name), (other, "uk")):
        query = {"shop": own.shop_id}
        html = shop("GET", "/", params=query).text
        assert f"for <em>{present}</em>" in html
        assert re.findall(r'aria-current="page">([^<]+)<', html) == [present]
        assert set(re.findall(r'href="/\?shop=(\w+)"', html)) == {neuroon.shop_id, "shop_uk"}
        assert f'name="shop" value="{own.shop_id}"' in html
        assert "NEUROON_SHOPS = {" in texts(html)
        assert neuroon.api_key not in html and other.api_key not in html
        sections = shop("GET", "/_sandbox/sections", params=query).json()
        assert ("Shoe" in sections["products"]) == (own is neuroon)
    shop("POST", "/_sandbox/scenario?shop=shop_uk", {"name": "key"})
    assert (neuroon.scenario, other.scenario) == ("normal", "key")
