"""The admin's overview: what it shows, and what its buttons do."""

from __future__ import annotations

import re
from html import unescape
from typing import get_args, get_type_hints

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.urls import reverse
from django.utils.translation import override

from neuroon_django import tasks
from neuroon_django.admin import buttons, words
from neuroon_django.api import Client as NeuroonClient
from neuroon_django.exceptions import Forbidden, KeyRefused, RateLimited
from neuroon_django.models import Conversion, SyncedProduct
from neuroon_django.operations.health import health_of
from neuroon_django.operations.phrases import phrase
from neuroon_django.operations.steps import Step
from neuroon_django.operations.verification import Verification
from neuroon_django.recording.wakeup import ORDERS as FLUSH_ORDERS
from neuroon_django.recording.wakeup import PRODUCTS as FLUSH_PRODUCTS
from neuroon_django.recording.wakeup import VERIFICATION
from tests.factories import current_shop, make_order, make_product, pauses
from tests.operators.admin.pages import OVERVIEW
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("button", [*buttons.BUTTONS])
def test_who_may_look_may_not_push_buttons(neuroon, reader, button):
    assert f'name="{button}"' not in reader.get(reverse(OVERVIEW)).content.decode()
    assert reader.post(reverse(OVERVIEW), {button: "1"}).status_code == 403
    assert neuroon.requests == []


def words_of(html: str) -> str:
    """Return the words of a page, without what time alone changes."""
    text = unescape(re.sub(r"<[^>]+>", " ", html))
    return re.sub(r"\d+ s\b", "… s", " ".join(text.split()))


def test_the_overview(neuroon, flush, operator):
    make_product("A")
    make_product("B", price=None)
    flush()
    make_product("C")
    shop = current_shop()
    shop.endpoint("products").failed(Forbidden("not verified", method="POST", path="/p", status=403))
    html = operator.get(reverse(OVERVIEW)).content.decode()
    text = words_of(html)
    assert "synced 1 rejected 1 " in text
    assert "Unprocessed changes 2" in text  # the product and its stock record
    assert re.search(r"1 no price \d\d/\d\d/\d{4} .+ Retry 1 ", text)


def test_the_verdict_stands_on_top_with_each_cause_once_its_cure_and_its_button(
    neuroon, flush, operator, reader
):
    make_product("A")
    make_product("B", price=None)
    flush()
    current_shop().endpoint("products").failed(
        Forbidden("not verified", method="POST", path="/p", status=403)
    )
    verdict = health_of(current_shop()).verdict
    html = operator.get(reverse(OVERVIEW)).content.decode()
    banner = html.partition(f'<section class="neuroon-banner neuroon-{verdict.level}"')[2]
    banner = banner.partition("</section>")[0]
    assert verdict.level == "red" and words_of(verdict.text) in words_of(banner)
    assert banner.count("not verified") == 1
    for problem in verdict.problems:
        assert words_of(problem.cure) in words_of(banner)
        assert not problem.action or f'name="{problem.action}"' in banner
    assert {problem.action for problem in verdict.problems} - {""} <= {*buttons.BUTTONS}
    looked = reader.get(reverse(OVERVIEW)).content.decode()
    assert "<button" not in looked.partition("neuroon-banner")[2].partition("<footer")[0]


def test_every_step_and_result_has_a_word(neuroon):
    make_product("A")
    shop = current_shop()
    error = RateLimited("slow", method="POST", path="x", status=429, retry_after=3_000)
    shop.endpoint("products").failed(error)
    assert words.RESULTS.keys() == set(get_args(get_type_hints(Step)["result"]))
    assert words.STEPS.keys() == {step.name for step in Verification(shop.config).run()}


def test_law_06_neuroon_is_asked_outside_of_transactions(neuroon, flush, operator, monkeypatch):
    make_product("A")
    flush()
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    listed, atomic = NeuroonClient.list_products, []

    def seen(client: NeuroonClient, *args: object) -> object:
        atomic.append(connection.in_atomic_block)
        return listed(client, *args)

    monkeypatch.setattr(NeuroonClient, "list_products", seen)
    operator.post(reverse(OVERVIEW), {"compare": "1"})
    row = SyncedProduct.objects.get()
    url = reverse("admin:neuroon_django_syncedproduct_act", args=[row.pk])
    operator.post(url, {"act": "ask"})
    assert atomic == [False, False]


@pytest.mark.parametrize(
    ("button", "woken"),
    [
        ("resume", {FLUSH_PRODUCTS, FLUSH_ORDERS}),
        ("sync", {FLUSH_PRODUCTS, FLUSH_ORDERS}),
        ("scan", {FLUSH_PRODUCTS}),
        ("verify", {VERIFICATION}),
        ("compare", set()),
    ],
)
def test_buttons_wake_who_has_work_now(neuroon, operator, monkeypatch, button, woken):
    asked = []
    monkeypatch.setattr(buttons, "wake_after_commit", asked.append)
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
    answer = operator.post(reverse(OVERVIEW), {"scan": "1"}, follow=True)
    text = " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())
    assert "Last scan asked for, waits for a worker" in text
    flush()
    assert neuroon.products["A"]["name"] == "New"


def verify(operator) -> str:
    """Press the button, and be the worker; return the page that follows."""
    answer = operator.post(reverse(OVERVIEW), {"verify": "1"}, follow=True)
    assert answer.redirect_chain and "asked for, waits for a worker" in answer.content.decode()
    tasks.verify_shop()
    return operator.get(reverse(OVERVIEW)).content.decode()


def test_verify_shows_the_steps(neuroon, operator):
    make_product("A")
    neuroon.verified = False
    html = verify(operator)
    assert 'neuroon-failed">' not in html
    assert neuroon.verified
    assert current_shop().verified_domain == "https://mystore.com"
    neuroon.conflict = True
    html = verify(operator)
    assert '<span class="neuroon-state neuroon-failed">failed</span></td><th scope="row">domain' in html
    assert "open a support ticket" in html
    assert neuroon.api_key not in html


@pytest.mark.parametrize(("name", "value"), [("TIMEOUT", "60s"), ("IN_FLIGHT", "four")])
def test_verify_with_a_wrong_setting_names_it(neuroon, settings, operator, name, value):
    setattr(settings, f"NEUROON_{name}", value)
    html = verify(operator)
    assert (
        '<span class="neuroon-state neuroon-failed">failed</span></td><th scope="row">settings' in html
    )
    assert f"NEUROON_{name} is &#x27;{value}&#x27;, which is no value for it." in html


def test_the_overview_in_spanish(neuroon, settings, operator):
    settings.LANGUAGE_CODE = "es"
    operator.post(reverse(OVERVIEW), {"verify": "1"})
    html = operator.get(reverse(OVERVIEW)).content.decode()
    assert "pedido, espera a un proceso de trabajo" in html
    neuroon.conflict = True
    tasks.verify_shop()
    html = operator.get(reverse(OVERVIEW)).content.decode()
    section = html.partition('id="neuroon-steps"')[2]
    steps = list(dict.fromkeys(re.findall(r'<th scope="row">(.+?)</th><td>', section)))
    assert steps[:7] == ["ajustes", "fuentes", "tablas", "celery", "api", "ruta", "dominio"]
    assert 'neuroon-failed">fallo</span></td><th scope="row">dominio' in html


def test_what_was_rejected_stands_by_reason_and_is_tried_again(neuroon, flush, operator):
    for n in range(3):
        make_product(f"P-{n}", price=None)
    make_product("LONG", price="-1")
    flush()
    html = operator.get(reverse(OVERVIEW)).content.decode()
    assert "Retry these 3" in html and "Retry 1" in html
    assert 'href="/admin/neuroon_django/syncedproduct/?error=no%20price"' in html
    data = {"retry": "1", "kind": "product", "reason": "no price"}
    answer = operator.post(reverse(OVERVIEW), data, follow=True)
    assert [str(m) for m in answer.context["messages"]] == ["3 products are queued."]
    statuses = dict(SyncedProduct.objects.values_list("external_id", "status"))
    assert statuses == {"P-0": "pending", "P-1": "pending", "P-2": "pending", "LONG": "rejected"}


def test_orders_are_tried_again_by_their_reason(neuroon, flush_orders, operator):
    make_order("1", make_product("A"))
    neuroon.fault("status", status=422, endpoint="conversion")
    flush_orders()
    row = Conversion.objects.get()
    assert row.status == "rejected" and row.failed_at
    data = {"retry": "1", "kind": "order", "reason": row.last_error}
    answer = operator.post(reverse(OVERVIEW), data, follow=True)
    assert [str(m) for m in answer.context["messages"]] == ["1 order is queued."]


def test_the_button_beside_rejected_orders_tries_the_orders_again(
    neuroon, flush, flush_orders, operator
):
    make_order("1", make_product("A", price=None))
    flush()
    neuroon.fault("status", status=422, endpoint="conversion")
    flush_orders()
    html = operator.get(reverse(OVERVIEW)).content.decode()
    assert 'name="retry_orders"' in html
    answer = operator.post(reverse(OVERVIEW), {"retry_orders": "1"}, follow=True)
    assert [str(m) for m in answer.context["messages"]] == ["1 order is queued."]
    assert SyncedProduct.objects.get().status == "rejected"


def test_products_are_counted_when_somebody_asks(neuroon, flush, operator):
    make_product("A"), make_product("B"), make_product("C", price=None)
    flush()
    page = operator.get(reverse(OVERVIEW)).content.decode()
    assert "<dt>Last compared</dt><dd>never</dd>" in page
    answer = operator.post(reverse(OVERVIEW), {"compare": "1"}, follow=True)
    html = answer.content.decode()
    assert [str(m) for m in answer.context["messages"]] == ["The products were counted."]
    assert "<dt>In the shop</dt><dd>3</dd>" in html
    assert "<dt>In step or on the way</dt><dd>2</dd>" in html
    assert "<dt>At Neuroon</dt><dd>2</dd>" in html
    assert "<dt>Last compared</dt><dd>never</dd>" not in html
    neuroon.fault("status", status=503, endpoint="list")
    answer = operator.post(reverse(OVERVIEW), {"compare": "1"}, follow=True)
    assert "Neuroon did not say: " in answer.content.decode()


@pytest.mark.parametrize("button", [*buttons.BUTTONS])
def test_every_button_is_in_the_log_and_ends_in_a_redirect(neuroon, operator, button):
    answer = operator.post(reverse(OVERVIEW), {button: "1"})
    assert (answer.status_code, answer["Location"]) == (302, reverse(OVERVIEW))
    entry = LogEntry.objects.get()
    assert entry.change_message in [str(m) for m in get_messages(answer.wsgi_request)]


def test_an_unknown_button_is_none(neuroon, operator):
    assert operator.post(reverse(OVERVIEW), {"explode": "1"}).status_code == 404


def test_the_search_itself_on_a_page(neuroon, operator, reader):
    url = reverse("admin:neuroon_django_shopstate_preview")
    answer = reader.get(url)
    assert 'src="https://cdn.neuroon.ai/widget.js"' in answer.content.decode()
    assert 'data-token="' in answer.content.decode()


def test_without_a_token_the_preview_says_so(neuroon, reader, settings):
    settings.NEUROON_API_KEY = ""
    html = reader.get(reverse("admin:neuroon_django_shopstate_preview")).content.decode()
    assert "There is no widget token yet" in html


def test_the_verdict_is_in_the_persons_language_and_a_commands_is_not(
    neuroon, flush, settings, operator
):
    make_product("A"), make_product("B", price=None)
    flush()
    current_shop().endpoint("products").failed(
        KeyRefused("Invalid API key", method="POST", path="/p", status=401)
    )
    settings.LANGUAGE_CODE = "es"
    text = words_of(operator.get(reverse(OVERVIEW)).content.decode())
    assert "No se ha entregado nada desde" in text
    assert "Neuroon rechazó la clave (401); próximo intento en" in text
    assert "Corrija NEUROON_API_KEY y ejecute: manage.py neuroon_verify" in text
    assert "Se rechazó 1 producto (no price)" in text
    with override("es"):
        said = health_of(current_shop()).as_json()
    assert said["verdict"]["text"].startswith("Nothing has been delivered since")
    assert said["problems"][1]["text"] == "1 product was rejected (no price)"


@pytest.mark.parametrize("text", ["{reason}", "100 % {", "{0.__class__}", "%(n)s", ""])
def test_what_others_wrote_is_no_template(text):
    said = phrase("Changes do not reach this shop's queue: {reason}", reason=text)
    with override("es"):
        assert words.localized(said) == f"Los cambios no llegan a la cola de esta tienda: {text}"
        assert words.localized(text) == text
