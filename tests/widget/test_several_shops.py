"""The widget of several shops: each page has its own shop's, with that one's token and trouble."""

from __future__ import annotations

import re

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, engines
from django.test import RequestFactory
from django.urls import include, path

from neuroon_django import get_widget_token, tasks
from neuroon_django.templatetags import neuroon as templatetags
from tests.factories import shop_called

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

HOST = {"es": "mystore.es", "uk": "mystore.co.uk", "outlet": "outlet.mystore.es"}
TOKEN = re.compile(r'data-token="([^"]+)"')
ENDPOINT = "/neuroon/widget-token/"


def page(request: HttpRequest, tag: str = "{% neuroon_widget %}") -> HttpResponse:
    template = engines["django"].from_string("{% load neuroon %}" + tag)
    return HttpResponse(template.render({}, request))


def loader(request: HttpRequest) -> HttpResponse:
    return page(request, "{% neuroon_widget cached=True %}")


urlpatterns = [
    path("neuroon/", include("neuroon_django.urls")),
    path("page/", page),
    *i18n_patterns(path("page/", page), path("loader/", loader)),
]


@pytest.fixture(autouse=True)
def _all_hosts(settings, monkeypatch):
    settings.ALLOWED_HOSTS = ["*"]
    monkeypatch.setattr(templatetags, "_reported", set())


def written(text: str, alias: str, language: str = "") -> str:
    request = RequestFactory().get("/", headers={"Host": HOST.get(alias, alias)})
    if language:
        request.LANGUAGE_CODE = language
    template = engines["django"].from_string("{% load neuroon %}" + text).template
    return template.render(RequestContext(request))


def test_law_20_each_host_has_its_own_shops_widget(shops):
    for alias, shop in shops.items():
        html = written("{% neuroon_widget %}", alias)
        assert TOKEN.findall(html) == shop.tokens
        assert written("{% neuroon_widget_token %}", alias) == shop.tokens[0]
    assert len({shop.tokens[0] for shop in shops.values()}) == 3


def test_law_20_a_tag_may_name_another_shop(shops, caplog):
    html = written('{% neuroon_widget shop="uk" %}', "es")
    assert TOKEN.findall(html) == shops["uk"].tokens
    assert written('{% neuroon_widget_token shop="uk" %}', "es") == shops["uk"].tokens[0]
    assert shops["es"].tokens == []
    assert written('{% neuroon_widget shop="xx" %}', "es") == ""
    assert "widget_argument shop='xx': write one of es, uk, outlet" in caplog.text


def test_a_page_that_is_for_no_shop_has_no_widget_and_says_so_once(shops, caplog):
    for _ in range(2):
        assert written("{% neuroon_widget %}", "localhost", "fr") == ""
    assert caplog.text.count("set NEUROON_SHOP_FOR_REQUEST") == 1


def test_law_20_the_endpoint_answers_for_the_requests_shop(shops, client):
    for alias, shop in shops.items():
        answer = client.get(ENDPOINT, headers={"Host": HOST[alias]})
        assert answer.json() == {"token": shop.tokens[0]}
    answer = client.get(f"{ENDPOINT}?shop=uk", headers={"Host": HOST["es"]})
    assert answer.json() == {"token": shops["uk"].tokens[0]}


@pytest.mark.parametrize("query", ["?shop=xx", "?shop=%00", f"?shop={'x' * 5000}", ""])
def test_the_endpoint_knows_no_other_shop(shops, client, query):
    answer = client.get(ENDPOINT + query, headers={"Host": "localhost", "Accept-Language": "fr"})
    assert (answer.status_code, answer.json()) == (404, {"error": "no shop"})


def test_law_20_trouble_of_one_shop_is_no_other_ones(shops, client):
    shops["uk"].verified = False
    assert written("{% neuroon_widget %}", "uk") == ""
    assert TOKEN.findall(written("{% neuroon_widget %}", "es")) == shops["es"].tokens
    assert "domain" in shop_called("uk").endpoint("token").reason
    assert shop_called("es").endpoint("token").reason == ""
    assert client.get(ENDPOINT, headers={"Host": HOST["uk"]}).status_code == 503


def test_law_20_tokens_are_replaced_for_each_shop(shops, celery):
    celery(task_always_eager=True)
    shops["es"].verified = False
    tasks.refresh_widget_token()
    assert [len(shop.tokens) for shop in shops.values()] == [0, 1, 1]


def test_code_asks_by_alias_or_by_the_active_language(shops):
    assert get_widget_token("uk") == shops["uk"].tokens[0]
    assert get_widget_token() == shops["uk"].tokens[0]  # English is active, and one shop's alone
    assert get_widget_token("xx") == ""


CACHED_WHOLE = [
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.cache.FetchFromCacheMiddleware",
    "neuroon_django.middleware.ClickAttributionMiddleware",
]


def test_a_page_that_is_cached_whole_per_language_keeps_its_shops_widget(shops, settings, client):
    """Two languages on one host: what Django's cache tells apart is what the shop depends on."""
    settings.MIDDLEWARE = CACHED_WHOLE
    for alias in ("es", "uk", "outlet"):
        settings.NEUROON_SHOPS[alias]["STOREFRONT_URL"] = "https://mystore.es"
    settings.NEUROON_SHOPS["outlet"]["LANGUAGE"] = "fr"
    for shop in shops.values():
        shop.shop_url = "https://mystore.es"
    for _ in range(2):
        for alias, language in [("es", "es"), ("uk", "en"), ("outlet", "fr")]:
            headers = {"Host": "mystore.es", "Accept-Language": language}
            answer = client.get("/page/", headers=headers)
            assert TOKEN.findall(answer.text) == shops[alias].tokens
            assert "Accept-Language" in answer["Vary"]
            assert TOKEN.findall(client.get(f"/{language}/page/").text) == shops[alias].tokens


def test_law_20_the_loader_asks_for_its_pages_shop(shops, settings, client):
    """Its request may be in the browser's language, not in the page's."""
    settings.MIDDLEWARE = CACHED_WHOLE
    html = client.get("/es/loader/", headers={"Host": "mystore.es", "Accept-Language": "en"}).text
    assert f'data-neuroon-endpoint="{ENDPOINT}?shop=es"' in html
