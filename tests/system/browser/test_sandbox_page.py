"""The sandbox's page in a real browser: it keeps itself up to date, and clicks order what they say."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from neuroon_django.testing import Sandbox
from tests.system.browser.conftest import wait_for

SCREENSHOTS = os.environ.get("NEUROON_SCREENSHOTS")


@pytest.fixture
def neuroon() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@dataclass
class Visit:
    """A page, and what the browser complained about."""

    page: Any
    complaints: list[str]


@pytest.fixture
def visit(browser, neuroon) -> Iterator[Callable[..., Any]]:
    contexts = []

    def visit(*, scheme: str = "light", width: int = 1280) -> Visit:
        size = {"width": width, "height": 900}
        contexts.append(browser.new_context(color_scheme=scheme, viewport=size, locale="en-GB"))
        made = Visit(contexts[-1].new_page(), [])
        made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
        made.page.on("console", lambda message: made.complaints.append(message.text))
        made.page.goto(f"{neuroon.url}/")
        return made

    yield visit
    for context in contexts:
        context.close()


def call(
    neuroon: Sandbox, path: str, body: Any = None, base: str = "plugin/shops"
) -> requests.Response:
    address = f"{neuroon.url}/api/{base}/{neuroon.shop_id}/{path}"
    headers = {"X-Shop-API-Key": neuroon.api_key}
    return requests.post(address, json=body, headers=headers, timeout=10)


def send(neuroon: Sandbox, *names: str, **fields: Any) -> requests.Response:
    url = "https://mystore.com/p/"
    rows = [{"externalId": name[:4], "name": name, "price": 9, "url": url} | fields for name in names]
    return call(neuroon, "products/sync", {"syncType": "INCREMENTAL", "products": rows})


def test_it_keeps_itself_up_to_date_and_disturbs_nobody(neuroon, visit):
    send(neuroon, "Bread tin")
    seen = visit()
    page = seen.page
    request = page.locator(".requests details").last
    request.locator("summary").click()
    request.get_by_text('"name": "Bread tin"').wait_for()
    page.get_by_role("button", name="Refuse", exact=True).focus()
    send(neuroon, "Proving basket")
    page.get_by_role("link", name="Proving basket").wait_for()
    assert page.locator(".requests details").count() == 2
    assert request.evaluate("(details) => details.open")
    assert '"name": "Bread tin"' in request.inner_text()
    assert page.evaluate("document.activeElement.dataset.key") == "refuse-Brea"
    assert page.locator(".circle").inner_text().count("2 products") == 1
    assert seen.complaints == []


def test_the_list_is_searched_as_one_types(neuroon, visit):
    send(neuroon, "Bread tin", "Proving basket")
    seen = visit()
    box = seen.page.get_by_role("searchbox", name="Search the products")
    box.fill("tin")
    seen.page.get_by_role("link", name="Proving basket").wait_for(state="detached")
    assert seen.page.get_by_role("link", name="Bread tin").is_visible()
    box.press("Enter")  # without a script, the same address
    seen.page.wait_for_url("**/?shop=*&q=tin")
    assert seen.page.get_by_role("link").all_inner_texts() == ["Bread tin"]
    assert seen.complaints == []


def test_faults_are_ordered_with_a_click_and_ended_with_one(neuroon, visit):
    send(neuroon, "Bread tin")
    seen = visit()
    page = seen.page
    page.get_by_role("button", name="500 Server errors").click()
    page.get_by_text("The shop tries again, less and less often").wait_for()
    assert send(neuroon, "Bread tin").status_code == 500
    page.get_by_role("button", name="Refuse", exact=True).click()
    page.get_by_role("button", name="Refused", exact=True).wait_for()
    answer = send(neuroon, "Bread tin", "Proving basket").json()
    assert (answer["failed"], answer["created"]) == (1, 1)
    page.get_by_role("button", name="Back to normal").click()
    page.get_by_text("Everything is answered as documented.").wait_for()
    assert send(neuroon, "Bread tin").json()["failed"] == 0
    assert seen.complaints == []


def test_it_says_when_the_sandbox_was_ended(neuroon, visit):
    page = visit().page
    assert not page.get_by_role("alert").is_visible()
    neuroon.stop()
    page.get_by_role("alert").wait_for()
    neuroon.start()
    page.get_by_role("alert").wait_for(state="hidden")


def fill(neuroon: Sandbox) -> None:
    """A shop in the middle of its first hour."""
    call(neuroon, "verify", {"domain": neuroon.shop_url})
    for name, price in [("Proving basket, round", 23), ("Bread tin with a lid", 38), ("A" * 70, 1)]:
        about = {"brand": "Quillabee", "categories": ["Kitchen", "Baking"], "currency": "EUR"}
        send(neuroon, name, price=price, imageUrl=f"{neuroon.url}/none.svg", **about)
    send(neuroon, "Tea", salePrice=4.5)
    token = call(neuroon, "widget-token", base="shops").json()["token"]
    search = f"{neuroon.url}/api/widget/search?q=bread"
    log = requests.get(search, headers={"X-Widget-Token": token}, timeout=10).json()["searchLogId"]
    line = {"productId": "Brea", "searchLogId": log, "quantity": 2, "lineTotal": 76}
    order = {"orderId": "M-7Q2K9XHD", "orderValue": 99, "currency": "EUR", "conversions": [line]}
    call(neuroon, "track/conversion", order)
    neuroon.fault("drop")
    with pytest.raises(requests.ConnectionError):
        send(neuroon, "Tea")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_it_fits_every_screen(neuroon, visit, scheme, width):
    fill(neuroon)
    seen = visit(scheme=scheme, width=width)
    page = seen.page
    page.get_by_role("button", name="429 for a minute").click()
    page.get_by_text("waits as long as Retry-After says").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if SCREENSHOTS:
        page.get_by_role("button", name="Back to normal").hover()
        page.locator(".requests details", has_text="sync").nth(1).locator("summary").click()
        page.get_by_text('"externalId": "Tea"').wait_for()
        page.screenshot(path=Path(SCREENSHOTS) / f"sandbox-{width}-{scheme}.png", full_page=True)
    wait_for(lambda: page.locator(".picture img").count() == 0)  # there are no such pictures
    assert [text for text in seen.complaints if "none.svg" not in text and "404" not in text] == []
