"""Which shop a request is for, and what an order that is saved in it carries."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import translation

from neuroon_django import attribute_order, clicks
from neuroon_django.conf import conf
from neuroon_django.models import Change
from neuroon_django.request_shop import shop_for_request
from tests.factories import COOKIE, make_product
from tests.shop.models import Order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

HOSTS = {
    "es": {"STOREFRONT_URL": "https://mystore.es", "LANGUAGE": "es"},
    "uk": {"STOREFRONT_URL": "https://www.mystore.co.uk:8443/shop", "LANGUAGE": "en-gb"},
    "us": {"STOREFRONT_URL": "https://mystore.com", "LANGUAGE": "en-us"},
}
LANGUAGES = {
    "es": {"STOREFRONT_URL": "https://mystore.com", "LANGUAGE": "es"},
    "uk": {"STOREFRONT_URL": "https://mystore.com", "LANGUAGE": "en-gb"},
    "fr": {"STOREFRONT_URL": "https://mystore.com", "LANGUAGE": "fr"},
}
SAME = {"a": {"LANGUAGE": "es"}, "b": {"LANGUAGE": "es"}}
ONE = {"only": {"STOREFRONT_URL": "https://elsewhere.com", "LANGUAGE": "fr"}}


def by_header(request: HttpRequest) -> object:
    return request.headers.get("X-Market")


def failing(request: HttpRequest) -> str:
    raise ZeroDivisionError


def save(request: HttpRequest) -> HttpResponse:
    Order.objects.create(number="1", total=Decimal(10))
    return HttpResponse()


def headless(request: HttpRequest) -> HttpResponse:
    order = Order.objects.create(number="1", total=Decimal(10))
    attribute_order(order, request)
    return HttpResponse()


urlpatterns = [path("save/", save), path("headless/", headless)]


@pytest.fixture
def several(settings):
    """Configure shops with ids of their own by alias."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.NEUROON_SHOP_ID = ""

    def configure(shops: dict[str, dict[str, str]]) -> None:
        settings.NEUROON_SHOPS = {a: {"SHOP_ID": f"shop_{a}", **own} for a, own in shops.items()}

    return configure


@pytest.mark.parametrize(
    ("shops", "host", "language", "function", "expected"),
    [
        (ONE, "mystore.es", "es", "", "only"),
        (HOSTS, "mystore.es", "en", "", "es"),
        (HOSTS, "www.mystore.es:8000", "en", "", "es"),
        (HOSTS, "MYSTORE.CO.UK", "es", "", "uk"),
        (HOSTS, "[::1]:8000", "es", "", "es"),
        (HOSTS, "localhost", "es", "", "es"),
        (HOSTS, "localhost", "es-mx", "", "es"),
        (HOSTS, "localhost", "en-gb", "", "uk"),
        (HOSTS, "localhost", "EN-US", "", "us"),
        (HOSTS, "localhost", "fr", "", None),
        (HOSTS, "not a host", "es", "", "es"),
        (LANGUAGES, "mystore.com", "fr", "", "fr"),
        (LANGUAGES, "mystore.com", "en", "", "uk"),
        (LANGUAGES, "mystore.com", "de", "", None),
        (SAME, "mystore.com", "es", "", None),
        (HOSTS, "mystore.es", "es", "by_header", "uk"),
        (SAME, "mystore.com", "es", "failing", None),
        (HOSTS, "mystore.es", "es", "failing", "es"),
        (HOSTS, "mystore.es", "es", "no_such_function", "es"),
    ],
)
def test_law_20_the_shop_of_a_request(several, settings, shops, host, language, function, expected):
    several(shops)
    settings.NEUROON_SHOP_FOR_REQUEST = function and f"{__name__}.{function}"
    request = RequestFactory().get("/", headers={"Host": host, "X-Market": "uk"})
    request.LANGUAGE_CODE = language
    shop = shop_for_request(request)
    assert (shop and shop.alias) == expected


@pytest.mark.parametrize(("said", "expected"), [("xx", None), ("", "es"), (None, "es"), (5, "es")])
def test_what_the_projects_function_says(several, settings, said, expected):
    several(HOSTS)
    settings.NEUROON_SHOP_FOR_REQUEST = f"{__name__}.by_header"
    request = RequestFactory().get("/", headers={"Host": "mystore.es"})
    request.headers = {"X-Market": said}
    shop = shop_for_request(request)
    assert (shop and shop.alias) == expected


@pytest.mark.parametrize(("language", "expected"), [("fr", "fr"), ("es-ar", "es"), ("de", None)])
def test_without_a_request_the_active_language_tells(several, language, expected):
    several(LANGUAGES)
    with translation.override(language):
        shop = shop_for_request(None)
    assert (shop and shop.alias) == expected


@pytest.mark.parametrize("url", ["/save/", "/headless/"])
@pytest.mark.parametrize(("host", "alias"), [("mystore.es", "es"), ("mystore.co.uk", "uk")])
def test_law_20_an_order_carries_the_shop_that_it_was_clicked_in(several, client, url, host, alias):
    several(HOSTS)
    client.cookies["neuroon_clicks"] = COOKIE
    assert client.get(url, headers={"Host": host}).status_code == 200
    change = Change.objects.exclude(clicks="").order_by("pk").last()
    assert change.shop == conf.shop(alias).fingerprint
    assert clicks.current_shop.get() == ""


def test_without_clicks_no_shop_is_asked_for(several, settings, client):
    several(HOSTS)
    settings.NEUROON_SHOP_FOR_REQUEST = f"{__name__}.failing"
    client.get("/save/", headers={"Host": "mystore.es"})
    assert Change.objects.get().shop == ""


def test_law_20_a_save_with_ten_shops_is_one_statement_more_than_bare(several):
    """It is the same one row for ten shops as for one."""
    product = make_product()
    counts = []
    for shops in (1, 10):
        several({f"s{n}": {"LANGUAGE": "es"} for n in range(shops)})
        Change.objects.all().delete()
        with transaction.atomic(), CaptureQueriesContext(connection) as captured:
            product.save()
        counts.append((len(captured), Change.objects.count()))
    assert counts == [(2, 1), (2, 1)]
