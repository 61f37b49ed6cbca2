"""The admin's overview: what it shows, and what its buttons do."""

from __future__ import annotations

import re
from typing import get_args, get_type_hints

import pytest
from django.db import connection
from django.urls import reverse

from neuroon_django.admin import overview, words
from neuroon_django.api import Client as NeuroonClient
from neuroon_django.exceptions import Forbidden, KeyRefused, RateLimited
from neuroon_django.operations.steps import Step
from neuroon_django.operations.verification import Verification
from neuroon_django.recording.wakeup import ORDERS as FLUSH_ORDERS
from neuroon_django.recording.wakeup import PRODUCTS as FLUSH_PRODUCTS
from tests.factories import current_shop, make_product, pauses
from tests.operators.admin.pages import OVERVIEW
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("button", ["resume", "scan", "verify"])
def test_who_may_look_may_not_push_buttons(neuroon, reader, button):
    assert f'name="{button}"' not in reader.get(reverse(OVERVIEW)).content.decode()
    assert reader.post(reverse(OVERVIEW), {button: "1"}).status_code == 403
    assert neuroon.requests == []


def test_the_overview(neuroon, flush, operator):
    make_product("A")
    make_product("B", price=None)
    flush()
    make_product("C")
    shop = current_shop()
    shop.endpoint("products").failed(Forbidden("not verified", method="POST", path="/p", status=403))
    html = operator.get(reverse(OVERVIEW)).content.decode()
    text = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    assert "products : POST /p: 403 not verified" in text
    assert "synced 1 rejected 1 unlisted 0" in text
    assert "Unprocessed changes 2" in text  # the product and its stock record
    assert "1 no price" in text
    assert text.count("To see what to correct, run: manage.py neuroon_verify") == 1
    assert "1 product was rejected (no price) Fix it, then run: manage.py neuroon_sync --retry" in text
    assert 'name="resume"' in html


def test_a_problem_is_shown_once(neuroon, settings, operator):
    shop = current_shop()
    shop.endpoint("products").failed(Forbidden("not verified", method="POST", path="/p", status=403))
    settings.NEUROON_API_KEY = ""
    html = operator.get(reverse(OVERVIEW)).content.decode()
    assert html.count("Nothing is sent: ") == 1
    assert "Needs attention" not in html
    settings.NEUROON_API_KEY = neuroon.api_key
    html = operator.get(reverse(OVERVIEW)).content.decode()
    assert html.count("POST /p: 403 not verified") == 2  # of products and of deletes
    assert "Needs attention" not in html


def test_every_step_and_result_has_a_word(neuroon):
    make_product("A")
    shop = current_shop()
    error = RateLimited("slow", method="POST", path="x", status=429, retry_after=3_000)
    shop.endpoint("products").failed(error)
    assert words.RESULTS.keys() == set(get_args(get_type_hints(Step)["result"]))
    assert words.STEPS.keys() == {step.name for step in Verification(shop.config).run()}


def test_law_06_verify_asks_neuroon_outside_of_transactions(neuroon, operator, monkeypatch):
    make_product("A")
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    verify, atomic = NeuroonClient.verify, []

    def seen(client: NeuroonClient, domain: str) -> object:
        atomic.append(connection.in_atomic_block)
        return verify(client, domain)

    monkeypatch.setattr(NeuroonClient, "verify", seen)
    operator.post(reverse(OVERVIEW), {"verify": "1"})
    assert atomic == [False]


@pytest.mark.parametrize(
    ("button", "woken"),
    [("resume", {FLUSH_PRODUCTS, FLUSH_ORDERS}), ("scan", {FLUSH_PRODUCTS})],
)
def test_buttons_wake_who_has_work_now(neuroon, operator, monkeypatch, button, woken):
    asked = []
    monkeypatch.setattr(overview, "wake_after_commit", asked.append)
    operator.post(reverse(OVERVIEW), {button: "1"})
    assert set(asked) == woken


def test_resume_ends_pauses(neuroon, operator):
    shop = current_shop()
    shop.endpoint("products").failed(Forbidden("no", method="POST", path="/p", status=403))
    answer = operator.post(reverse(OVERVIEW), {"resume": "1"}, follow=True)
    assert "All pauses have ended." in answer.content.decode()
    assert pauses() == {}


def test_scan_makes_the_next_run_scan(neuroon, flush, operator):
    make_product("A")
    flush()
    Product.objects.update(title="New")
    operator.post(reverse(OVERVIEW), {"scan": "1"})
    flush()
    assert neuroon.products["A"]["name"] == "New"


def test_verify_shows_the_steps(neuroon, operator):
    make_product("A")
    neuroon.verified = False
    html = operator.post(reverse(OVERVIEW), {"verify": "1"}).content.decode()
    assert "The verification has passed." in html
    assert neuroon.verified
    assert current_shop().verified_domain == "https://mystore.com"
    neuroon.conflict = True
    html = operator.post(reverse(OVERVIEW), {"verify": "1"}).content.decode()
    assert "Failed: domain" in html
    assert "open a support ticket" in html
    assert neuroon.api_key not in html


@pytest.mark.parametrize(("name", "value"), [("TIMEOUT", "60s"), ("IN_FLIGHT", "four")])
def test_verify_with_a_wrong_setting_names_it(neuroon, settings, operator, name, value):
    setattr(settings, f"NEUROON_{name}", value)
    html = operator.post(reverse(OVERVIEW), {"verify": "1"}).content.decode()
    assert "Failed: settings" in html
    assert f"NEUROON_{name} is &#x27;{value}&#x27;, which is no value for it." in html


def test_the_overview_in_spanish(neuroon, settings, operator):
    settings.LANGUAGE_CODE = "es"
    shop = current_shop()
    shop.endpoint("products").failed(KeyRefused("no", method="POST", path="/p", status=401))
    neuroon.conflict = True
    html = operator.post(reverse(OVERVIEW), {"verify": "1"}).content.decode()
    paused = re.findall(r"<li><strong>(.+?)</strong>", html)
    assert paused == ["productos", "borrados", "conversiones", "token"]
    steps = list(dict.fromkeys(re.findall(r'<th scope="row">(.+?)</th><td>', html)))
    assert steps[:7] == [
        "ajustes",
        "fuentes",
        "tablas",
        "celery",
        "api",
        "ruta",
        "dominio",
    ]
    assert "Ha fallado: dominio" in html
