"""The client: what leaves, what comes back, and what a failure says; `responses` and real sockets."""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Iterator

import pytest
import requests
import responses
import urllib3

from neuroon_django import exceptions
from neuroon_django.api import Client
from neuroon_django.testing import Sandbox
from tests.naming import case

KEY = "sk_" + "0123456789abcdef" * 2
URL = "https://api.test"
SYNC = f"{URL}/api/plugin/shops/a%2Fb/products/sync"


@pytest.fixture
def client() -> Iterator[Client]:
    options = {"origin": "https://mystore.com", "user_agent": "neuroon-django/1 (+mystore.com)"}
    with Client(api_url=URL + "/", shop_id="a/b", api_key=KEY, timeout=5, **options) as made:
        yield made


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(verified=True) as made:
        yield made


def connect(sandbox: Sandbox, timeout: float = 0.4) -> Client:
    return Client(
        api_url=sandbox.url, shop_id=sandbox.shop_id, api_key=sandbox.api_key, timeout=timeout
    )


CALLS = [
    (
        "sync_products",
        ([b'{"externalId":"A"}'], ["A"], "plugin"),
        "POST",
        "/api/plugin/shops/a%2Fb/products/sync",
        {"syncType": "INCREMENTAL", "products": [{"externalId": "A"}]},
        {"synced": 1, "failed": 0},
    ),
    (
        "sync_products",
        ([b'{"externalId":"A","brands":["x"]}'], ["A"], "shops"),
        "POST",
        "/api/shops/a%2Fb/products/sync",
        [{"externalId": "A"}],
        {"synced": 1, "failed": 0},
    ),
    (
        "delete_product",
        ("S/1 ü", "plugin"),
        "DELETE",
        "/api/plugin/shops/a%2Fb/products/S%2F1%20%C3%BC",
        None,
        None,
    ),
    (
        "delete_product",
        ("p1", "shops"),
        "DELETE",
        "/api/shops/a%2Fb/products/p1",
        None,
        {"deleted": True},
    ),
    (
        "list_products",
        (2,),
        "GET",
        "/api/shops/a%2Fb/products?page=2&size=100",
        None,
        {"content": []},
    ),
    (
        "track_conversion",
        (b'{"orderId":"1"}',),
        "POST",
        "/api/plugin/shops/a%2Fb/track/conversion",
        {"orderId": "1"},
        "thanks",
    ),
    ("issue_token", (), "POST", "/api/shops/a%2Fb/widget-token", None, {"token": "t"}),
    (
        "verify",
        ("https://other.com",),
        "POST",
        "/api/plugin/shops/a%2Fb/verify",
        {"domain": "https://other.com"},
        {"shopId": "a/b"},
    ),
    (
        "verification_data",
        (),
        "GET",
        "/api/plugin/shops/a%2Fb/verification-data",
        None,
        {"verified": True},
    ),
    ("unverify", (), "DELETE", "/api/plugin/shops/a%2Fb/verify", None, None),
    ("me", (), "GET", "/api/plugin/shops/me", None, {"maxProducts": 5}),
]


@responses.activate
@pytest.mark.parametrize(
    ("name", "args", "method", "path", "body", "answer"), CALLS, ids=lambda x: str(x)[:20]
)
def test_each_call_as_the_contract_has_it(client, name, args, method, path, body, answer):
    responses.add(method, URL + path, json=answer, status=200 if answer is not None else 204)
    getattr(client, name)(*args)
    [call] = responses.calls
    assert call.request.url == URL + path
    expected = {
        "X-Shop-API-Key": KEY,
        "User-Agent": "neuroon-django/1 (+mystore.com)",
        "Accept": "application/json",
        "Origin": "https://other.com" if name == "verify" else "https://mystore.com",
    }
    if body is not None:
        expected["Content-Type"] = "application/json"
        assert json.loads(call.request.body) == body
    else:
        assert not call.request.body
    standard = {"Accept-Encoding", "Connection", "Content-Length"}
    assert {k: v for k, v in call.request.headers.items() if k not in standard} == expected


@responses.activate
@pytest.mark.parametrize(
    ("status", "kind", "unknown"),
    [
        (400, exceptions.Refused, False),
        (401, exceptions.KeyRefused, False),
        (402, exceptions.Unexpected, False),
        (403, exceptions.Forbidden, False),
        (404, exceptions.NotFound, False),
        (408, exceptions.Unavailable, True),
        (499, exceptions.Unavailable, True),
        *((status, exceptions.Unavailable, True) for status in range(520, 525)),
        (525, exceptions.Unavailable, False),
        (598, exceptions.Unavailable, True),
        (409, exceptions.Refused, False),
        (413, exceptions.Refused, False),
        (418, exceptions.Unexpected, False),
        (422, exceptions.Refused, False),
        (429, exceptions.RateLimited, False),
        (301, exceptions.Unexpected, False),
        (500, exceptions.Unavailable, False),
        (502, exceptions.Unavailable, True),
        (503, exceptions.Unavailable, False),
        (504, exceptions.Unavailable, True),
        (599, exceptions.Unavailable, False),
    ],
)
def test_each_status_is_one_error(client, status, kind, unknown):
    responses.add("POST", SYNC, json={"code": "X", "message": "told", "details": [1]}, status=status)
    with pytest.raises(exceptions.ApiError) as caught:
        client.sync_products([], [], "plugin")
    error = caught.value
    assert (type(error), error.status, error.unknown) == (kind, status, unknown)
    assert str(error) == f"POST /api/plugin/shops/a%2Fb/products/sync: {status} told (X): 1"
    assert error.reason == f"{status} told (X): 1"
    assert error.details == [1]


@responses.activate
@pytest.mark.parametrize(
    ("header", "body", "seconds"),
    [
        ("7", {}, 7),
        ("1.5", {}, 1.5),
        ("-3", {}, 0),
        (None, {"retryAfter": 9}, 9),
        ("soon", {"retryAfter": 9}, 9),
        (None, {"error": {"code": "x", "retryAfter": 4}}, 4),
        (None, {"retryAfter": "9"}, 9),
        (None, {"retryAfter": "soon"}, None),
        (None, {}, None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", {}, 0),
        ("Thu, 01 Jan 1970 00:00:00", {"retryAfter": 2}, 0),
        ("Thu Jan  1 00:00:00 1970", {"retryAfter": 2}, 0),
        ("Thu, 01 Jan 1970 00:00:00 -0000", {"retryAfter": 2}, 0),
        ("nan", {}, 0),
    ],
)
def test_retry_after(client, header, body, seconds):
    headers = {"Retry-After": header} if header else {}
    responses.add("POST", SYNC, json=body, status=429, headers=headers)
    with pytest.raises(exceptions.RateLimited) as caught:
        client.sync_products([], [], "plugin")
    assert caught.value.retry_after == seconds


@responses.activate
def test_retry_after_as_a_date(client):
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    responses.add("POST", SYNC, json={}, status=429, headers={"Retry-After": later})
    with pytest.raises(exceptions.RateLimited) as caught:
        client.sync_products([], [], "plugin")
    assert 95 < (caught.value.retry_after or 0) <= 100


@responses.activate
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"code": "BAD", "message": "no\\n price", "details": []}', "no price (BAD)"),
        (b'{"timestamp": 1, "status": 400, "error": "Bad Request", "path": "/"}', "Bad Request"),
        (
            b'{"code": "VALIDATION_ERROR", "message": "Validation failed", "details": ["a", {"b": 1}]}',
            "Validation failed (VALIDATION_ERROR): a; b: 1",
        ),
        (
            b'{"message": "bad", "details": [{"field": "price", "message": "too low", "code": "Min"}]}',
            "bad: price: too low (Min)",
        ),
        (b'{"type": "https://e/x", "title": "T", "detail": "D"}', "T: D (https://e/x)"),
        (b'{"type": "about:blank", "title": "T", "status": 400}', "T"),
        (
            b'{"timestamp": 1, "status": 400, "error": "Bad Request", "message": "no name"}',
            "no name",
        ),
        (b'{"error": "rate_limit_exceeded", "message": "slow"}', "slow"),
        (b'{"error": {"code": "C", "message": "inner"}}', "inner (C)"),
        (b'{"error": {"code": "C"}}', "C"),
        (b"<html><body>proxy</body></html>", "an HTML page: proxy"),
        (
            b"<!doctype html><head><title>502 Bad Gateway</title><style>p {}</style></head>"
            b"<body><h1>502 Bad&nbsp;Gateway</h1><script>x()</script><hr>nginx</body>",
            "an HTML page: 502 Bad Gateway nginx",
        ),
        (b'{"message": "<html><title>Sorry</title></html>"}', "an HTML page: Sorry"),
        (b'"just text"', "just text"),
        (b"just\ttext", "just text"),
        (b'["one", {"message": "two"}]', "one; two"),
        (b"[" * 100_000, "[" * 499 + "\u2026"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"message": "\\u001b[31mred\\u202e\\u0000x"}', "red x"),
        (b'{"message": "' + b"x" * 60_000 + b'"}', "x" * 499 + "\u2026"),
        (b"", "Bad Request"),
    ],
    ids=lambda x: str(x)[:30],
)
def test_every_shape_of_an_error_body_is_read(client, body, message):
    responses.add("POST", SYNC, body=body, status=400)
    with pytest.raises(exceptions.Refused) as caught:
        client.sync_products([], [], "plugin")
    assert caught.value.message == message


@responses.activate
@pytest.mark.parametrize(
    "failure",
    [
        requests.ConnectionError(f"boom {KEY}"),
        requests.Timeout("slow"),
        requests.exceptions.ChunkedEncodingError("cut"),
        OSError("socket"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_law_15_no_error_carries_the_request_and_so_the_key(client, failure):
    failure.request = requests.Request("POST", SYNC, headers={"X-Shop-API-Key": KEY}).prepare()
    failure.args = (failure.args[0].replace(KEY, ""),)
    responses.add("POST", SYNC, body=failure)
    with pytest.raises(exceptions.Unavailable) as caught:
        client.sync_products([], [], "plugin")
    error = caught.value
    assert error.unknown
    assert error.__context__ is None
    assert error.__cause__ is None
    assert KEY not in repr(error) + str(error) + "".join(traceback.format_exception(error))


# Over real sockets


def test_a_redirect_is_not_followed(sandbox):
    with Sandbox() as thief, connect(sandbox) as client:
        sandbox.fault("redirect", location=f"{thief.url}/api/plugin/shops/me", status=307)
        with pytest.raises(exceptions.Unexpected):
            client.me()
        assert thief.requests == []


@pytest.mark.parametrize(
    ("fault", "unknown"),
    [
        ({"kind": "delay", "seconds": 1.5}, True),
        ({"kind": "trickle", "interval": 0.05}, True),
        ({"kind": "trickle", "interval": 0.05, "head": True}, True),
        ({"kind": "huge", "megabytes": 17}, True),
        ({"kind": "truncated"}, True),
        ({"kind": "lost"}, True),
        ({"kind": "drop"}, True),
        ({"kind": "html"}, True),
        ({"kind": "empty"}, True),
        ({"kind": "shape", "body": [1]}, True),
    ],
    ids=case,
)
def test_law_05_a_request_is_over_in_time_whatever_the_answer(sandbox, fault, unknown):
    with connect(sandbox) as client:
        client.me()
        sandbox.fault(**fault)
        began = time.monotonic()
        with pytest.raises(exceptions.Unavailable) as caught:
            client.me()
        # Not how fast: that the clock runs from the start to the last byte, of 5 s of trickle.
        assert time.monotonic() - began < 3
        assert caught.value.unknown is unknown
        assert client.me()["shopId"] == sandbox.shop_id


@pytest.mark.parametrize("fault", [{"kind": "huge", "megabytes": 17}, {"kind": "truncated"}], ids=case)
def test_half_an_answer_is_named_with_its_status(sandbox, fault):
    with connect(sandbox) as client:
        sandbox.fault(**fault)
        with pytest.raises(exceptions.InvalidAnswer, match="GET /api/plugin/shops/me: 200 ") as caught:
            client.me()
    assert caught.value.status == 200


def test_half_a_refusal_is_a_refusal_all_the_same(sandbox):
    with Client(api_url=sandbox.url, shop_id=sandbox.shop_id, api_key="sk_wrong") as client:
        sandbox.fault("truncated")
        with pytest.raises(exceptions.KeyRefused):
            client.me()


def test_a_refused_connection_is_known_not_to_have_been_sent(sandbox):
    with connect(sandbox) as client:
        sandbox.stop()
        with pytest.raises(exceptions.Unavailable) as caught:
            client.me()
    assert not caught.value.unknown
    assert "Connection refused" in str(caught.value)


def test_law_05_a_connection_that_came_too_late_carries_no_request(sandbox, monkeypatch):
    """As when a name has many addresses, each tried for the whole time."""
    connected = urllib3.util.connection.create_connection

    def slow(*args, **kwargs):
        threading.Event().wait(0.5)
        return connected(*args, **kwargs)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", slow)
    with connect(sandbox, timeout=0.3) as client, pytest.raises(exceptions.Unavailable) as caught:
        client.me()
    assert not caught.value.unknown
    assert sandbox.requests == []


def test_a_connection_is_used_again(sandbox):
    with connect(sandbox) as client:
        for _ in range(3):
            client.me()
        pools = client.session.get_adapter(sandbox.url).poolmanager.pools
        [pool] = [pools[key] for key in pools.keys()]  # noqa: SIM118 - no mapping
        assert (pool.num_connections, pool.num_requests) == (1, 3)
