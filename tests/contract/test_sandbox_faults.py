"""What goes wrong on command, what is kept, and the sandbox's life, over sockets."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from neuroon_django.testing.sandbox import Fault, Request, Sandbox, random_faults
from tests.contract.shop import (
    BARE_SYNC,
    CONVERSION,
    LIST,
    ME,
    NOW,
    PLUGIN,
    SYNC,
    TOKEN,
    VERIFY,
    Shop,
    broken,
    check,
    conversion,
    error,
    outcome,
    product,
    search,
)

PAGE = "<!doctype html><html><head><title>Sorry</title></head><body>Try again.</body></html>"
STORED = {"SKU-1": product()}
FAULT_429 = {"error": "rate_limit_exceeded", "message": "Sandbox fault 429", "limit": 100}


@pytest.mark.parametrize(
    ("fault", "status", "body", "products"),
    [
        ({"kind": "status"}, 503, error(503, "Sandbox fault 503", SYNC), {}),
        ({"kind": "status", "status": 400}, 400, error(400, "Sandbox fault 400"), {}),
        ({"kind": "status", "status": 401}, 401, error(401, "Sandbox fault 401"), {}),
        ({"kind": "status", "status": 409}, 409, error(409, "Sandbox fault 409", SYNC), {}),
        ({"kind": "status", "status": 413}, 413, error(413, "Sandbox fault 413"), {}),
        ({"kind": "status", "status": 599}, 599, error(599, "Sandbox fault 599", SYNC), {}),
        ({"kind": "status", "status": 429}, 429, FAULT_429 | {"remaining": 0, "timestamp": NOW}, {}),
        ({"kind": "status", "body": {"a": 1}}, 503, {"a": 1}, {}),
        ({"kind": "status", "body": '"text"', "status": 500}, 500, "text", {}),
        ({"kind": "status", "body": b"[]", "status": 502, "apply": True}, 502, [], STORED),
        ({"kind": "delay", "seconds": 0.01}, 200, outcome(1), STORED),
        ({"kind": "trickle", "interval": 0.0001}, 200, outcome(1), STORED),
        ({"kind": "trickle", "interval": 0.0001, "head": True}, 200, outcome(1), STORED),
        ({"kind": "empty"}, 200, None, STORED),
        ({"kind": "empty", "apply": False}, 200, None, {}),
        *(
            ({"kind": "shape", "body": body}, 200, body, STORED)
            for body in ([], {"synced": "x"}, None, "text", 7)
        ),
    ],
)
def test_an_answer_that_is_spoilt(
    neuroon: Sandbox, shop: Shop, fault: dict[str, Any], status: int, body: Any, products: Any
) -> None:
    neuroon.fault(**fault)
    check(shop.sync(product()), status, body)
    assert neuroon.products == products
    check(shop.sync(product()), 200, outcome(0, 1) if products else outcome(1))
    kept = [(received.fault, received.status) for received in neuroon.requests]
    assert kept == [(fault["kind"], status), (None, 200)]


@pytest.mark.parametrize(
    ("fault", "status", "products"),
    [
        ({"kind": "drop"}, None, {}),
        ({"kind": "lost"}, None, STORED),
        ({"kind": "truncated"}, 200, STORED),
        ({"kind": "truncated", "apply": False}, 200, {}),
    ],
)
def test_an_answer_that_does_not_arrive(
    neuroon: Sandbox, shop: Shop, fault: dict[str, Any], status: int | None, products: Any
) -> None:
    neuroon.fault(**fault)
    broken(lambda: shop.sync(product()))
    assert neuroon.products == products
    (received,) = neuroon.requests
    assert (received.fault, received.status, received.external_ids) == (
        fault["kind"],
        status,
        ("SKU-1",),
    )
    check(shop.sync(product()), 200, outcome(0, 1) if products else outcome(1))


def test_truncated_before_it_began(neuroon: Sandbox, shop: Shop) -> None:
    shop.sync(product())
    neuroon.fault("truncated")
    broken(lambda: shop("DELETE", f"{PLUGIN}/products/SKU-1"))
    assert neuroon.products == {}


def test_headers_html_and_redirects(neuroon: Sandbox, shop: Shop) -> None:
    neuroon.fault("status", status=429, headers={"Retry-After": "7"})
    neuroon.fault("html")
    neuroon.fault("html", status=502, apply=True)
    neuroon.fault("redirect", status=307, location="https://elsewhere.com/")
    neuroon.fault("redirect")
    limited, page, gateway, *redirects = (shop.sync(product()) for _ in range(5))
    assert (limited.headers["Retry-After"], limited.json()["retryAfter"]) == ("7", 7)
    assert [(one.status_code, one.text) for one in (page, gateway)] == [(200, PAGE), (502, PAGE)]
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    seen = [(one.status_code, one.headers["Location"]) for one in redirects]
    assert seen == [(307, "https://elsewhere.com/"), (302, "/elsewhere")]
    assert neuroon.products == STORED


def test_huge(neuroon: Sandbox, shop: Shop) -> None:
    neuroon.fault("huge", megabytes=2)
    answer = shop.sync(product())
    assert (len(answer.json()["errors"]), len(answer.content) > 2 * 2**20) == (3, True)
    assert "Content-Length" not in answer.headers
    neuroon.fault("huge", megabytes=1000)
    with shop.sync(product(), stream=True) as answer:
        assert len(answer.raw.read(100)) == 100
    check(shop.sync(product()), 200, outcome(0, 1))


def test_delayed_beyond_the_clients_patience(neuroon: Sandbox, shop: Shop) -> None:
    neuroon.fault("delay", endpoint="sync", seconds=60)
    with pytest.raises(requests.ReadTimeout):
        shop.sync(product(), timeout=0.1)
    assert shop("DELETE", f"{PLUGIN}/products/SKU-1").status_code == 404
    assert neuroon.overlaps == ["SKU-1"]
    neuroon.stop()
    assert neuroon.products == {}


def test_a_trickle_ends_with_the_sandbox(neuroon: Sandbox, shop: Shop) -> None:
    neuroon.fault("trickle", interval=60)
    with shop.sync(product(), stream=True) as answer:
        neuroon.stop()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):  # no timeout
            _ = answer.content


def test_which_requests_a_fault_meets(neuroon: Sandbox, shop: Shop) -> None:
    neuroon.fault("status", endpoint="list", times=2, after=1)
    neuroon.fault("status", endpoint="list", status=500, after=3)
    assert shop.statuses(1) == [200]
    assert shop.statuses(5, LIST) == [200, 503, 503, 500, 200]
    neuroon.fault("status", times=None)
    assert shop.statuses(3) == [503] * 3
    neuroon.clear_faults()
    with neuroon.faulty("status", endpoint="me", status=500):
        assert shop.statuses(2) == [500] * 2
        assert shop.statuses(1, LIST) == [200]
    with neuroon.faulty("status", times=1):
        assert shop.statuses(2) == [503, 200]
    assert shop.statuses(1) == [200]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda neuroon: neuroon.fault("flood"), "no kind 'flood'; there are delay, drop, "),
        (lambda neuroon: neuroon.fault("status", endpoint="snyc"), "no endpoint 'snyc'"),
        (lambda neuroon: neuroon.held("snyc").__enter__(), "no endpoint 'snyc'"),
        (lambda neuroon: setattr(neuroon, "error_style", "other"), "no error_style 'other'"),
        (lambda neuroon: setattr(neuroon, "routes", ["plugin", "shop"]), "no routes 'shop'"),
        (lambda neuroon: Sandbox(shops_delete_by="name"), "no shops_delete_by 'name'"),
    ],
)
def test_what_there_is_not(neuroon: Sandbox, act: Callable[[Sandbox], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        act(neuroon)
    with pytest.raises(TypeError):
        neuroon.fault("status", state=503)


def test_a_plan_decides_on_each_request(neuroon: Sandbox, shop: Shop) -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []

    def plan(request: Request) -> Fault | None:
        asked.append((request.endpoint, request.external_ids))
        return Fault("status", status=500) if "B" in request.external_ids else None

    neuroon.plan = plan
    statuses = [shop.sync(*map(product, ids)).status_code for ids in ("A", "AB", "C")]
    assert statuses == [200, 500, 200]
    assert asked == [("sync", ("A",)), ("sync", ("A", "B")), ("sync", ("C",))]


def test_random_faults_are_the_same_for_a_seed(neuroon: Sandbox, shop: Shop) -> None:
    def run() -> list[str | None]:
        neuroon.clear()
        kinds: list[str | Fault] = ["status", Fault("html", status=502)]
        neuroon.plan = random_faults(7, 0.5, kinds, endpoints={"me"})
        shop.statuses(30)
        assert shop.statuses(1, LIST) == [200]
        return [received.fault for received in neuroon.requests]

    first = run()
    assert first == run()
    assert set(first) == {None, "status", "html"}


# On the wire


def test_a_hold(neuroon: Sandbox, shop: Shop, pool: ThreadPoolExecutor) -> None:
    with neuroon.held("sync") as held:
        sent = [pool.submit(Shop(neuroon).sync, product(key)) for key in "AB"]
        held.wait(2)
        assert (neuroon.products, neuroon.requests) == ({}, [])
        assert shop.statuses(1) == [200]
        held.release()
        assert [answer.result().status_code for answer in sent] == [200, 200]
    with neuroon.held() as held:
        last = pool.submit(Shop(neuroon).sync, product("C"))
        held.wait()
    assert last.result().status_code == 200  # the block's end releases as well
    assert (neuroon.products.keys(), neuroon.overlaps) == ({"A", "B", "C"}, [])
    with neuroon.held() as held, pytest.raises(TimeoutError, match=r"0 of 1 .* 0\.01 s"):
        held.wait(timeout=0.01)


def test_a_held_request_is_not_applied_once_the_sandbox_stops(
    neuroon: Sandbox, pool: ThreadPoolExecutor
) -> None:
    with neuroon.held() as held:
        sent = pool.submit(Shop(neuroon).sync, product())
        held.wait()
        neuroon.stop()
        assert isinstance(sent.exception(10), requests.ConnectionError)
    assert neuroon.products == {}


def test_overlapping_requests_for_one_product(
    neuroon: Sandbox, shop: Shop, pool: ThreadPoolExecutor
) -> None:
    for _ in range(20):  # one after the other is none
        shop.sync(product("A"))
        shop("DELETE", f"{PLUGIN}/products/A")
    shop.sync(product("E"))
    there = neuroon.identify("E")[0]
    wire: list[tuple[list[str], Callable[[], object], list[str]]] = [
        ([], lambda: Shop(neuroon).sync(product("A"), product("B")), []),
        ([], lambda: Shop(neuroon).sync(product("C")), []),
        ([], lambda: Shop(neuroon).sync(*map(product, "BCDE")), ["B", "C"]),
        (["B", "C"], lambda: Shop(neuroon)("DELETE", f"{PLUGIN}/products/D"), ["B", "C", "D"]),
        (["B", "C", "D"], lambda: Shop(neuroon)("DELETE", f"{LIST}/{there}"), ["B", "C", "D", "E"]),
    ]
    with neuroon.held() as held:
        for number, (before, send, after) in enumerate(wire, 1):
            assert neuroon.overlaps == before
            pool.submit(send)
            held.wait(number)
            assert neuroon.overlaps == after


def test_many_at_once(neuroon: Sandbox, pool: ThreadPoolExecutor) -> None:
    def work(number: int) -> None:
        own = Shop(neuroon)
        for n in range(10):
            own.sync(product(f"{number}-{n}"))
            own("POST", CONVERSION, conversion(orderId=str(n)))

    list(pool.map(work, range(8)))
    assert (len(neuroon.products), len(neuroon.conversions), neuroon.duplicates) == (80, 10, 70)
    assert len(neuroon.requests) == 160


def exchange(neuroon: Sandbox, head: str, body: bytes = b"") -> socket.socket:
    connection = socket.create_connection((neuroon.host, neuroon.port), timeout=10)
    connection.sendall(f"{head}\r\n\r\n".encode() + body)
    return connection


def test_keep_alive_and_one_write_for_an_answer(neuroon: Sandbox) -> None:
    ask = f"GET {ME} HTTP/1.1\r\nHost: x\r\nX-Shop-API-Key: {neuroon.api_key}"
    with exchange(neuroon, ask) as connection:
        first = connection.recv(65536)
        connection.sendall(f"{ask}\r\n\r\n".encode())
        assert connection.recv(65536) == first
    head, body = first.split(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 200 OK"
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")


@pytest.mark.parametrize("header", ["Transfer-Encoding: chunked", "Content-Length: many"])
def test_a_body_without_a_length(neuroon: Sandbox, header: str) -> None:
    with exchange(neuroon, f"POST {SYNC} HTTP/1.1\r\nHost: x\r\n{header}") as connection:
        assert connection.makefile("rb").read().split(b" ")[1] == b"411"


def test_a_client_that_leaves_within_its_request(neuroon: Sandbox) -> None:
    ask = f"POST {SYNC} HTTP/1.1\r\nHost: x\r\nContent-Length: 10"
    with exchange(neuroon, ask, b"[") as connection:
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(10) == b""
    assert neuroon.requests == []


# What is kept, and its life


def test_a_request_is_kept_without_the_key(neuroon: Sandbox, shop: Shop) -> None:
    body, path = json.dumps([product("A"), product("B")]).encode(), f"{BARE_SYNC}?x=1"
    shop("POST", path, body, headers={"User-Agent": "app/1"})
    (received,) = neuroon.sync_requests
    assert neuroon.requests == [received]
    assert (received.method, received.path, received.body) == ("POST", path, body)
    assert (received.endpoint, received.status, received.fault) == ("sync", 200, None)
    assert (received.external_ids, received.key_ok) == (("A", "B"), True)
    assert received.json == [product("A"), product("B")]
    headers = [received.headers[name] for name in ("X-Shop-API-Key", "user-agent")]
    assert headers == ["sk_…", "app/1"]
    assert received.started <= received.ended
    assert neuroon.api_key not in repr(received) + repr(neuroon)


def test_clear_forgets_the_requests_and_reset_everything(neuroon: Sandbox, shop: Shop) -> None:
    shop.sync(product())
    neuroon.clear()
    assert (neuroon.requests, neuroon.products) == ([], STORED)
    shop("POST", VERIFY, {"domain": neuroon.shop_url})
    shop("POST", CONVERSION, conversion())
    search(shop, shop("POST", TOKEN).json()["token"], "x")
    neuroon.fault("status", times=None)
    neuroon.reset()
    assert (neuroon.products, neuroon.conversions, neuroon.searches) == ({}, {}, {})
    lists = (neuroon.requests, neuroon.tokens, neuroon.domains, neuroon.overlaps)
    assert lists == ([], [], [], [])
    assert (neuroon.verified, neuroon.duplicates, shop.statuses(1)) == (False, 0, [200])


def test_settings_and_address() -> None:
    sandbox = Sandbox(shop_id="s", api_key="sk_1", shop_url="https://mystore.com")
    with pytest.raises(RuntimeError, match="no address"):
        sandbox.settings()
    with sandbox as neuroon:
        assert neuroon.settings() == {
            "NEUROON_SHOP_ID": "s",
            "NEUROON_API_KEY": "sk_1",
            "NEUROON_API_URL": f"http://127.0.0.1:{neuroon.port}",
            "NEUROON_STOREFRONT_URL": "https://mystore.com",
        }


def test_stopped_and_started_again_at_the_same_address(neuroon: Sandbox, shop: Shop) -> None:
    shop.sync(product())
    neuroon.stop()
    neuroon.stop()
    broken(lambda: shop("GET", ME))
    neuroon.start()
    assert neuroon.start() is neuroon
    check(shop.sync(product()), 200, outcome(0, 1))


def test_an_error_in_a_tests_own_function_is_printed(
    neuroon: Sandbox, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(payload: dict[str, Any]) -> str | None:
        raise LookupError("in the test's own function")

    neuroon.reject = fail
    broken(lambda: shop.sync(product()))
    neuroon.stop()
    assert "LookupError: in the test's own function" in capsys.readouterr().err


def test_threads_end_with_the_sandbox() -> None:
    before = set(threading.enumerate())
    with Sandbox() as neuroon:
        Shop(neuroon)("GET", ME)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before
