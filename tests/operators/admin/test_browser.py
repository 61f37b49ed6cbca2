"""The admin's pages in Chromium, as the people who use them: with permission and without.

With `NEUROON_SCREENSHOTS=<folder>` each page is kept as a picture, light and dark.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from playwright import sync_api as playwright

from neuroon_django import tasks
from neuroon_django.exceptions import KeyRefused, RateLimited
from neuroon_django.models import Conversion, ShopState, SyncedProduct
from tests import services
from tests.factories import current_shop, make_order, make_product, pauses
from tests.shop.models import Order, Product

pytestmark = pytest.mark.django_db(transaction=True)

SCREENSHOTS = os.environ.get("NEUROON_SCREENSHOTS")
ALL = ("syncedproduct", "conversion", "shopstate", "run", "product")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    path = services.chromium()
    services.need(path, "Chromium")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright runs a loop in the test's thread
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def open_as(browser, live_server, django_user_model, settings) -> Iterator[Callable[..., object]]:
    """A page of the admin, logged in as a staff user with these permissions."""
    contexts = []

    def open_page(
        path: str, *codenames: str, scheme: str = "light", width: int = 1200, language: str = "en"
    ) -> object:
        name = f"staff-{len(codenames)}"
        user, _made = django_user_model.objects.get_or_create(username=name, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        settings.LANGUAGE_CODE = language
        viewport = {"width": width, "height": 800}
        context = browser.new_context(color_scheme=scheme, viewport=viewport)
        contexts.append(context)
        session = client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("response", lambda answer: note(page, answer))
        page.goto(live_server.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def shop(neuroon, flush, flush_orders) -> ShopState:
    """A shop with something of everything."""
    for n in range(12):
        make_product(f"P-{n:02}")
    make_product("NO-PRICE", price=None)
    make_product("HIDDEN", is_published=False)
    Order.objects.create(number="1001")
    for n in range(5):
        make_order(f"20{n:02}", Product.objects.get(sku=f"P-{n:02}"), total=str(35 + 400 * n))
    neuroon.reject = {"P-07": "the name contains a forbidden word, which the shop has to change first"}
    flush()
    flush_orders()
    make_product("NEW")
    return current_shop()


def note(page, answer) -> None:
    """An address that fails is an error of the page, but for the icon that a browser asks for."""
    if answer.status >= 400 and not answer.url.endswith("/favicon.ico"):
        page.errors.append(f"{answer.status} {answer.url}")


def keep(page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=f"{SCREENSHOTS}/{name}.png", full_page=True)


OPERATOR = tuple(f"{verb}_{name}" for name in ALL for verb in ("view", "change"))
READER = tuple(f"view_{name}" for name in ALL)


# How many cells reach out of the part of a list that is seen without scrolling.
CUT_OFF = """
form = document.querySelector("#changelist-form"),
[...document.querySelectorAll("#result_list td, #result_list th")].filter(
    (cell) => cell.getBoundingClientRect().right > form.getBoundingClientRect().right
).length"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# What axe finds in our pages, but for what Django's own templates do in any admin.
AXE = """async () => {
    const found = await axe.run(document, {resultTypes: ["violations"], preload: false});
    return found.violations.flatMap((v) => v.nodes
        .filter((n) => document.querySelector(n.target[0]).closest('[class*="neuroon-"]'))
        .map((n) => `${v.id}: ${n.target.join(" ")} ${n.failureSummary}`));
}"""
LOOKS = {
    "wide-light": {"width": 1280, "scheme": "light", "language": "en"},
    "wide-dark": {"width": 1280, "scheme": "dark", "language": "en"},
    "narrow-light": {"width": 390, "scheme": "light", "language": "en"},
    "narrow-dark": {"width": 390, "scheme": "dark", "language": "en"},
    "wide-spanish": {"width": 1280, "scheme": "light", "language": "es"},
    "narrow-spanish": {"width": 390, "scheme": "light", "language": "es"},
}


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    """The text of axe-core, from npm: it is a tool of these tests and no part of the package."""
    services.need(shutil.which("npm"), "npm")
    folder = tmp_path_factory.mktemp("axe")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder)]
    subprocess.run([*install, "axe-core@4.10.3"], check=True, timeout=120, cwd=folder)
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


def pages_of(shop: ShopState) -> dict[str, str]:
    row, order = SyncedProduct.objects.get(external_id="P-07"), Conversion.objects.first()
    return {
        "overview": "/admin/neuroon_django/shopstate/",
        "preview": "/admin/neuroon_django/shopstate/preview/",
        "products": "/admin/neuroon_django/syncedproduct/",
        "product": f"/admin/neuroon_django/syncedproduct/{row.pk}/change/",
        "conversions": "/admin/neuroon_django/conversion/",
        "conversion": f"/admin/neuroon_django/conversion/{order.pk}/change/",
        "runs": "/admin/neuroon_django/run/",
        "shop": "/admin/shop/product/",
        "shop-product": f"/admin/shop/product/{row.object_pk}/change/",
    }


@pytest.mark.parametrize(
    ("who", "look"),
    [*(("operator", look) for look in LOOKS), ("reader", "wide-light"), ("reader", "narrow-dark")],
)
def test_every_page(shop, open_as, axe, settings, who, look):
    settings.NEUROON_WIDGET_URL = ""  # nothing is fetched from elsewhere
    shop.endpoint("products").failed(
        KeyRefused("Invalid API key", method="POST", path="/sync", status=401)
    )
    names = OPERATOR if who == "operator" else READER
    page = open_as("/admin/", *names, **LOOKS[look])
    for name, path in pages_of(shop).items():
        page.goto(page.url.partition("/admin/")[0] + path)
        keep(page, f"{name}-{who}-{look}")
        assert page.errors == []
        assert page.evaluate(OVERFLOW) == 0, name
        if page.locator("#changelist-form").count():
            assert page.evaluate(CUT_OFF) == 0, name
        page.evaluate(axe)
        assert page.evaluate(AXE) == [], name


def test_buttons_by_keyboard(shop, open_as, neuroon):
    shop.endpoint("products").failed(
        KeyRefused("Invalid API key", method="POST", path="/sync", status=401)
    )
    page = open_as("/admin/neuroon_django/shopstate/", *OPERATOR)
    page.get_by_role("button", name="Resume").last.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=All pauses have ended.")
    assert pauses() == {}
    page.get_by_role("button", name="Verify").last.focus()
    page.keyboard.press("Space")
    page.wait_for_selector("text=The verification was asked for, and waits for a worker.")
    tasks.verify_shop()
    page.reload()
    page.wait_for_selector("text=Verification, step by step")
    keep(page, "verified-light")
    assert neuroon.requests_to("verify")
    page.get_by_role("button", name="Scan").last.press("Enter")
    page.wait_for_selector("text=The next run compares the whole catalogue.")
    assert current_shop().scanned_at is None


def test_an_action_from_the_list(shop, open_as, flush, neuroon):
    page = open_as("/admin/neuroon_django/syncedproduct/?q=P-0", *OPERATOR)
    page.get_by_role("checkbox", name="Select all").check()
    page.locator("select[name=action]").select_option("Remove from Neuroon")
    page.locator("button[name=index]").click()  # "Go", or "Run" since Django 6.1
    page.wait_for_selector("text=Are you sure?")
    assert "9 products will be removed from Neuroon." in page.inner_text("#content-main")
    keep(page, "confirm-light")
    page.get_by_role("button", name="Yes, go on").press("Enter")
    page.wait_for_selector(".messagelist >> text=9 products will be removed from Neuroon.")
    keep(page, "removed-light")
    flush()
    assert {name for name in neuroon.products if name.startswith("P-0")} == set()


def test_without_any_permission_there_is_nothing_to_see(shop, open_as):
    page = open_as("/admin/")
    keep(page, "index-nobody-light")
    assert page.get_by_text("Neuroon").count() == 0
    for name in ("shopstate", "syncedproduct", "conversion"):
        answer = page.goto(page.url.partition("/admin/")[0] + f"/admin/neuroon_django/{name}/")
        assert answer.status == 403


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_wait_that_neuroon_asked_for_is_told(shop, open_as, scheme):
    error = RateLimited("slow", method="POST", path="/sync", status=429, retry_after=3_000)
    shop.endpoint("products").failed(error)
    page = open_as("/admin/neuroon_django/shopstate/", *READER, scheme=scheme)
    assert "products: Neuroon asked to wait" in page.inner_text(".neuroon-wait")
    assert page.errors == []
    keep(page, f"wait-{scheme}")
