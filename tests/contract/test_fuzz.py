"""Whatever a server answers ends in a success or a named error, and loses no row.

Status lines, headers and bodies are drawn by Hypothesis and sent over real sockets. For products,
deletes and orders a worker's run meets the answer, and then a sound one: what the rows and endpoints
say in between is looked at. `FUZZ=deep` draws more than 5,000 answers; by default a few, the same ones
each time.
"""

from __future__ import annotations

import os
import time
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings

from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import order_run, product_run
from neuroon_django.exceptions import ApiError
from neuroon_django.models import Conversion, Endpoint, Lane, ShopState, SyncedProduct
from neuroon_django.models.endpoint import MAX_RETRY_AFTER
from tests.contract.answers import scripts
from tests.contract.raw import RawServer, Script, good
from tests.factories import current_shop, make_product, pay, place

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT = 0.2
KEY = "sk_" + "fuzz" * 8
SOUND = {
    "sync": good(b'{"synced":1,"created":0,"updated":1,"failed":0,"errors":[]}'),
    "delete": good(b"", 204),
    "conversion": good(b"{}"),
}
DEEP = os.environ.get("FUZZ") == "deep"
COMMON: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "derandomize": not DEEP,
    "suppress_health_check": list(HealthCheck),
}
# An answer is not made smaller once it was found: that takes minutes over sockets.
COMMON["phases"] = [Phase.explicit, Phase.generate]
RUNS = settings(max_examples=1_000 if DEEP else 25, **COMMON)
CALLS = settings(max_examples=250 if DEEP else 20, **COMMON)


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with RawServer() as running:
        yield running
        running.shutdown()


@pytest.fixture
def shop(server, settings) -> ShopState:
    settings.NEUROON_API_URL, settings.NEUROON_API_KEY = server.url, KEY
    settings.NEUROON_TIMEOUT = TIMEOUT
    settings.NEUROON_AUTO_SYNC = False
    server.use(SOUND["sync"])
    make_product("A")
    pay(place("1001", cookie='{"A": "search-1"}', sku="A"))
    run("sync")
    run("conversion")
    return current_shop()


def run(kind: str) -> Any:
    """One run as a worker makes it; return its statistics."""
    state = current_shop()
    with Client(**conf.shop().client_options()) as client:
        make = order_run if kind == "conversion" else product_run
        return make(state, client, foreground=False, until=time.monotonic() + 30).run()


def reset(kind: str, *, route_known: bool = True) -> None:
    """Make the row due, as if nothing had been heard of it, and open every endpoint."""
    due = {"due_at": just_now(), "lease": "", "attempts": 0, "last_error": ""}
    if kind == "conversion":
        cookie = {"clicks": '{"A": "search-1"}', "sent_at": None, "clicked_at": timezone.now()}
        Conversion.objects.update(status="pending", **due, **cookie)
    else:
        lane = Lane.DELETES if kind == "delete" else Lane.LIVE
        status = "deleting" if kind == "delete" else "pending"
        known = {"digest": "", "in_neuroon": True, "remote_id": ""}
        SyncedProduct.objects.update(status=status, lane=lane, **known, **due)
    Endpoint.objects.update(
        next_slot_at=None, blocked_until=None, reason="", status=None, failures=0, run_until=None
    )
    if not route_known:
        ShopState.objects.update(route="")


def just_now() -> datetime:
    """Return a moment that is over by the database's clock, which may be coarser than ours."""
    return timezone.now() - timedelta(seconds=1)


DONE = {"sync": {"synced", "rejected"}, "delete": {"unlisted"}, "conversion": {"sent", "rejected"}}
OPEN = {"sync": {"pending", "sending"}, "delete": {"deleting"}, "conversion": {"pending", "sending"}}


def row_of(kind: str) -> Any:
    [row] = (Conversion if kind == "conversion" else SyncedProduct).objects.all()
    return row


def meet(server: RawServer, kind: str, script: Script, *, route_known: bool = True) -> None:
    """Let a run meet the answer; look at the row; then let a sound answer have it arrive."""
    reset(kind, route_known=route_known)
    server.use(script)
    statistics = run(kind)
    row = row_of(kind)
    requests = len(server.requests)
    assert requests <= 12, "a run that does not end"
    assert row.status in DONE[kind] | OPEN[kind]
    assert_text(row.last_error)
    if row.status in DONE[kind]:
        assert (row.lease, row.due_at) == ("", None)
        assert row.status != "rejected" or row.last_error
    else:
        assert_waits_for_a_cause(row, statistics)
    assert_endpoints()
    arrives(server, kind, row.status)


def assert_waits_for_a_cause(row: Any, statistics: Any) -> None:
    """It will be tried again, at a time that comes, and somebody was told why."""
    assert row.due_at is not None
    if row.lease:
        assert (row.due_at - timezone.now()).total_seconds() <= 2 * TIMEOUT + 1
    blocked = Endpoint.objects.exclude(blocked_until=None).exists()
    assert blocked or row.last_error or statistics.stops, "it waits, and nobody knows why"


def assert_endpoints() -> None:
    for endpoint in Endpoint.objects.all():
        assert_text(endpoint.reason)
        if endpoint.blocked_until is not None:
            assert (endpoint.blocked_until - timezone.now()).total_seconds() <= MAX_RETRY_AFTER + 1


def assert_text(text: str) -> None:
    """One line, no control characters, of a length that is read, and without the key."""
    assert not {unicodedata.category(character) for character in text} & {"Cc", "Cs", "Zl", "Zp"}
    assert len(text) < 2_000
    assert KEY not in text


def arrives(server: RawServer, kind: str, status: str) -> None:
    """Neuroon is sound again and every wait is over: what was not settled arrives now."""
    if status in DONE[kind]:
        return
    server.use(SOUND[kind])
    Endpoint.objects.update(next_slot_at=None, blocked_until=None)
    (Conversion if kind == "conversion" else SyncedProduct).objects.update(due_at=just_now())
    run(kind)
    assert server.requests, "settled by an answer to another request"
    assert row_of(kind).status in DONE[kind] - {"rejected"}


@RUNS
@given(script=scripts())
def test_a_product_by_the_known_route(server, shop, script):
    meet(server, "sync", script)


@RUNS
@given(script=scripts())
def test_a_product_while_the_route_is_being_found(server, shop, script):
    meet(server, "sync", script, route_known=False)


@RUNS
@given(script=scripts())
def test_a_delete(server, shop, script):
    meet(server, "delete", script)


@RUNS
@given(script=scripts())
def test_an_order(server, shop, script):
    meet(server, "conversion", script)


CALL: dict[str, Callable[[Client], Any]] = {
    "list": lambda client: client.list_products(0),
    "token": lambda client: client.issue_token(),
    "verify": lambda client: client.verify("https://mystore.com"),
    "verification data": lambda client: client.verification_data(),
    "unverify": lambda client: client.unverify(),
    "plan": lambda client: client.me(),
}


@pytest.fixture
def client(server) -> Iterator[Client]:
    options = {"shop_id": "s", "api_key": KEY, "origin": "https://mystore.com"}
    with Client(api_url=server.url, timeout=TIMEOUT, **options) as made:
        yield made


@pytest.mark.parametrize("name", CALL)
def test_a_call_of_a_command_or_a_page(server, client, name):
    @CALLS
    @given(script=scripts())
    def fuzz(script: Script) -> None:
        server.use(script)
        began = time.monotonic()
        try:
            assert_answer(name, CALL[name](client))
        except ApiError as error:
            assert_text(str(error))
            assert error.retry_after is None or 0 <= error.retry_after < float("inf")
        assert time.monotonic() - began < 10

    fuzz()


def assert_answer(name: str, answer: Any) -> None:
    if name == "token":
        assert answer.strip()
    elif name == "list":
        assert all(isinstance(one.external_id, str) and one.external_id for one in answer.content)
    elif name != "unverify":
        assert isinstance(answer, dict)
