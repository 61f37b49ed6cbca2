"""The token's endpoint: for pages that are cached whole, and for browser-rendered shops."""

from __future__ import annotations

import pytest
from django.core.cache import caches

from tests.factories import current_shop

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/neuroon/widget-token/"
NEVER = "max-age=0, no-cache, no-store, must-revalidate, private"


def test_the_token_as_json_that_nobody_stores(neuroon, client):
    response = client.get(URL)
    assert response.status_code == 200
    assert response.json() == {"token": neuroon.tokens[0]}
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == NEVER
    assert response.cookies == {}


def test_no_token_is_a_503_that_says_when_to_come_back(neuroon, client):
    neuroon.verified = False
    response = client.get(URL)
    assert response.status_code == 503
    assert response["Retry-After"] == "30"
    assert response["Cache-Control"] == NEVER
    assert "token" not in response.json()


def test_a_503_mails_nobody(neuroon, client, mailoutbox, settings):
    settings.ADMINS = [("Jo", "jo@example.org")]
    settings.DEBUG = False
    neuroon.verified = False
    assert client.get(URL).status_code == 503
    assert mailoutbox == []


def test_it_is_no_way_to_hammer_neuroon(neuroon, client):
    neuroon.verified = False
    assert {client.get(URL).status_code for _ in range(100)} == {503}
    assert len(neuroon.requests) == 1
    assert "domain" in current_shop().endpoint("token").reason


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "head", "options"])
def test_get_only(neuroon, client, method):
    response = getattr(client, method)(URL)
    assert (response.status_code, response["Cache-Control"]) == (405, NEVER)
    assert neuroon.requests == []


@pytest.mark.parametrize("off", [{"NEUROON_ENABLED": False}, {"NEUROON_API_KEY": ""}])
def test_law_17_switched_off_it_has_no_token(neuroon, client, settings, off):
    for name, value in off.items():
        setattr(settings, name, value)
    assert client.get(URL).status_code == 503
    assert neuroon.requests == []


def test_a_shop_behind_a_login_still_serves_it(neuroon, client, settings):
    login = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, login]
    assert client.get(URL).json() == {"token": neuroon.tokens[0]}


@pytest.mark.parametrize("atomic", [True, False])
def test_inside_a_requests_own_transaction(neuroon, client, settings, atomic, monkeypatch):
    from django.db import connection

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", atomic)
    assert client.get(URL).json() == {"token": neuroon.tokens[0]}


@pytest.mark.parametrize("turn", [1, 2])
def test_no_test_leaves_a_token_to_the_next(turn):
    """A sandbox that gets the port of an earlier one would have its token."""
    assert caches["default"].get("left-by-a-test") is None
    caches["default"].set("left-by-a-test", turn)
