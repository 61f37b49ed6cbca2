"""Each fault at each step: what the rows say after it, and what Neuroon holds in the end.

The table is generated from `FAULTS` and `STEPS`; a pair that nobody has thought about is an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from neuroon_django import clicks
from neuroon_django.models import Conversion, Group, SyncedProduct, endpoint
from neuroon_django.operations.status import resume
from neuroon_django.testing import Sandbox
from neuroon_django.testing.sandbox import Fault
from neuroon_django.widget import refresh_token
from tests.factories import current_shop, end_blocks, make_product, pauses
from tests.shop.models import Order, Product

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT = 0.3

FAULTS = {
    "400": Fault("status", status=400),
    "401": Fault("status", status=401),
    "403": Fault("status", status=403),
    "404": Fault("status", status=404),
    "408": Fault("status", status=408),
    "409": Fault("status", status=409),
    "413": Fault("status", status=413),
    "418": Fault("status", status=418),
    "422": Fault("status", status=422),
    "429": Fault("status", status=429, headers={"Retry-After": "1"}),
    "499, applied": Fault("status", status=499, apply=True),
    "500": Fault("status", status=500),
    "522, applied": Fault("status", status=522, apply=True),
    "598": Fault("status", status=598),
    "502, applied": Fault("status", status=502, apply=True),
    "503": Fault("status", status=503),
    "503, applied": Fault("status", status=503, apply=True),
    "503 with Retry-After": Fault("status", status=503, headers={"Retry-After": "1"}),
    "504, applied": Fault("status", status=504, apply=True),
    "redirect": Fault("redirect"),
    "drop": Fault("drop"),
    "lost": Fault("lost"),
    "delay": Fault("delay", seconds=TIMEOUT + 0.1),
    "trickle": Fault("trickle", interval=TIMEOUT),
    "trickle of headers": Fault("trickle", interval=TIMEOUT / 5, head=True),
    "truncated": Fault("truncated"),
    "empty": Fault("empty"),
    "html": Fault("html", apply=True),
    "html 403": Fault("html", status=403),
    "huge": Fault("huge", megabytes=17),
    "shape": Fault("shape", body={"ok": "yes"}),
    "list": Fault("shape", body=[1, 2]),
}
STEPS = ("sync", "delete", "conversion", "token")

SENT, REFUSED, LATER, PAUSED = "sent", "refused", "later", "paused"
AGAIN, UNKNOWN, WAIT = "again", "unknown", "wait"


@dataclass(frozen=True)
class Row:
    """What a row says: its status, whether it is leased, whether it will be tried again."""

    status: str
    leased: bool
    due: bool


# What becomes of the request, by step; what it means for the row is below.
TABLE: dict[str, tuple[str, str, str, str]] = {
    # fault: sync, delete, conversion, token
    "400": (REFUSED, SENT, REFUSED, PAUSED),
    "401": (PAUSED, PAUSED, PAUSED, PAUSED),
    "403": (PAUSED, PAUSED, PAUSED, PAUSED),
    "404": (PAUSED, SENT, PAUSED, SENT),
    "408": (UNKNOWN, UNKNOWN, UNKNOWN, SENT),
    "409": (REFUSED, LATER, REFUSED, PAUSED),
    "413": (REFUSED, LATER, REFUSED, PAUSED),
    "418": (PAUSED, PAUSED, PAUSED, PAUSED),
    "422": (REFUSED, SENT, REFUSED, PAUSED),
    "429": (WAIT, WAIT, WAIT, WAIT),
    "499, applied": (UNKNOWN, UNKNOWN, UNKNOWN, SENT),
    "522, applied": (UNKNOWN, UNKNOWN, UNKNOWN, SENT),
    "598": (UNKNOWN, UNKNOWN, UNKNOWN, SENT),
    "500": (AGAIN, AGAIN, AGAIN, SENT),
    "502, applied": (UNKNOWN, UNKNOWN, UNKNOWN, SENT),
    "503": (AGAIN, AGAIN, AGAIN, SENT),
    "503, applied": (AGAIN, AGAIN, AGAIN, SENT),
    "503 with Retry-After": (AGAIN, AGAIN, AGAIN, WAIT),
    "504, applied": (UNKNOWN, UNKNOWN, UNKNOWN, SENT),
    "redirect": (PAUSED, PAUSED, PAUSED, PAUSED),
    "drop": (UNKNOWN, UNKNOWN, UNKNOWN, SENT),
    "lost": (UNKNOWN, UNKNOWN, UNKNOWN, SENT),
    "delay": (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
    "trickle": (UNKNOWN, SENT, UNKNOWN, UNKNOWN),
    "trickle of headers": (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
    "truncated": (UNKNOWN, UNKNOWN, UNKNOWN, SENT),
    "empty": (SENT, SENT, SENT, SENT),
    "html": (UNKNOWN, UNKNOWN, SENT, SENT),
    "html 403": (PAUSED, PAUSED, PAUSED, PAUSED),
    "huge": (UNKNOWN, UNKNOWN, UNKNOWN, SENT),
    "shape": (SENT, SENT, SENT, SENT),
    "list": (UNKNOWN, SENT, SENT, SENT),
}
CELLS = [(fault, step) for fault in FAULTS for step in STEPS]

ROWS = {
    ("sync", SENT): Row("synced", leased=False, due=False),
    ("sync", REFUSED): Row("rejected", leased=False, due=False),
    ("sync", PAUSED): Row("pending", leased=False, due=True),
    ("sync", AGAIN): Row("pending", leased=False, due=True),
    ("sync", WAIT): Row("pending", leased=False, due=True),
    ("sync", UNKNOWN): Row("sending", leased=True, due=True),
    ("delete", SENT): None,
    ("delete", PAUSED): Row("deleting", leased=False, due=True),
    ("delete", AGAIN): Row("deleting", leased=False, due=True),
    ("delete", LATER): Row("deleting", leased=False, due=True),
    ("delete", WAIT): Row("deleting", leased=False, due=True),
    ("delete", UNKNOWN): Row("deleting", leased=True, due=True),
    ("conversion", SENT): Row("sent", leased=False, due=False),
    ("conversion", REFUSED): Row("rejected", leased=False, due=False),
    ("conversion", PAUSED): Row("pending", leased=False, due=True),
    ("conversion", AGAIN): Row("pending", leased=False, due=True),
    ("conversion", WAIT): Row("pending", leased=False, due=True),
    ("conversion", UNKNOWN): Row("sending", leased=True, due=True),
}


def test_no_cell_of_the_table_is_missing():
    assert TABLE.keys() == FAULTS.keys()
    assert all(len(cells) == len(STEPS) for cells in TABLE.values())


@dataclass
class Step:
    """Something to send, how a worker sends it, and where it is then."""

    send: Callable[[], Any]
    row: Callable[[], Any]
    there: Callable[[], bool]
    group: str


@pytest.fixture
def step(request, neuroon: Sandbox, flush, flush_orders, settings, monkeypatch) -> Step:
    settings.NEUROON_TIMEOUT = settings.NEUROON_WIDGET_TIMEOUT = TIMEOUT
    settings.NEUROON_PRODUCTS_API = "plugin"
    monkeypatch.setattr(endpoint, "FIRST_BACKOFF", 0.01)
    monkeypatch.setattr(endpoint, "LONG_BACKOFF", 30)
    flush()
    product = make_product("A")
    products = SyncedProduct.objects.filter(external_id="A")
    if request.param == "sync":
        there = lambda: "A" in neuroon.products  # noqa: E731
        return Step(lambda: flush(foreground=False), products.first, there, "products")
    if request.param == "delete":
        flush()
        Product.objects.get(pk=product.pk).delete()
        gone = lambda: "A" not in neuroon.products  # noqa: E731
        return Step(lambda: flush(foreground=False), products.first, gone, "deletes")
    if request.param == "conversion":
        token = clicks.current.set('{"A": "search-1"}')
        order = Order.objects.create(number="1", total=Decimal("20"), status="paid")
        order.lines.create(product=product, quantity=2, total=Decimal("20"))
        clicks.current.reset(token)
        sent = lambda: list(neuroon.conversions) == ["1"]  # noqa: E731
        orders = Conversion.objects.all()
        return Step(lambda: flush_orders(foreground=False), orders.first, sent, "conversions")
    issued = lambda: bool(current_shop().token)  # noqa: E731
    return Step(lambda: refresh_token(current_shop()), lambda: None, issued, "token")


@pytest.mark.parametrize(("fault", "step"), CELLS, indirect=["step"], ids=lambda x: str(x))
def test_law_09_each_fault_at_each_step(neuroon, step, fault, request):
    name = request.node.callspec.params["step"]
    outcome = TABLE[fault][STEPS.index(name)]
    if (fault, name) == ("404", "delete"):
        del neuroon.products["A"]
    with neuroon.faulty(**vars(FAULTS[fault]), endpoint=name, times=1):
        step.send()
    if fault == "delay":
        time.sleep(0.2)  # until Neuroon has done what nobody waits for any more
    found = step.row()
    if name != "token":
        wanted = ROWS[name, outcome]
        assert (found and Row(found.status, bool(found.lease), found.due_at is not None)) == wanted
        assert found is None or "sk_" not in found.last_error
    assert bool(step.there()) == (outcome == SENT or _applied(fault, name, outcome))
    paused = {"401": set(Group.values)}.get(fault, _paused(step.group, fault))
    assert pauses().keys() == (paused if outcome in (PAUSED, AGAIN, UNKNOWN) else set())
    _ends_well(neuroon, step, outcome)


def _applied(fault: str, name: str, outcome: str) -> bool:
    """Whether Neuroon did it all the same: then it must do no harm to do it again."""
    return name != "token" and outcome in (UNKNOWN, AGAIN) and FAULTS[fault].applied


def _paused(group: str, fault: str) -> set[str]:
    if FAULTS[fault].headers:  # a Retry-After is no pause: nobody has to look
        return set()
    if group in ("products", "deletes") and fault in ("403", "404", "418", "redirect", "html 403"):
        return {"products", "deletes"}
    return {group}


def _ends_well(neuroon: Sandbox, step: Step, outcome: str) -> None:
    """The fault is over: what was not refused for good arrives, once every lease and pause is over."""
    resume(current_shop())
    end_blocks()
    for rows in (SyncedProduct.objects, Conversion.objects):
        for row in rows.filter(due_at__isnull=False):
            rows.filter(pk=row.pk).update(due_at=row.created_at)
    step.send()
    assert step.there() == (outcome != REFUSED)
    assert pauses() == {}
    assert neuroon.overlaps == []
