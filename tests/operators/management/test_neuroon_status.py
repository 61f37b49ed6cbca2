"""`neuroon_status` by its whole output and its exit code."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.utils import timezone, translation

from neuroon_django.exceptions import KeyRefused, RateLimited
from neuroon_django.models import ShopState, SyncedProduct
from neuroon_django.operations.status import resume
from neuroon_django.operations.verification import Verification
from tests.factories import another_shop, current_shop, make_product
from tests.operators.commands import failing, run

pytestmark = pytest.mark.django_db(transaction=True)


def neuroon_status(*options: str) -> str:
    return run("neuroon_status", *options)


@pytest.fixture
def live(neuroon, flush):
    """A shop that works, with one product."""
    make_product("A")
    flush()
    list(Verification(current_shop().config).run())


def test_a_healthy_shop(neuroon, live):
    shop = current_shop()
    moments = [
        f"{moment:%Y-%m-%d %H:%M:%S} UTC"
        for moment in (shop.last_success_at, shop.run_at, shop.scan_ended_at)
    ]
    out = neuroon_status()
    assert out == (
        "green: The only product is live.\n"
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
        "Time to index                1 s for half, 1 s for 95 %\n"
        f"Last success                 {moments[0]}\n"
        f"Last run                     {moments[1]}\n"
        "Last beat                    —\n"
        f"Last scan                    {moments[2]}\n"
        "Verified domain              https://mystore.com\n"
        "Route                        plugin\n"
        "Widget token                 0 s old, issued by Neuroon\n"
        "Products allowed             1,000,000\n"
    ).replace("  0\n", f"{'':>8}  0\n").replace("  1\n", f"{'':>8}  1\n")


def test_a_wait_that_neuroon_asked_for_is_told_and_needs_nobody(neuroon, live):
    shop = current_shop()
    error = RateLimited("slow", method="POST", path="x", status=429, retry_after=3_000)
    shop.endpoint("products").failed(error)
    line = "products: Neuroon asked to wait, next try in 50 min"
    assert neuroon_status().splitlines()[-1] == line
    [wait] = json.loads(neuroon_status("--json"))["default"]["waits"]
    assert (wait["group"], wait["reason"]) == ("products", "Neuroon asked to wait")
    assert (wait["status"], wait["cure"]) == (None, "")


def test_what_needs_a_person(neuroon, live, flush):
    make_product("B", price=None)
    make_product("C", price=None)
    flush()
    shop = current_shop()
    shop.endpoint("products").failed(
        KeyRefused("Invalid API key", method="POST", path="/p", status=401)
    )
    out, error = failing("neuroon_status")
    assert error.returncode == 1
    since = f"{timezone.localtime(current_shop().last_success_at):%H:%M}"
    first, second = str(error).splitlines()
    paused = f"Nothing has been delivered since {since}: Neuroon refused the key (401); next try in "
    assert out.splitlines()[0].startswith(f"red: {paused}")
    assert first.startswith(paused)
    assert first.endswith(". Correct NEUROON_API_KEY, then run: manage.py neuroon_verify")
    rejected = "2 products were rejected (no price). Fix them, then run: manage.py neuroon_sync --retry"
    assert second == rejected
    with translation.override("es"), pytest.raises(CommandError, match=r"^Nothing has been delivered"):
        neuroon_status()
    resume(shop)
    out = neuroon_status("--max-rejected", "2")
    assert out.splitlines()[0] == "green: 1 product is live."
    assert out.splitlines()[-1] == "2 × no price"


def test_tables_that_cannot_be_read_are_a_verdict(neuroon, monkeypatch):
    def unreadable(*args: object) -> None:
        raise DatabaseError("no such table")

    monkeypatch.setattr(type(ShopState.objects), "for_config", unreadable)
    out, error = failing("neuroon_status", "--json")
    assert error.returncode == 2
    text = "The app's tables cannot be read: no such table."
    assert json.loads(out) == {"default": {"verdict": {"level": "red", "text": text}}}
    assert str(error) == f"{text} Run: manage.py migrate"


def test_a_shop_is_forgotten_when_it_is_said(neuroon, live):
    SyncedProduct.objects.update(shop=another_shop("shop_old", neuroon.url).pk)
    _, error = failing("neuroon_status", "--forget", neuroon.shop_id, "--no-input")
    assert (error.returncode, SyncedProduct.objects.count()) == (2, 1)
    assert neuroon_status("--forget", "shop_old", "--no-input") == (
        "All rows of shop_old are deleted.\n1 product is left at Neuroon.\n"
    )
    assert SyncedProduct.objects.count() == 0


def test_json_is_a_document_and_nothing_else(neuroon, live, flush):
    make_product("B", price=None)
    flush()
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"^1 product was rejected \(no price\)\. Fix it"):
        call_command("neuroon_status", "--json", stdout=out)
    output = json.loads(out.getvalue())["default"]
    assert output["verdict"] == {
        "level": "amber",
        "text": "1 product is live; 1 needs you: no price.",
    }
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
            "level": "amber",
            "action": "retry",
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
        "level": "red",
        "action": "",
    }
    line = "{text} {cure} ({id})".format(**problem)
    assert (str(failed.value).splitlines()[0], failed.value.returncode) == (line, 1)
    output = json.loads(out.getvalue())["default"]
    assert output["verdict"] == {"level": "red", "text": problem["text"]}
    assert output["problems"][0] == problem
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


def test_it_tells_without_neuroon(neuroon, live, settings):
    neuroon.stop()
    assert "Products allowed" not in neuroon_status()
    settings.NEUROON_API_KEY = ""
    with pytest.raises(CommandError, match=r"^Nothing is sent"):
        neuroon_status()
