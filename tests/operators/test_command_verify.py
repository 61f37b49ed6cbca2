"""`neuroon_verify` by its whole output, and what it says of each thing that can be wrong."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Value
from django.utils import translation

from neuroon_django import ConversionLine
from neuroon_django.api import Client
from neuroon_django.exceptions import Forbidden, RateLimited
from neuroon_django.feeds import registry
from neuroon_django.operations import steps
from tests.factories import current_shop, make_order, make_product, pauses
from tests.operators.test_command_sync import neuroon_sync
from tests.shop.models import Order, Product
from tests.shop.neuroon import CatalogueFeed, CheckoutFeed

pytestmark = pytest.mark.django_db(transaction=True)

NO_CELERY = "no Celery broker is configured, or tasks are eager: nobody is woken by a change"


@pytest.fixture(autouse=True)
def _quiet(settings):
    settings.NEUROON_AUTO_SYNC = False  # no broker in the tests, and no warning of it


def neuroon_verify(*options: str, **kwargs: object) -> str:
    out = io.StringIO()
    call_command("neuroon_verify", *options, stdout=out, **kwargs)
    return out.getvalue()


def failing(*options: str) -> tuple[list[str], CommandError]:
    out = io.StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("neuroon_verify", *options, stdout=out)
    return out.getvalue().splitlines(), failed.value


def test_all_is_well(neuroon):
    product = make_product()
    neuroon.verified = False
    size = len(neuroon_sync("--dry-run").splitlines()[0].removeprefix("send A-1 "))
    code = neuroon_verify().partition("verificationCode: ")[2].split()[0]
    assert neuroon_verify() == (
        f"ok       settings shop shop_sandbox at {neuroon.url} for https://mystore.com\n"
        f"ok       feeds    CatalogueFeed: product {product.pk} built with 3 queries, {size} bytes\n"
        "ok       feeds    CheckoutFeed: the shop has no order yet\n"
        "ok       tables   migrated\n"
        f"warning  celery   {NO_CELERY}\n"
        "                  → Until then, run neuroon_sync from cron.\n"
        f"ok       api      {neuroon.url} answers, the key is accepted\n"
        "ok       route    not known yet; the first product that is sent finds it\n"
        "ok       domain   name: Sandbox shop, domain: https://mystore.com, shopId: shop_sandbox, "
        f"verificationCode: {code}\n"
        "ok       token    issued 0 minutes ago\n"
    )
    shop = current_shop()
    assert shop.verified_domain == "https://mystore.com"
    assert shop.verified_at is not None
    assert len(neuroon.tokens) == 1


def test_success_ends_pauses_and_failure_does_not(neuroon):
    make_product()
    shop = current_shop()
    shop.failed("products", Forbidden("no", method="POST", path="/sync", status=403))
    neuroon.conflict = True
    failing()
    assert current_shop().pauses().keys() == {"products", "deletes"}
    neuroon.conflict = False
    neuroon_verify()
    assert pauses() == {}


def test_check_changes_nothing(neuroon):
    make_product()
    neuroon.verified = False
    shop = current_shop()
    shop.failed("products", Forbidden("no", method="POST", path="/sync", status=403))
    lines, failed = failing("--check")
    assert str(failed) == "Failed: domain"
    assert [r.endpoint for r in neuroon.requests] == ["verification-data"]
    assert lines[-3].startswith("failed   domain   verified: False, verificationCode: ")
    assert "instructions: " in lines[-3]
    assert lines[-2].strip() == "→ Run neuroon_verify without --check."
    assert lines[-1] == "warning  token    none was issued yet"
    assert current_shop().pauses()
    assert current_shop().verified_at is None


def test_json(neuroon):
    make_product()
    told = json.loads(neuroon_verify("--json"))
    assert told["passed"] is True
    assert [(step["name"], step["verdict"]) for step in told["steps"]] == [
        ("settings", "ok"),
        ("feeds", "ok"),
        ("feeds", "ok"),
        ("tables", "ok"),
        ("celery", "warning"),
        ("api", "ok"),
        ("route", "ok"),
        ("domain", "ok"),
        ("token", "ok"),
    ]
    assert neuroon.api_key not in json.dumps(told)


def test_domains_are_verified_in_turn(neuroon):
    make_product()
    neuroon.staging = True
    neuroon_verify("--domain", "https://a.test", "--domain", "https://b.test")
    assert neuroon.domains == ["https://a.test", "https://b.test"]
    assert [r.headers["Origin"] for r in neuroon.requests_to("verify")] == neuroon.domains


@pytest.mark.parametrize(
    ("change", "step", "todo"),
    [
        (
            {"api_key": "sk_other"},
            "api",
            "Correct NEUROON_API_KEY. A key of https://dev-api.neuroon.ai",
        ),
        (
            {"shop_id": "shop_other"},
            "api",
            "NEUROON_SHOP_ID must be the shop of this key (it is shop_sandbox), and "
            "NEUROON_STOREFRONT_URL its address at Neuroon, shop.url in the dashboard (it is "
            "https://mystore.com): correct the one that is not, then run this again.",
        ),
        ({"shop_url": "https://other.com"}, "api", "NEUROON_SHOP_ID must be the shop of this key"),
        ({"conflict": True}, "domain", "Another shop has verified this domain: open a support ticket"),
    ],
)
def test_each_refusal_says_what_to_do(neuroon, change, step, todo):
    make_product()
    for name, value in change.items():
        setattr(neuroon, name, value)
    lines, failed = failing()
    assert failed.returncode == 1
    at = next(n for n, line in enumerate(lines) if line.startswith(f"failed   {step}"))
    assert lines[at + 1].strip().startswith(f"→ {todo}")


def test_a_shop_that_is_not_there_is_the_shop_id_the_domain_or_the_environment(neuroon):
    make_product()
    neuroon.fault("status", status=404, times=None)
    lines, _failed = failing()
    assert "NEUROON_SHOP_ID must be" in lines[-1]
    assert "NEUROON_STOREFRONT_URL its address" in lines[-1]
    assert lines[-1].endswith(f"NEUROON_API_URL is {neuroon.url}.")


def test_a_temporary_error_is_tried_again_in_place(neuroon):
    make_product()
    neuroon.fault("status", endpoint="verify", times=2)
    neuroon_verify()
    assert len(neuroon.requests_to("verify")) == 3


def test_another_shop_answers(neuroon):
    make_product()
    body = {"shopId": "shop_x", "verificationCode": "1", "domain": "https://mystore.com", "name": "X"}
    neuroon.fault("shape", endpoint="verify", body=body)
    lines, _failed = failing()
    assert "NEUROON_SHOP_ID is shop_sandbox: use the shop id that belongs to the key." in str(lines)
    assert current_shop().verified_at is None


@pytest.mark.parametrize("shop_id", [42, None])
def test_a_shop_id_as_a_number_is_the_same_shop(neuroon, settings, monkeypatch, shop_id):
    make_product()
    neuroon.shop_id = settings.NEUROON_SHOP_ID = "42"
    verify = Client.verify
    monkeypatch.setattr(
        Client, "verify", lambda self, domain: {**verify(self, domain), "shopId": shop_id}
    )
    assert f"shopId: {shop_id or ''}" in neuroon_verify()


def test_a_wait_that_neuroon_asked_for_is_told(neuroon):
    make_product()
    shop = current_shop()
    error = RateLimited("slow", method="POST", path="x", status=429, retry_after=3_000)
    shop.failed("products", error)
    line = next(line for line in neuroon_verify().splitlines() if " pace " in line)
    assert re.fullmatch(r"warning +pace +products: Neuroon asked to wait until \d\d:\d\d:\d\d", line)


def test_nobody_there(neuroon, settings):
    settings.NEUROON_TIMEOUT = 0.5
    make_product()
    neuroon.stop()
    lines, failed = failing()
    assert str(failed) == "Failed: api"
    assert lines[-1].strip() == (
        "→ Is NEUROON_API_URL right, and does this machine reach it? Run this again."
    )


def test_no_key_could_not_run(neuroon, settings):
    settings.NEUROON_API_KEY = ""
    lines, failed = failing()
    assert lines == [
        "failed   settings Not set: NEUROON_API_KEY. Changes are recorded, nothing is sent. "
        "(neuroon.W001)",
        "                  → Set it from Neuroon's dashboard, or NEUROON_ENABLED = False.",
    ]
    assert (str(failed), failed.returncode) == ("Failed: settings", 2)


def test_missing_tables_could_not_run(neuroon):
    make_product()
    recorded = MigrationRecorder.Migration.objects.filter(app="neuroon_django")
    names = list(recorded.values_list("name", flat=True))
    recorded.delete()
    try:
        lines, failed = failing()
    finally:
        for name in names:
            MigrationRecorder(connection).record_applied("neuroon_django", name)
    assert lines[-1].strip() == "→ Run manage.py migrate."
    assert (str(failed), failed.returncode) == ("Failed: tables", 2)


class Signed(CatalogueFeed):
    turns = 0

    def image_url(self, product: Product) -> str:
        Signed.turns += 1
        return f"https://cdn.test/{product.pk}?signature={Signed.turns}"


class Greedy(CatalogueFeed):
    def brand(self, product: Product) -> str:
        return str(product.categories.filter(title__gt="").count())


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        (
            Signed,
            [
                "warning  feeds    Signed: imageUrl differ each time the product is built",
                "                  → It would be sent again and again; "
                "return the same value each time.",
            ],
        ),
        (
            Greedy,
            [
                "warning  feeds    Greedy: 4 queries for one product, 6 for 3",
                "                  → Name the relations that its methods read in depends_on.",
            ],
        ),
    ],
)
def test_a_feed_that_is_not_a_function_of_the_product(neuroon, monkeypatch, feed, expected):
    for n in range(3):
        make_product(f"P-{n}")
    monkeypatch.setitem(registry.feeds, "shop.product", feed(Product))
    assert neuroon_verify().splitlines()[1:3] == expected


class Raising(CatalogueFeed):
    def price(self, product: Product) -> Decimal:
        return product.cost


def test_a_method_that_raises_has_a_hint(neuroon, monkeypatch):
    product = make_product()
    monkeypatch.setitem(registry.feeds, "shop.product", Raising(Product))
    assert neuroon_verify().splitlines()[1:3] == [
        f"warning  feeds    Raising: shop.product {product.pk}: price: AttributeError: "
        "'Product' object has no attribute 'cost'",
        "                  → Look at that method or lookup of Raising, or at the product; "
        "after the fix run neuroon_sync --scan.",
    ]


def test_what_the_hints_of_a_feed_say_to_run_does_mend_it(neuroon, monkeypatch):
    make_product()
    with monkeypatch.context() as patch:
        patch.setitem(registry.feeds, "shop.product", Raising(Product))
        with pytest.raises(CommandError, match="price: AttributeError"):
            neuroon_sync()
    neuroon_sync("--scan")
    assert list(neuroon.products) == ["A-1"]


def test_the_latest_paid_order_is_built_as_if_a_search_had_led_to_it(neuroon):
    product = make_product()
    make_order("1000", product, searched=False)
    order = make_order("1001", product, None, searched=False)
    make_order("1002", status="new", searched=False)  # a cart
    lines = neuroon_verify(verbosity=2).splitlines()
    body = (
        '{"orderId":"1001","orderValue":20.00,"currency":"EUR","conversions":'
        '[{"productId":"A-1","searchLogId":"search","quantity":1,"lineTotal":20.00}]}'
    )
    assert lines[3] == (f"ok       feeds    CheckoutFeed: order {order.pk} built, {len(body)} bytes")
    assert lines[4] == body
    assert neuroon.conversions == {}


class BrokenLines(CheckoutFeed):
    def lines(self, order: Order) -> Iterator[ConversionLine]:
        for line in order.lines.all():
            yield ConversionLine(line.product, line.amount, line.total)


class BrokenPaid(CheckoutFeed):
    def is_paid(self, order: Order) -> bool:
        return order.paid_at is not None


class BrokenValue(CheckoutFeed):
    order_value = Value("twenty")


@pytest.mark.parametrize(
    ("feed", "reason"),
    [
        (BrokenLines, "lines: AttributeError: 'OrderLine' object has no attribute 'amount'"),
        (BrokenPaid, "is paid: AttributeError: 'Order' object has no attribute 'paid_at'"),
        (BrokenValue, "order value: 'twenty' is not a number"),
    ],
)
def test_an_order_feed_that_cannot_say_what_is_asked(neuroon, monkeypatch, feed, reason):
    order = make_order("1001", make_product(), searched=False)
    monkeypatch.setitem(registry.feeds, "shop.order", feed(Order))
    name = feed.__name__
    assert neuroon_verify().splitlines()[2:4] == [
        f"warning  feeds    {name}: shop.order {order.pk}: {reason}",
        f"                  → Look at that method or lookup of {name}, or at the order; "
        "after the fix run neuroon_sync --retry.",
    ]


def test_an_order_of_which_no_line_is_reported(neuroon):
    make_product()
    order = make_order("1001", None, searched=False)
    assert neuroon_verify().splitlines()[2:4] == [
        f"warning  feeds    CheckoutFeed: no line of order {order.pk} is reported",
        "                  → lines() must yield ConversionLine with a product of a feed and a "
        "quantity.",
    ]


def test_the_payload_with_verbosity(neuroon):
    product = make_product()
    assert neuroon_verify(verbosity=2).splitlines()[2] == (
        '{"externalId":"A-1","name":"Product A-1","price":10.00,"currency":"EUR",'
        f'"url":"https://mystore.com/p/{product.pk}/"}}'
    )


def test_unverify_asks(neuroon, monkeypatch):
    make_product()
    neuroon_verify()
    monkeypatch.setattr("builtins.input", lambda text: "n")
    with pytest.raises(CommandError, match=r"^Nothing was done\.$"):
        neuroon_verify("--unverify")
    assert neuroon.verified
    assert neuroon_verify("--unverify", "--no-input") == (
        f"ok       settings shop shop_sandbox at {neuroon.url} for https://mystore.com\n"
        "ok       tables   migrated\n"
        "ok       domain   the verification was given up\n"
    )
    assert not neuroon.verified
    assert current_shop().verified_at is None


def test_in_spanish(neuroon, settings):
    settings.NEUROON_IN_FLIGHT = 0
    with translation.override("es"):
        lines, failed = failing()
    assert lines == [
        "fallo    ajustes  NEUROON_IN_FLIGHT is 0, which is no value for it. (neuroon.E001)",
        "                  → Set it to a whole number from 1 to 64.",
    ]
    assert str(failed) == "Ha fallado: ajustes"


def test_unverify_prints_json(neuroon):
    with pytest.raises(CommandError, match="add --no-input") as refused:
        neuroon_verify("--unverify", "--json")
    assert refused.value.returncode == 2
    assert neuroon.requests == []
    told = json.loads(neuroon_verify("--unverify", "--json", "--no-input"))
    assert told["passed"] is True
    assert [step["name"] for step in told["steps"]] == ["settings", "tables", "domain"]
    neuroon.api_key = "sk_other"
    lines, failed = failing("--unverify", "--json", "--no-input")
    assert json.loads("\n".join(lines))["steps"][-1]["verdict"] == "failed"
    assert (str(failed), failed.returncode) == ("Failed: domain", 1)


@pytest.mark.parametrize(
    "options",
    [
        ["--check", "--unverify", "--no-input"],
        ["--check", "--domain", "https://a.test"],
        ["--unverify", "--no-input", "--domain", "https://a.test"],
    ],
)
def test_options_that_exclude_each_other(neuroon, options):
    with pytest.raises(CommandError, match="not allowed with argument"):
        neuroon_verify(*options)
    assert neuroon.requests == []


@pytest.mark.parametrize(("name", "value"), [("TIMEOUT", "60s"), ("IN_FLIGHT", "four")])
@pytest.mark.parametrize("options", [[], ["--check"], ["--unverify"]])
def test_a_wrong_setting_could_not_run(neuroon, settings, name, value, options):
    setattr(settings, f"NEUROON_{name}", value)
    told = f"NEUROON_{name} is '{value}', which is no value for it. (neuroon.E001)"
    lines, failed = failing(*options)
    assert lines[0] == f"failed   settings {told}"
    assert len(lines) == 2  # and what to type
    assert (str(failed), failed.returncode) == ("Failed: settings", 2)
    lines, failed = failing(*options, "--json")
    [step] = json.loads("\n".join(lines))["steps"]
    assert (step["name"], step["verdict"], step["text"]) == ("settings", "failed", told)
    assert failed.returncode == 2
    assert neuroon.requests == []


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:1/0", "amqp://guest:guest@127.0.0.1:1//"])
def test_a_dead_broker_is_a_warning(monkeypatch, broker):
    monkeypatch.setattr(steps, "current_app", Celery("dead", broker=broker, set_as_current=False))
    step = steps.celery()
    assert step.verdict == "warning"
    assert step.text.startswith("the broker does not answer: ")
    assert "Connection refused" in step.text or "111" in step.text
    assert step.todo.startswith("Look at CELERY_BROKER_URL.")


def test_a_broker_without_a_worker_is_a_warning(monkeypatch):
    monkeypatch.setattr(steps, "current_app", Celery("none", broker="memory://", set_as_current=False))
    step = steps.celery()
    assert (step.verdict, step.text) == ("warning", "no worker answers")
    assert step.todo.startswith("Start one: celery -A <project> worker --beat.")


def test_a_living_worker_is_named(monkeypatch):
    """A worker in a thread of this process, over Celery's own in-memory transport."""
    before = steps.current_app._get_current_object()
    app = Celery("alive", broker="memory://", backend="cache+memory://", set_as_current=False)
    monkeypatch.setattr(steps, "current_app", app)
    try:
        with start_worker(app, perform_ping_check=False, shutdown_timeout=30):
            for _ in range(10):  # it begins to listen a moment after it has started
                step = steps.celery()
                if step.verdict == "ok":
                    break
    finally:  # a worker makes its app everybody's
        before.set_current()
        before.set_default()
    assert step.verdict == "ok"
    assert step.text.endswith(" answers")
