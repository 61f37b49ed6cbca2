"""Whose clicks ride on an order: a shopper's own, from any request that saves it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from django.urls import include, path

from neuroon_django import attribute_order, clicks
from neuroon_django.middleware import ClickAttributionMiddleware
from neuroon_django.models import Change, Conversion
from tests.factories import COOKIE
from tests.shop.models import Order, Product

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

ours = "neuroon_django.middleware.ClickAttributionMiddleware"


class OrderAdmin(admin.ModelAdmin):
    pass


site = admin.AdminSite(name="backoffice")
site.register(Order, OrderAdmin)


def save(request: HttpRequest, number: str = "1") -> HttpResponse:
    order, _ = Order.objects.get_or_create(number=number, defaults={"total": Decimal(10)})
    order.save()
    return HttpResponse(clicks.current.get())


def checkout(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        order = Order.objects.create(number=uuid4().hex, total=Decimal(10), status="paid")
        order.lines.create(product=Product.objects.get(), quantity=1, total=Decimal(10))
    return HttpResponse()


async def asave(request: HttpRequest) -> HttpResponse:
    await Order.objects.acreate(number="1", total=Decimal(10))
    await asyncio.sleep(0)
    return HttpResponse(clicks.current.get())


def fail(request: HttpRequest) -> HttpResponse:
    save(request)
    raise ZeroDivisionError


def headless(request: HttpRequest) -> HttpResponse:
    order = Order.objects.create(number="1", total=Decimal(10))
    attribute_order(order, json.loads(request.body)["clicks"])
    return HttpResponse()


urlpatterns = [
    path("save/", save),
    path("save/<str:number>/", save),
    path("asave/", asave),
    path("page/", lambda request: HttpResponse()),
    path("checkout/", checkout),
    path("fail/", fail),
    path("headless/", headless),
    path("staff/", include([path("office/", site.urls)])),
]


class WithConsent(ClickAttributionMiddleware):
    def allows(self, request: HttpRequest) -> bool:
        return request.COOKIES.get("consent") == "yes"


def served(work: Coroutine[Any, Any, Any]) -> Any:
    """What comes of it in an event loop, whose threads leave no connection open."""

    async def run() -> Any:
        try:
            return await work
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(run())


def shopper(client, cookie: str = COOKIE):
    client.cookies[clicks.COOKIE_NAME] = cookie
    return client


def texts() -> list[str]:
    return list(Change.objects.order_by("pk").values_list("clicks", flat=True))


def found() -> dict[str, str]:
    return clicks.parse(clicks.merge(texts()))


def test_an_order_saved_in_a_shoppers_request_carries_the_cookies_text(client):
    assert shopper(client).get("/save/").content.decode() == COOKIE
    assert texts() == [COOKIE, COOKIE]
    assert clicks.current.get() == ""


def test_nothing_is_parsed_in_the_request(client, monkeypatch):
    monkeypatch.setattr(clicks, "parse", lambda text: pytest.fail("parsed in the request"))
    monkeypatch.setattr(json, "loads", lambda text: pytest.fail("parsed in the request"))
    shopper(client, "{" * 5000).get("/save/")
    assert texts() == ["{" * 5000] * 2


def test_the_next_request_of_the_same_thread_starts_anew(client):
    shopper(client).get("/save/")
    del client.cookies[clicks.COOKIE_NAME]
    assert client.get("/save/").content == b""
    assert texts() == [COOKIE, COOKIE, ""]


def test_a_view_that_fails_leaves_nothing_behind(client):
    with pytest.raises(ZeroDivisionError):
        shopper(client).get("/fail/")
    assert clicks.current.get() == ""


def test_law_13_a_task_that_outlives_the_request_has_no_clicks_of_its_shopper():
    """As a consumer that the first request starts, which saves the orders of all shoppers."""
    recorded: list[str] = []
    over = asyncio.Event()

    async def consume() -> None:
        recorded.append(clicks.to_record())
        await over.wait()
        recorded.append(clicks.to_record())

    async def serve() -> None:
        with clicks.serving(None, COOKIE):
            consumer = asyncio.create_task(consume())
            await asyncio.sleep(0)
        over.set()
        await consumer

    asyncio.run(serve())
    assert recorded == [COOKIE, ""]


def test_under_asgi_with_async_and_with_sync_views():
    async def visit(url: str) -> str:
        client = AsyncClient()
        client.cookies[clicks.COOKIE_NAME] = COOKIE
        return (await client.get(url)).content.decode()

    assert served(visit("/asave/")) == COOKIE
    assert served(visit("/save/2/")) == COOKIE
    assert set(texts()) == {COOKIE}


def test_concurrent_shoppers_under_asgi_keep_their_own():
    async def visit(n: int) -> str:
        client = AsyncClient()
        client.cookies[clicks.COOKIE_NAME] = f'{{"A":"search-{n}"}}'
        return (await client.get("/asave/")).content.decode()

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*map(visit, range(20)))

    wanted = [f'{{"A":"search-{n}"}}' for n in range(20)]
    assert served(all_at_once()) == wanted
    assert sorted(texts()) == sorted(wanted)


@pytest.fixture
def staff(client):
    user = get_user_model().objects.create_superuser("jo", "jo@example.org", "secret")
    client.force_login(user)
    return shopper(client)


def change(client, order: Order) -> int:
    values = {"number": order.number, "status": "paid", "total": "10", "currency": "EUR"}
    return client.post(f"/staff/office/shop/order/{order.pk}/change/", values).status_code


def test_law_13_the_admins_browsing_is_not_the_shoppers(staff):
    order = Order.objects.create(number="7", total=Decimal(10))
    assert change(staff, order) == 302
    assert Order.objects.get().status == "paid"
    assert texts() == ["", ""]


def test_law_13_the_admin_under_asgi():
    user = get_user_model().objects.create_superuser("jo", "jo@example.org", "secret")
    order = Order.objects.create(number="7", total=Decimal(10))
    client = AsyncClient()
    client.force_login(user)
    client.cookies[clicks.COOKIE_NAME] = COOKIE
    values = {"number": "7", "status": "paid", "total": "10", "currency": "EUR"}
    url = f"/staff/office/shop/order/{order.pk}/change/"
    assert served(client.post(url, values)).status_code == 302
    assert texts() == ["", ""]


def order_queries(client, url: str) -> tuple[list[str], list[str]]:
    """What a request kept of clicks, and the queries for its session and user."""
    with CaptureQueriesContext(connection) as captured:
        client.get(url)
    asked = [q["sql"] for q in captured if "auth_user" in q["sql"] or "django_session" in q["sql"]]
    return texts(), asked


def test_law_13_staff_leaves_no_clicks_in_any_back_office(staff):
    """A dashboard of the shop's own, which is no Django admin."""
    kept, asked = order_queries(staff, "/save/")
    assert kept == ["", ""]
    assert len(asked) == 2  # session and user, once for both saves


def test_law_01_a_page_that_saves_no_order_asks_for_no_user(staff):
    assert order_queries(staff, "/page/") == ([], [])
    del staff.cookies[clicks.COOKIE_NAME]
    assert order_queries(staff, "/save/") == (["", ""], [])  # nor where there are no clicks


@pytest.mark.parametrize("url", ["/asave/", "/save/3/"])
@pytest.mark.parametrize("is_staff", [True, False])
def test_law_13_staff_under_asgi(url, is_staff):
    user = get_user_model().objects.create_user("jo", is_staff=is_staff)
    client = AsyncClient()
    client.force_login(user)
    client.cookies[clicks.COOKIE_NAME] = COOKIE
    assert served(client.get(url)).status_code == 200
    assert set(texts()) == ({""} if is_staff else {COOKIE})


@pytest.mark.parametrize("place", [0, -1], ids=["in front of all", "behind all"])
def test_law_13_staff_is_known_wherever_the_middleware_stands(staff, settings, place):
    others = [name for name in settings.MIDDLEWARE if name != ours]
    settings.MIDDLEWARE = [ours, *others] if place == 0 else [*others, ours]
    staff.get("/save/")
    assert texts() == ["", ""]


class Unknown:
    @property
    def is_staff(self) -> bool:
        raise ConnectionError("the session's cache is down")


class NoStaff:
    """A user model of the shop's own, without back office."""


USERS = {
    "none": (None, COOKIE),
    "without the field": (NoStaff(), COOKIE),
    "cannot be found out": (Unknown(), ""),
}


@pytest.mark.parametrize("name", USERS)
def test_law_01_a_user_of_any_kind_breaks_no_checkout(rf, name):
    user, kept = USERS[name]
    request = rf.get("/")
    request.COOKIES[clicks.COOKIE_NAME] = COOKIE
    if user is not None:
        request.user = user
    ClickAttributionMiddleware(save)(request)
    assert set(texts()) == {kept}


def test_law_13_staff_that_hands_its_own_request_over_leaves_none(rf):
    request = rf.get("/")
    request.COOKIES[clicks.COOKIE_NAME] = COOKIE
    request.user = get_user_model()(is_staff=True)
    attribute_order(Order.objects.create(number="1"), request)
    attribute_order(Order.objects.get(), COOKIE)  # a telephone order, with the shopper's text
    assert texts() == ["", "", COOKIE]


@pytest.mark.parametrize("consent", ["yes", "no"])
@pytest.mark.parametrize("url", ["/save/", "/asave/"])
@pytest.mark.parametrize("order", [1, -1], ids=["plain around strict", "strict around plain"])
def test_law_13_of_two_middlewares_the_stricter_wins(settings, order, url, consent):
    others = [name for name in settings.MIDDLEWARE if name != ours]
    settings.MIDDLEWARE = [*others, *[ours, f"{__name__}.WithConsent"][::order]]
    client = AsyncClient()
    client.cookies[clicks.COOKIE_NAME] = COOKIE
    client.cookies["consent"] = consent
    assert served(client.get(url)).status_code == 200
    assert set(texts()) == ({COOKIE} if consent == "yes" else {""})
    assert clicks.current.get() == ""


def test_a_logged_in_shopper_is_a_shopper(client):
    client.force_login(get_user_model().objects.create_user("sam"))
    shopper(client).get("/save/")
    assert found() == {"A": "search-1"}


def test_law_13_consent_is_the_shops_word(client, settings):
    settings.MIDDLEWARE = [
        f"{__name__}.WithConsent" if name == ours else name for name in settings.MIDDLEWARE
    ]
    shopper(client).get("/save/1/")
    assert found() == {}
    client.cookies["consent"] = "yes"
    client.get("/save/1/")
    assert found() == {"A": "search-1"}


class ByTheSession(ClickAttributionMiddleware):
    def allows(self, request: HttpRequest) -> bool:
        return request.session.get("consent") == "yes"


class InTheLoop(ClickAttributionMiddleware):
    async def allows(self, request: HttpRequest) -> bool:  # type: ignore[override]
        return False


def test_law_13_consent_may_be_kept_in_the_session_under_asgi(settings):
    settings.MIDDLEWARE = [*(m for m in settings.MIDDLEWARE if m != ours), f"{__name__}.ByTheSession"]
    client = AsyncClient()
    get_user_model().objects.create_user("sam")
    assert served(client.get("/asave/")).content == b""  # without clicks nobody asks
    client.cookies[clicks.COOKIE_NAME] = COOKIE
    assert served(client.get("/save/2/")).content == b""
    session = client.session
    session["consent"] = "yes"
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    assert served(client.get("/save/3/")).content.decode() == COOKIE


def test_law_13_consent_that_nobody_would_wait_for_is_told():
    with pytest.raises(ImproperlyConfigured, match=r"InTheLoop\.allows must not be async"):
        InTheLoop(lambda request: HttpResponse())


def test_law_13_an_order_paid_in_the_admin_keeps_the_shoppers_clicks(staff, neuroon, flush_orders):
    """The operator's own cookie says something else."""
    product = Product.objects.create(sku="A", title="A")
    order = Order.objects.create(number="7", total=Decimal(10))
    order.lines.create(product=product, quantity=1, total=Decimal(10))
    attribute_order(order, {"A": "the-shoppers"})
    flush_orders()
    assert change(staff, order) == 302
    flush_orders()
    [line] = neuroon.conversions["7"]["conversions"]
    assert line["searchLogId"] == "the-shoppers"


def test_law_17_switched_off_no_statement(client, settings):
    settings.NEUROON_ENABLED = False
    assert shopper(client).get("/save/").content == b""
    assert texts() == []


def test_an_order_of_a_request_that_is_rolled_back_never_was(client, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    with pytest.raises(ZeroDivisionError):
        shopper(client).get("/fail/")
    assert texts() == []
    shopper(client).get("/save/")
    assert found() == {"A": "search-1"}


@pytest.mark.parametrize("sent", [COOKIE, {"A": "search-1"}, "%7B%22A%22%3A%22search-1%22%7D"])
def test_a_headless_checkout_hands_the_clicks_over(client, sent):
    body = json.dumps({"clicks": sent})
    client.post("/headless/", body, content_type="application/json")
    assert found() == {"A": "search-1"}


@pytest.mark.parametrize(
    "sent", [None, "", "\x00", "😀", {}, {"A": None}, {"A": ["s"]}, ["A"], 3, "x" * 100_000]
)
def test_a_headless_checkout_may_be_handed_anything(client, sent, flush_orders):
    body = json.dumps({"clicks": sent})
    assert client.post("/headless/", body, content_type="application/json").status_code == 200
    flush_orders()
    assert Conversion.objects.get().clicks == ""


def test_a_mapping_may_hold_what_is_no_text():
    log = uuid4()
    attribute_order(Order.objects.create(number="1"), {"A": log, ("B", 1): {2}, log: b"x"})
    assert found() == {"A": str(log)}


def test_attribute_order_takes_a_request(rf):
    request = rf.get("/")
    request.COOKIES[clicks.COOKIE_NAME] = COOKIE
    attribute_order(Order.objects.create(number="1"), request)
    assert found() == {"A": "search-1"}


@pytest.mark.parametrize(
    "cookie",
    ['"\\000"', '"\\000{\\"A\\":\\"s\\"}"', "\x00", "😀", "é", "\udcff", '"\\377\\376"', "{" * 9000],
)
def test_law_13_a_hostile_cookie_breaks_no_checkout(client, cookie, flush_orders):
    """Django unquotes octal escapes, so a cookie can hold a NUL, which PostgreSQL refuses."""
    header = f"{clicks.COOKIE_NAME}={cookie}".encode("utf-8", "surrogateescape").decode("latin-1")
    assert client.get("/save/", headers={"cookie": header}).status_code == 200
    flush_orders()
    assert Conversion.objects.get().status == "waiting"
