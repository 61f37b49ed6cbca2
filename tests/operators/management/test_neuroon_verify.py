"""`neuroon_verify` by its whole output, and what it says of each thing that can be wrong."""

from __future__ import annotations

import json
import re

import pytest
from django.core.management import CommandError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import translation

from neuroon_django.api import Client
from neuroon_django.exceptions import Forbidden, RateLimited
from tests.factories import current_shop, make_product, pauses
from tests.operators import commands
from tests.operators.commands import neuroon_sync, run

pytestmark = pytest.mark.django_db(transaction=True)

NO_CELERY = "no Celery broker is configured, or tasks are eager: a change wakes no worker"


@pytest.fixture(autouse=True)
def _quiet(settings):
    settings.NEUROON_AUTO_SYNC = False  # no broker in the tests, and no warning of it
    settings.DEBUG = True  # nor of what is only right on a developer's machine


def neuroon_verify(*options: str, **kwargs: object) -> str:
    return run("neuroon_verify", *options, **kwargs)


def failing(*options: str) -> tuple[list[str], CommandError]:
    out, error = commands.failing("neuroon_verify", *options)
    return out.splitlines(), error


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
        "                  → Until then, run manage.py neuroon_sync from cron, or with --watch.\n"
        f"ok       api      {neuroon.url} answers, the key is accepted\n"
        "ok       route    not known yet: the first product that is sent finds it\n"
        "ok       domain   name: Sandbox shop, domain: https://mystore.com, shopId: shop_sandbox, "
        f"verificationCode: {code}\n"
        "ok       token    issued 0 minutes ago\n"
        "next: manage.py neuroon_sync\n"
    )
    shop = current_shop()
    assert shop.verified_domain == "https://mystore.com"
    assert shop.verified_at is not None
    assert len(neuroon.tokens) == 1


def test_success_ends_pauses_and_failure_does_not(neuroon):
    make_product()
    shop = current_shop()
    shop.endpoint("products").failed(Forbidden("no", method="POST", path="/sync", status=403))
    neuroon.conflict = True
    failing()
    assert pauses().keys() == {"products", "deletes"}
    neuroon.conflict = False
    neuroon_verify()
    assert pauses() == {}


def test_check_changes_nothing(neuroon):
    make_product()
    neuroon.verified = False
    shop = current_shop()
    shop.endpoint("products").failed(Forbidden("no", method="POST", path="/sync", status=403))
    lines, failed = failing("--check")
    assert str(failed) == "Failed: domain"
    assert [r.endpoint for r in neuroon.requests] == ["verification-data"]
    assert lines[-3].startswith("failed   domain   verified: False, verificationCode: ")
    assert "instructions: " in lines[-3]
    assert lines[-2].strip() == "→ Run: manage.py neuroon_verify"
    assert lines[-1] == "warning  token    none was issued yet"
    assert current_shop().pauses()
    assert current_shop().verified_at is None


def test_json(neuroon):
    make_product()
    output = json.loads(neuroon_verify("--json"))
    assert output["passed"] is True
    assert [(step["name"], step["result"]) for step in output["steps"]] == [
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
    assert neuroon.api_key not in json.dumps(output)


def test_domains_are_verified_in_turn(neuroon):
    make_product()
    neuroon.staging = True
    neuroon_verify("--domain", "https://a.test", "--domain", "https://b.test")
    assert neuroon.domains == ["https://a.test", "https://b.test"]
    assert [r.headers["Origin"] for r in neuroon.requests_to("verify")] == neuroon.domains


@pytest.mark.parametrize(
    ("change", "step", "cure"),
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
def test_each_refusal_says_what_to_do(neuroon, change, step, cure):
    make_product()
    for name, value in change.items():
        setattr(neuroon, name, value)
    lines, failed = failing()
    assert failed.returncode == 1
    at = next(n for n, line in enumerate(lines) if line.startswith(f"failed   {step}"))
    assert lines[at + 1].strip().startswith(f"→ {cure}")


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
    shop.endpoint("products").failed(error)
    line = next(line for line in neuroon_verify().splitlines() if " pace " in line)
    assert re.fullmatch(r"warning +pace +products: Neuroon asked to wait, next try in 50 min", line)


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
    assert lines[-1].strip() == "→ Run: manage.py migrate"
    assert (str(failed), failed.returncode) == ("Failed: tables", 2)


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


def test_it_is_english_whatever_the_language(neuroon, settings):
    settings.NEUROON_IN_FLIGHT = 0
    with translation.override("es"):
        lines, failed = failing()
    assert lines == [
        "failed   settings NEUROON_IN_FLIGHT is 0, which is no value for it. (neuroon.E001)",
        "                  → Set it to a whole number from 1 to 64.",
    ]
    assert str(failed) == "Failed: settings"


def test_unverify_prints_json(neuroon):
    with pytest.raises(CommandError, match="add --no-input") as refused:
        neuroon_verify("--unverify", "--json")
    assert refused.value.returncode == 2
    assert neuroon.requests == []
    output = json.loads(neuroon_verify("--unverify", "--json", "--no-input"))
    assert output["passed"] is True
    assert [step["name"] for step in output["steps"]] == ["settings", "tables", "domain"]
    neuroon.api_key = "sk_other"
    lines, failed = failing("--unverify", "--json", "--no-input")
    assert json.loads("\n".join(lines))["steps"][-1]["result"] == "failed"
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
    output = f"NEUROON_{name} is '{value}', which is no value for it. (neuroon.E001)"
    lines, failed = failing(*options)
    assert lines[0] == f"failed   settings {output}"
    assert len(lines) == 2  # and what to type
    assert (str(failed), failed.returncode) == ("Failed: settings", 2)
    lines, failed = failing(*options, "--json")
    [step] = json.loads("\n".join(lines))["steps"]
    assert (step["name"], step["result"], step["text"]) == ("settings", "failed", output)
    assert failed.returncode == 2
    assert neuroon.requests == []


@pytest.mark.parametrize("domain", ["MyStore.com/", "https://MYSTORE.com"])
def test_a_domain_is_brought_into_the_form_that_neuroon_knows(neuroon, domain):
    make_product()
    neuroon_verify("--domain", domain)
    assert neuroon.domains == ["https://mystore.com"]
    assert current_shop().verified_domain == "https://mystore.com"


def test_a_domain_that_is_none_is_refused_by_name(neuroon):
    lines, failed = failing("--domain", "https://mystore.com/es")
    assert (lines, failed.returncode) == ([], 2)
    assert str(failed).startswith("--domain 'https://mystore.com/es' is no domain: 'es' is a path")
    assert neuroon.requests == []


def test_it_ends_with_what_to_do_next(neuroon):
    make_product()
    assert neuroon_verify().splitlines()[-1] == "next: manage.py neuroon_sync"
    neuroon_sync()
    assert neuroon_verify().splitlines()[-1] == "next: manage.py neuroon_status"
    assert json.loads(neuroon_verify("--json"))["next"] == "manage.py neuroon_status"
