"""What the tags print, whole."""

from __future__ import annotations

import re
import time

import pytest
from django.http import HttpRequest, HttpResponse
from django.template import Context, RequestContext, engines
from django.test import RequestFactory
from django.urls import path
from django.utils.functional import SimpleLazyObject

from neuroon_django import widget
from neuroon_django.conf import conf
from neuroon_django.templatetags import neuroon as templatetags
from neuroon_django.widget import pages
from neuroon_django.widget import token as issuing

pytestmark = pytest.mark.django_db(transaction=True)

TAIL = " async></script>"
DIV = '<div id="neuroon-search"></div>'


def render(text: str, request=None, **context: object) -> str:
    template = engines["django"].from_string("{% load neuroon %}" + text).template
    made = Context(context) if request is None else RequestContext(request, context)
    return template.render(made)


@pytest.fixture
def token(neuroon, settings) -> str:
    """A token that pages get; the sandbox's address stands in every tag."""
    return widget.get_token()


WIDGET = '<script src="https://cdn.neuroon.ai/widget.js" crossorigin="anonymous" data-token'


def test_the_widget_brings_its_own_container(neuroon, token):
    assert render("{% neuroon_widget %}") == (
        f'{DIV}{WIDGET}="{token}" data-container="#neuroon-search" data-theme="auto" '
        f'data-position="inline" data-api-url="{neuroon.url}"{TAIL}'
    )


def test_the_shops_container_and_every_argument(neuroon, token):
    tag = (
        '{% neuroon_widget container="#search > .box" theme="dark" locale=LANGUAGE_CODE '
        'position="floating" data_max_results=0 data_debug=True data_none=None %}'
    )
    assert render(tag, LANGUAGE_CODE="pt-br") == (
        f'{WIDGET}="{token}" data-container="#search &gt; .box" data-theme="dark" data-locale="pt" '
        f'data-position="floating" data-api-url="{neuroon.url}" data-max-results="0" '
        f'data-debug="true"{TAIL}'
    )


@pytest.mark.parametrize(
    ("locale", "shown"),
    [("es", "es"), ("ES_mx", "es"), ("zh-hans", None), ("", None), (None, None), ("x" * 99, None)],
)
def test_a_locale_is_cut_to_what_the_widget_knows(token, locale, shown):
    page = render("{% neuroon_widget locale=locale %}", locale=locale)
    assert ("data-locale" in page) == (shown is not None)
    assert f'data-locale="{shown}"' in page or shown is None


def test_everything_is_escaped(token, settings):
    hostile = '"><script>alert(1)</script>'
    settings.NEUROON_WIDGET_URL = hostile
    tag = "{% neuroon_widget container=h theme=h position=h data_h=h %}"
    page = render(tag, h=hostile)
    assert page.count("<script") == 1
    assert page.count("&quot;&gt;&lt;script&gt;alert(1)") == 3  # the address, container and data-h


@pytest.fixture
def unreported(monkeypatch) -> None:
    """A process that has logged no argument yet."""
    monkeypatch.setattr(templatetags, "_reported", set())


@pytest.mark.parametrize("tag", ["neuroon_widget", "neuroon_widget cached=True"])
@pytest.mark.parametrize(
    ("argument", "wrong", "right", "kept"),
    [
        ("theme", "blue", '"auto", "light" or "dark"', 'data-theme="auto"'),
        ("theme", "Dark", '"auto", "light" or "dark"', 'data-theme="auto"'),
        ("theme", 5, '"auto", "light" or "dark"', 'data-theme="auto"'),
        ("theme", ["dark"], '"auto", "light" or "dark"', 'data-theme="auto"'),
        ("position", "left", '"inline" or "floating"', 'data-position="inline"'),
        ("position", True, '"inline" or "floating"', 'data-position="inline"'),
        ("container", "search-box", '"#search-box", a CSS selector', 'data-container="search-box"'),
    ],
)
def test_an_argument_that_there_is_not_is_logged_once(
    token, unreported, caplog, tag, argument, wrong, right, kept
):
    for _ in range(3):
        assert kept in render(f"{{% {tag} {argument}=value %}}", value=wrong)
    assert [r.getMessage() for r in caplog.records] == [
        f"widget_argument {argument}={wrong!r}: write {right}"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        'theme="light" position="floating" container="#search"',
        'theme="" position=None container=".box > p"',
        'container="main"',
        'container="[data-search]"',
    ],
)
def test_right_arguments_are_not_logged(token, unreported, caplog, arguments):
    assert "<script" in render("{% neuroon_widget " + arguments + " %}")
    assert caplog.records == []


def test_what_a_shopper_may_choose_is_logged_on_one_line(token, unreported, caplog):
    render("{% neuroon_widget theme=value %}", value="dark\n\x1b[31mERROR " + "x" * 10_000)
    [record] = caplog.records
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) < 200


def test_the_default_api_address_is_not_printed(token, settings):
    pages.memory.clear()
    settings.NEUROON_API_URL = "https://api.neuroon.ai"
    pages.memory[issuing.token_key(conf.shop())] = pages.CachedToken(issuing.Token("wt_1", time.time()))
    assert "data-api-url" not in render("{% neuroon_widget %}")


def test_settings_give_theme_position_and_address(token, settings):
    settings.NEUROON_WIDGET_THEME = "light"
    settings.NEUROON_WIDGET_POSITION = "floating"
    settings.NEUROON_WIDGET_URL = "https://cdn.neuroon.ai/widget@0.9.10/widget.js"
    page = render("{% neuroon_widget %}")
    assert 'data-theme="light"' in page
    assert 'data-position="floating"' in page
    assert 'src="https://cdn.neuroon.ai/widget@0.9.10/widget.js"' in page


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        ("https://cdn.neuroon.ai/widget@0.9.10/widget.js", True),
        ("https://cdn.neuroon.ai/widget.js", False),
        ("https://cdn.neuroon.ai/widget.js?v=2", False),
        ("https://cdn.neuroon.ai//widget.js", False),
        ("https://cdn.neuroon.ai/widget@latest/widget.js", False),
        ("https://dev-cdn.neuroon.ai/widget.js", False),
        ("https://static.mystore.com/widget.js", True),
    ],
)
@pytest.mark.parametrize("tag", ["{% neuroon_widget %}", "{% neuroon_widget cached=True %}"])
def test_integrity_only_with_a_pinned_address(token, settings, url, pinned, tag):
    settings.NEUROON_WIDGET_URL = url
    settings.NEUROON_WIDGET_INTEGRITY = "sha384-abc"
    assert ('integrity="sha384-abc"' in render(tag)) == pinned


def test_each_attribute_once_and_the_token_is_neuroons(token):
    given = 'data_api_url="https://x.test" data_theme="x" data_token="forged" data_far_off="1"'
    html = render("{% neuroon_widget " + given + " %}")
    names = re.findall(r" ([a-z-]+)=", html)
    assert sorted(names) == sorted(set(names))
    assert "forged" not in html
    assert 'data-far-off="1"' in html


def test_the_loader_for_pages_that_are_cached_whole(neuroon):
    assert render('{% neuroon_widget cached=True locale="en" %}') == (
        f'{DIV}<script src="/static/neuroon_django/loader.js" '
        'data-neuroon-src="https://cdn.neuroon.ai/widget.js" '
        'data-neuroon-endpoint="/neuroon/widget-token/" data-container="#neuroon-search" '
        'data-theme="auto" data-locale="en" data-position="inline" '
        f'data-api-url="{neuroon.url}"{TAIL}'
    )
    assert neuroon.requests == []


def test_without_the_endpoint_the_loader_is_left_out_and_it_is_told(neuroon, settings, caplog):
    settings.ROOT_URLCONF = __name__
    assert render("{% neuroon_widget cached=True %}") == ""
    assert 'path("neuroon/", include("neuroon_django.urls"))' in caplog.text


def test_static_files_that_were_not_collected_are_told(neuroon, settings, caplog):
    manifest = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": manifest}}
    assert render("{% neuroon_widget cached=True %}") == ""
    assert "no_widget_loader: set STATIC_URL and run manage.py collectstatic" in caplog.text


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(render("{% neuroon_widget %}", request))


urlpatterns = [path("page/", page)]


@pytest.mark.urls(__name__)
def test_the_nonce_of_djangos_own_policy(token, client, settings):
    pytest.importorskip("django.middleware.csp", reason="Django 6.0 brings it")
    from django.utils.csp import CSP

    settings.SECURE_CSP = {"script-src": [CSP.NONCE]}
    csp = "django.middleware.csp.ContentSecurityPolicyMiddleware"
    settings.MIDDLEWARE = [csp, *settings.MIDDLEWARE]
    response = client.get("/page/")
    nonce = re.search(r'nonce="([^"]+)"', response.content.decode())[1]
    assert response["Content-Security-Policy"] == f"script-src 'nonce-{nonce}'"


@pytest.mark.urls(__name__)
def test_the_nonce_of_django_csp(token, client, settings):
    from csp.constants import NONCE

    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"script-src": [NONCE]}}
    settings.MIDDLEWARE = ["csp.middleware.CSPMiddleware", *settings.MIDDLEWARE]
    response = client.get("/page/")
    nonce = re.search(r'nonce="([^"]+)"', response.content.decode())[1]
    assert f"'nonce-{nonce}'" in response["Content-Security-Policy"]


class Nonce:
    """A nonce that says whether it was read, as Django's and django-csp's are put to use by that."""

    def __init__(self) -> None:
        self.read = 0
        self.lazy = SimpleLazyObject(self.make)

    def make(self) -> str:
        self.read += 1
        return "n0nce"


@pytest.mark.parametrize("place", ["context", "csp_nonce", "_csp_nonce"])
@pytest.mark.parametrize("tag", ["{% neuroon_widget %}", "{% neuroon_widget cached=True %}"])
def test_the_nonce_of_django_and_of_django_csp(token, place, tag):
    nonce, request = Nonce(), RequestFactory().get("/")
    context = {"csp_nonce": nonce.lazy} if place == "context" else {}
    if place != "context":
        setattr(request, place, nonce.lazy)
    assert ' nonce="n0nce"' in render(tag, request, **context)
    assert nonce.read == 1


def test_the_nonce_is_not_put_to_use_where_nothing_is_printed(neuroon):
    neuroon.verified = False
    nonce, request = Nonce(), RequestFactory().get("/")
    request.csp_nonce = nonce.lazy
    assert render("{% neuroon_widget %}", request) == ""
    assert nonce.read == 0


def test_no_token_prints_nothing(neuroon):
    neuroon.verified = False
    assert render("[{% neuroon_widget %}{% neuroon_widget_token %}]") == "[]"


@pytest.mark.parametrize(
    "off", [{"NEUROON_ENABLED": False}, {"NEUROON_API_KEY": ""}, {"NEUROON_SHOP_ID": ""}]
)
def test_law_17_switched_off_the_tags_are_empty(neuroon, settings, off, django_assert_num_queries):
    for name, value in off.items():
        setattr(settings, name, value)
    tags = "{% neuroon_widget %}{% neuroon_widget cached=True %}{% neuroon_widget_token %}"
    with django_assert_num_queries(0):
        assert render(tags) == ""
    assert neuroon.requests == []


def test_the_token_alone(token):
    assert render("{% neuroon_widget_token %}") == token
    assert render("{% neuroon_widget_token as t %}[{{ t }}]") == f"[{token}]"


def test_the_template_can_be_overridden(token, settings, tmp_path):
    folder = tmp_path / "neuroon_django"
    folder.mkdir()
    (folder / "widget.html").write_text("<s>{{ container_id }}</s>")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert render("{% neuroon_widget %}") == "<s>neuroon-search</s>"
