"""How a token comes about: issued by Neuroon, or signed here where that does not exist (law 14)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import re
import time
from io import StringIO

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.core.management.base import CommandError
from django.template import engines

from neuroon_django import get_widget_token, tasks
from neuroon_django.conf import ShopConfig
from neuroon_django.models import Endpoint, Group, ShopState
from neuroon_django.widget import issuing
from tests.factories import current_shop, end_blocks, make_product, pauses
from tests.widget.test_pages import age, cold, settled

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "sk_0123456789abcdef-not-to-be-seen"


@pytest.fixture(autouse=True)
def _no_lookup_outlives_its_test(neuroon):
    yield
    settled()


def signed_by_hand(shop_id: str, key: str, seconds: int) -> str:
    """The token as `API.md` writes it down, made step by step."""
    message = f"{shop_id}:{seconds}"
    mac = hmac.new(bytes(key, "utf-8"), bytes(message, "utf-8"), hashlib.sha256)
    whole = f"{message}:{''.join(f'{byte:02x}' for byte in mac.digest())}"
    encoded = base64.b64encode(bytes(whole, "utf-8")).decode("ascii")
    return encoded.replace("+", "-").replace("/", "_").replace("=", "")


def parts_of(token: str) -> list[str]:
    """Shop id, seconds and signature of a signed token."""
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().rsplit(":", 2)


def is_signed(token: str, neuroon) -> bool:
    try:
        shop_id, seconds, _ = parts_of(token)
    except ValueError:
        return False
    return token == signed_by_hand(shop_id, neuroon.api_key, int(seconds))


def missing(neuroon, *endpoints: str, status: int = 404) -> None:
    """Let these endpoints not exist, as where only some of Neuroon's generations is served."""
    for endpoint in endpoints:
        neuroon.fault("status", endpoint=endpoint, status=status, times=None)


def asked(neuroon) -> list[str]:
    return [request.endpoint for request in neuroon.requests]


# The signature


def test_law_14_a_vector_that_openssl_computed():
    """`printf shop_42:1700000000 | openssl dgst -sha256 -hmac sk_…`, then `base64 | tr +/ -_`."""
    shop = ShopConfig("x", {"SHOP_ID": "shop_42", "API_KEY": "sk_0123456789abcdef0123456789abcdef"})
    assert issuing.sign(shop, 1_700_000_000.9) == (
        "c2hvcF80MjoxNzAwMDAwMDAwOjZjOWVlOTdjYTAwMzI2YTcwZjcxOGY3ODNhMDQ1NDlk"
        "MzlkMTgwYmE3NGFiZGEzOGY0ZGVmMjJhYjc2ODljM2I"
    )
    shop = ShopConfig("x", {"SHOP_ID": "tienda-ñ>>?", "API_KEY": "sk_x"})
    assert issuing.sign(shop, 1_700_000_000) == (
        "dGllbmRhLcOxPj4_OjE3MDAwMDAwMDA6MWY5M2E5NDEzOTE0NTVjMmRmYmIzYjU1MDExOTBm"
        "Y2RlNDZkZjE0MmJkYmM2YzA2YmNlMTI4Y2IzM2FmMGY4Zg"
    )


@pytest.mark.parametrize("shop_id", ["s", "shop:1", "ñ", "shop_" + "9" * 190, "~>?", "日本"])
@pytest.mark.parametrize("key", ["k", "sk_" + "f" * 200])
def test_law_14_signed_as_written_down(shop_id, key):
    token = issuing.sign(ShopConfig("x", {"SHOP_ID": shop_id, "API_KEY": key}), 1_799_999_999.999)
    assert token == signed_by_hand(shop_id, key, 1_799_999_999)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert parts_of(token)[:2] == [shop_id, "1799999999"]


def test_law_14_the_clock_is_the_servers(neuroon, settings, monkeypatch):
    settings.NEUROON_WIDGET_TOKEN = "sign"
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.5)
    token = get_widget_token()
    assert parts_of(token)[1] == "1700000000"
    assert current_shop().token_issued_at.timestamp() == pytest.approx(1_700_000_000.5)


# Which way


def test_law_14_neuroon_is_asked_first(neuroon):
    assert get_widget_token() == neuroon.tokens[0]
    assert asked(neuroon) == ["token"]
    assert current_shop().token_method == "issue"


@pytest.mark.parametrize("status", [404, 405])
def test_law_14_auto_signs_where_neuroon_issues_none(neuroon, status, caplog):
    caplog.set_level(logging.INFO, "neuroon_django")
    missing(neuroon, "token", status=status)
    before = time.time()
    token = get_widget_token()
    assert is_signed(token, neuroon)
    assert before - 1 <= int(parts_of(token)[1]) <= time.time()
    assert asked(neuroon) == ["token", "verification-data"]
    shop = current_shop()
    assert (shop.token_method, shop.token, pauses()) == ("sign", token, {})
    assert shop.endpoint(Group.TOKEN).confirmed_at is None  # nothing was accepted there
    assert caplog.messages == [f"token_issued shop_id={neuroon.shop_id} method=sign"]


@pytest.mark.parametrize("status", [404, 405])
def test_law_14_what_products_proved_counts_where_nothing_else_can_be_asked(neuroon, status):
    missing(neuroon, "token", "verification-data", status=status)
    assert get_widget_token() == ""
    assert str(status) in pauses()["token"]
    current_shop().endpoint(Group.PRODUCTS).row.confirm()
    end_blocks()
    tasks.refresh_widget_token()
    assert is_signed(current_shop().token, neuroon)
    assert pauses() == {}


@pytest.mark.parametrize("status", [400, 401, 403, 409, 410, 418, 422, 429, 500, 501, 502, 302])
def test_law_14_what_is_no_missing_endpoint_signs_nothing(neuroon, status):
    missing(neuroon, "token", status=status)
    assert get_widget_token() == ""
    settled()
    shop = current_shop()
    assert (shop.token, shop.token_method) == ("", "")
    assert set(asked(neuroon)) == {"token"}
    assert shop.endpoint(Group.TOKEN).blocked_until


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (("status", {"status": 401}), "verification-data: 401"),
        (("status", {"status": 403}), "verification-data: 403"),
        (("status", {"status": 500}), "verification-data: 500"),
        (("html", {}), "verification-data: 200 not an answer to this request"),
    ],
)
def test_law_14_a_key_that_no_endpoint_accepts_signs_nothing(neuroon, fault, reason):
    kind, options = fault
    missing(neuroon, "token")
    neuroon.fault(kind, endpoint="verification-data", times=None, **options)
    current_shop().endpoint(Group.PRODUCTS).row.confirm()  # with another key, once
    assert get_widget_token() == ""
    settled()
    assert reason in pauses()["token"]
    assert current_shop().token == ""


def test_law_14_a_shop_that_neuroon_does_not_know_signs_nothing(neuroon, settings):
    settings.NEUROON_SHOP_ID = "shop_of_somebody"
    assert get_widget_token() == ""
    settled()
    assert current_shop().token == ""


def test_law_14_issue_never_signs(neuroon, settings):
    settings.NEUROON_WIDGET_TOKEN = "issue"
    missing(neuroon, "token")
    assert get_widget_token() == ""
    assert asked(neuroon) == ["token"]
    assert "404" in pauses()["token"]


def test_law_14_sign_asks_nobody(neuroon, settings):
    settings.NEUROON_WIDGET_TOKEN = "sign"
    neuroon.verified = False
    assert is_signed(get_widget_token(), neuroon)
    assert asked(neuroon) == []


# Afterwards: as an issued one


def test_law_14_one_signature_serves_every_process(neuroon):
    missing(neuroon, "token")
    token = get_widget_token()
    for forget in (cold, caches["default"].clear, lambda: ShopState.objects.update(token="")):
        settled()
        forget()
        assert get_widget_token() == token
    assert asked(neuroon) == ["token", "verification-data"]


@pytest.mark.parametrize("setting", ["auto", "sign"])
@pytest.mark.parametrize("rotate", [get_widget_token, tasks.refresh_widget_token])
def test_law_14_a_signed_one_is_rotated_by_the_clock(neuroon, settings, setting, rotate):
    settings.NEUROON_WIDGET_TOKEN = setting
    missing(neuroon, "token")
    first = get_widget_token()
    for hours, rotated in ((22.9, False), (0.3, True)):
        settled()
        age(hours)
        ShopState.objects.update(token=f"old-{first}")  # what is signed in the same second is equal
        rotate()
        settled()
        assert (current_shop().token == f"old-{first}") != rotated
    assert is_signed(get_widget_token(), neuroon)


def test_law_14_at_most_23_h_55_min(neuroon):
    missing(neuroon, "token")
    get_widget_token()
    settled()
    age(23.95)
    neuroon.clear_faults()
    neuroon.fault("status", status=403, times=None)
    assert get_widget_token() == ""


def test_law_14_the_day_that_neuroon_issues_them_is_noticed(neuroon):
    missing(neuroon, "token")
    assert is_signed(get_widget_token(), neuroon)
    neuroon.clear_faults()
    settled()
    age(23.1)
    tasks.refresh_widget_token()
    assert current_shop().token_method == "issue"
    assert get_widget_token() == neuroon.tokens[0]


@pytest.mark.parametrize(
    "fault", [("status", {"status": 503}), ("status", {"status": 429}), ("drop", {}), ("html", {})]
)
def test_law_14_what_is_remembered_goes_on_while_neuroon_is_away(neuroon, fault):
    missing(neuroon, "token")
    get_widget_token()
    settled()
    age(24.1)
    neuroon.clear_faults()
    kind, options = fault
    neuroon.fault(kind, times=None, **options)
    tasks.refresh_widget_token()
    assert is_signed(get_widget_token(), neuroon)
    assert pauses() == {}


@pytest.mark.parametrize("status", [401, 403])
def test_law_14_what_is_remembered_is_no_proof_of_a_key_that_is_refused(neuroon, status):
    missing(neuroon, "token")
    get_widget_token()
    settled()
    age(24.1)
    neuroon.clear_faults()
    neuroon.fault("status", status=status, times=None)
    assert get_widget_token() == ""
    assert str(status) in pauses()["token"]


@pytest.mark.parametrize(("first", "second"), [("sign", "issue"), ("issue", "sign")])
def test_law_14_another_setting_takes_effect_at_once(neuroon, settings, first, second):
    settings.NEUROON_WIDGET_TOKEN = first
    old = get_widget_token()
    settled()
    settings.NEUROON_WIDGET_TOKEN = second
    new = get_widget_token()
    settled()
    assert (is_signed(old, neuroon), is_signed(new, neuroon)) == (first == "sign", second == "sign")
    settings.NEUROON_WIDGET_TOKEN = "auto"
    assert get_widget_token() == new


def test_law_14_another_key_is_another_signature(neuroon, settings):
    settings.NEUROON_WIDGET_TOKEN = "sign"
    old = get_widget_token()
    settled()
    settings.NEUROON_API_KEY = neuroon.api_key = KEY
    new = get_widget_token()
    assert old != new
    assert is_signed(new, neuroon)


@pytest.mark.parametrize("use_tz", [True, False])
def test_law_14_its_age_is_kept_with_and_without_time_zones(neuroon, settings, use_tz):
    settings.USE_TZ = use_tz
    missing(neuroon, "token")
    token = get_widget_token()
    settled()
    cold()
    assert get_widget_token() == token
    assert asked(neuroon) == ["token", "verification-data"]


# What is told


def run(command: str, *arguments: str) -> tuple[str, str]:
    """What a command prints, and its error."""
    out, error = StringIO(), ""
    try:
        call_command(command, *arguments, stdout=out)
    except CommandError as raised:
        error = str(raised)
    return out.getvalue(), error


def verified_token() -> str:
    """The line of `neuroon_verify` about the token."""
    [line] = [line for line in run("neuroon_verify")[0].splitlines() if " token " in line]
    return line


def test_law_14_verify_and_status_tell_which_way(neuroon, settings):
    def status() -> str:
        return re.findall("Widget token +(.+)", run("neuroon_status")[0])[0]

    missing(neuroon, "token")
    signed = "ok       token    signed here, since this Neuroon issues none, 0 minutes ago"
    assert verified_token() == signed
    assert re.fullmatch(r"\d s old, signed here", status())
    assert json.loads(run("neuroon_status", "--json")[0])["default"]["token_method"] == "sign"
    settings.NEUROON_WIDGET_TOKEN = "sign"
    assert verified_token().endswith("signed here, as NEUROON_WIDGET_TOKEN says, 0 minutes ago")
    neuroon.clear_faults()
    settings.NEUROON_WIDGET_TOKEN = "issue"
    assert verified_token() == "ok       token    issued 0 minutes ago"
    assert re.fullmatch(r"\d s old, issued by Neuroon", status())
    assert json.loads(run("neuroon_status", "--json")[0])["default"]["token_method"] == "issue"


PLUGIN_ONLY = ("token", "list")  # what the later generation does not serve


@pytest.mark.parametrize("status", [404, 405])
def test_law_14_where_only_the_plugins_endpoints_exist(neuroon, status):
    """Verify, the widget and status work, and reconcile says why it does not."""
    missing(neuroon, *PLUGIN_ONLY, status=status)
    verified, error = run("neuroon_verify")
    assert (error, "failed" in verified) == ("", False)
    page = engines["django"].from_string("{% load neuroon %}{% neuroon_widget %}").render({})
    assert is_signed(re.findall('data-token="(.+?)"', page)[0], neuroon)
    _, problems = run("neuroon_status")
    assert "token" not in problems
    _, refusal = run("neuroon_reconcile")
    assert refusal.startswith(
        "Neuroon cannot list its products here, so nothing was compared: GET /api/"
    )
    assert str(status) in refusal


def test_without_a_list_everything_that_was_sent_is_removed(neuroon, flush):
    for sku in "AB":
        make_product(sku)
    flush()
    missing(neuroon, *PLUGIN_ONLY)
    _, error = run("neuroon_sync", "--remove-all", "--no-input")
    assert (neuroon.products, error) == ({}, "")


def test_law_15_the_key_is_in_no_signed_page_log_or_row(neuroon, settings, caplog):
    caplog.set_level(logging.DEBUG)
    settings.NEUROON_API_KEY = neuroon.api_key = KEY
    missing(neuroon, *PLUGIN_ONLY)
    page = engines["django"].from_string("{% load neuroon %}{% neuroon_widget %}").render({})
    settled()
    rows = [list(model.objects.values()) for model in (ShopState, Endpoint)]
    printed = [run("neuroon_verify"), run("neuroon_status", "--json")]
    [token] = re.findall('data-token="(.+?)"', page)
    shown = [page, caplog.text, rows, printed, parts_of(token), caches["default"]._cache]
    assert KEY not in "".join(map(str, shown))
    assert is_signed(token, neuroon)
