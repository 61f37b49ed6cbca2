"""`neuroon_status` by its whole output and its exit code."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone, translation

from neuroon_django.exceptions import Forbidden, KeyRefused, RateLimited, Unavailable
from neuroon_django.models import Change
from neuroon_django.operations.status import resume
from tests.factories import current_shop, make_product
from tests.operators.commands import run

pytestmark = pytest.mark.django_db(transaction=True)


def neuroon_status(*options: str) -> str:
    return run("neuroon_status", *options)


def test_a_healthy_shop(neuroon, flush):
    make_product("A")
    flush()
    shop = current_shop()
    moments = [f"{moment:%Y-%m-%d %H:%M:%S} UTC" for moment in (shop.last_success_at, shop.scanned_at)]
    assert neuroon_status() == (
        f"Shop shop_sandbox at {neuroon.url}\n"
        "Products, pending            0\n"
        "Products, sending            0\n"
        "Products, synced             1\n"
        "Products, rejected           0\n"
        "Products, unlisted           0\n"
        "Products, deleting           0\n"
        "Orders, waiting for payment  0\n"
        "Orders, pending              0\n"
        "Orders, sending              0\n"
        "Orders, sent                 0\n"
        "Orders, not attributed       0\n"
        "Orders, rejected             0\n"
        "Unprocessed changes          0\n"
        "Queued                       0\n"
        "Queue age                    —\n"
        f"Last success                 {moments[0]}\n"
        f"Last scan                    {moments[1]}\n"
        "Verified domain              —\n"
        "Route                        plugin\n"
        "Widget token                 —\n"
        "Products allowed             1,000,000\n"
    ).replace("  0\n", f"{'':>8}  0\n").replace("  1\n", f"{'':>8}  1\n")


def test_a_wait_that_neuroon_asked_for_is_told_and_needs_nobody(neuroon, flush):
    shop = current_shop()
    error = RateLimited("slow", method="POST", path="x", status=429, retry_after=3_000)
    shop.endpoint("products").failed(error)
    until = timezone.localtime(current_shop().endpoint("products").blocked_until)
    line = f"products: Neuroon asked to wait until {until:%H:%M:%S}"
    assert neuroon_status().splitlines()[-1] == line
    [wait] = json.loads(neuroon_status("--json"))["waits"]
    assert (wait["group"], wait["reason"]) == ("products", "Neuroon asked to wait")
    assert (wait["status"], wait["cure"]) == (None, "")


def test_what_needs_a_person(neuroon, flush):
    make_product("A", price=None)
    make_product("B", price=None)
    flush()
    make_product("C")
    Change.objects.update(created_at=timezone.now() - timedelta(hours=2))
    shop = current_shop()
    shop.endpoint("products").failed(
        KeyRefused("Invalid API key", method="POST", path="/p", status=401)
    )
    with pytest.raises(CommandError) as failed:
        neuroon_status()
    assert failed.value.returncode == 1
    assert str(failed.value).splitlines() == [
        "Paused for products, deletes, conversions and token: POST /p: 401 Invalid API key. "
        "Correct NEUROON_API_KEY, then run: manage.py neuroon_verify",
        "The oldest queued change is 2:00:00 old. "
        "Start a Celery worker with beat, or run: manage.py neuroon_sync",
        "2 products were rejected (no price). Fix them, then run: manage.py neuroon_sync --retry",
    ]
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("neuroon_status", stdout=out)
    assert out.getvalue().splitlines()[-2:] == [str(failed.value).splitlines()[0], "2 × no price"]
    with translation.override("es"), pytest.raises(CommandError, match=r"^Paused for products, .*POST"):
        neuroon_status()
    resume(shop)
    out = neuroon_status("--max-age", "7300", "--max-rejected", "2")
    assert out.splitlines()[-1] == "2 × no price"


def test_each_reason_of_a_pause_is_told_once_with_its_groups(neuroon):
    shop = current_shop()
    shop.endpoint("products").failed(Forbidden("Not yours", method="POST", path="/p", status=403))
    shop.endpoint("token").failed(Unavailable("Bad Gateway", method="POST", path="/t", status=502))
    with pytest.raises(CommandError) as failed:
        neuroon_status()
    assert str(failed.value).splitlines() == [
        "Paused for products and deletes: POST /p: 403 Not yours. "
        "To see what to correct, run: manage.py neuroon_verify",
        "Paused for token: POST /t: 502 Bad Gateway.",  # ends by itself
    ]


def test_json_is_a_document_and_nothing_else(neuroon, flush):
    make_product("A", price=None)
    make_product("B")
    flush()
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"^1 product was rejected \(no price\)\. Fix it"):
        call_command("neuroon_status", "--json", stdout=out)
    output = json.loads(out.getvalue())
    assert output["products"] == {
        "pending": 0,
        "sending": 0,
        "synced": 1,
        "rejected": 1,
        "unlisted": 0,
        "deleting": 0,
    }
    assert output["errors"] == [{"text": "no price", "count": 1}]
    assert output["problems"] == [
        {
            "text": "1 product was rejected (no price)",
            "cure": "Fix it, then run: manage.py neuroon_sync --retry",
            "id": "",
        }
    ]
    assert output["quota"]["maxProducts"] == 1_000_000
    assert (output["changes"], output["queued"], output["queue_age_seconds"]) == (0, 0, None)
    assert neuroon.api_key not in out.getvalue()


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("TIMEOUT", "60s", "Set it to 60, in seconds, from 0.1 to 600."),
        ("IN_FLIGHT", "four", "Set it to a whole number from 1 to 64."),
    ],
)
def test_a_wrong_setting_is_a_problem_and_nobody_is_asked(neuroon, settings, name, value, hint):
    setattr(settings, f"NEUROON_{name}", value)
    out = io.StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("neuroon_status", "--json", stdout=out)
    problem = {
        "text": f"NEUROON_{name} is '{value}', which is no value for it.",
        "cure": hint,
        "id": "neuroon.E001",
    }
    line = "{text} {cure} ({id})".format(**problem)
    assert (str(failed.value), failed.value.returncode) == (line, 1)
    assert json.loads(out.getvalue())["problems"] == [problem]
    assert neuroon.requests == []


def test_law_15_the_key_does_not_travel_to_an_address_that_a_check_refuses(
    neuroon, settings, monkeypatch
):
    settings.NEUROON_API_URL = "http://api.neuroon.test"
    asked = []
    monkeypatch.setattr("requests.Session.send", lambda *args, **kwargs: asked.append(args))
    with pytest.raises(CommandError, match=r"unencrypted.*neuroon\.E002"):
        neuroon_status()
    assert asked == []


def test_it_tells_without_neuroon(neuroon, settings):
    neuroon.stop()
    assert "Products allowed" not in neuroon_status()
    settings.NEUROON_API_KEY = ""
    with pytest.raises(CommandError, match=r"^Nothing is sent"):
        neuroon_status()
