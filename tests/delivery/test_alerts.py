"""What needs a person is told once when it begins and once when it ends, by whoever sees it first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.dispatch import Signal

from neuroon_django import signals
from neuroon_django.delivery import rejection_alert
from neuroon_django.exceptions import ApiError, Forbidden, KeyRefused, Refused, Unavailable
from neuroon_django.models import Endpoint, Group, ShopState
from neuroon_django.operations.status import resume
from tests.factories import current_shop, make_order, make_product, pauses
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)

ALL = ["products", "deletes", "conversions", "token"]


@pytest.fixture
def heard() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What the two signals told, in their order."""
    told: list[tuple[str, dict[str, Any]]] = []

    def listen(signal: Signal, name: str) -> Any:
        def hear(sender: type, signal: Signal, **facts: Any) -> None:
            assert sender is ShopState
            told.append((name, facts))

        signal.connect(hear)
        return hear

    paused = listen(signals.delivery_paused, "paused")
    resumed = listen(signals.delivery_resumed, "resumed")
    yield told
    signals.delivery_paused.disconnect(paused)
    signals.delivery_resumed.disconnect(resumed)


def error(cls: type[ApiError], status: int | None, message: str = "no") -> ApiError:
    return cls(message, method="POST", path="p", status=status)


@pytest.fixture
def lines(caplog) -> Any:
    """The events logged so far at INFO and above, with their levels."""
    caplog.set_level("INFO", logger="neuroon_django")

    def events(*names: str) -> list[tuple[str, str]]:
        found = [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "neuroon_django"]
        caplog.clear()
        return [(level, text) for level, text in found if text.split(" ")[0] in names]

    return events


@pytest.mark.parametrize(
    ("cause", "groups", "needs_a_person"),
    [
        (error(KeyRefused, 401), ALL, True),
        (error(Forbidden, 403), ["products", "deletes"], True),
        (error(Refused, 422), ["products"], True),
        (error(Refused, None), ["products"], True),
        (error(Unavailable, 503), ["products"], False),
    ],
    ids=["key", "forbidden", "configuration", "named in a success", "by itself over"],
)
def test_law_19_a_pause_is_told_once_and_so_is_its_end(
    neuroon, lines, heard, cause, groups, needs_a_person
):
    for _ in range(3):  # three workers, each with the rows as it read them
        current_shop().endpoint("products").failed(cause)
    reason = f"reason={cause}"
    if needs_a_person:
        text = f"paused shop=default group={','.join(groups)} {reason}"
        assert lines("paused") == [("ERROR", text)]
        facts = {"shop": "default", "groups": groups, "status": cause.status, "reason": cause.reason}
        assert heard == [("paused", facts)]
    else:
        assert {level for level, _ in lines("paused")} == {"WARNING"}
        assert heard == []
    late = current_shop()
    late.endpoints  # noqa: B018 - read before the first one succeeds
    current_shop().endpoint("products").succeeded()
    late.endpoint("products").succeeded()
    if groups == ["products", "deletes"]:  # what may not be done is found out for each apart
        assert lines("resumed") == [("INFO", "resumed shop=default group=products")]
        assert pauses().keys() == {"deletes"}
    else:
        text = f"resumed shop=default group={','.join(groups)}"
        assert lines("resumed") == [("INFO", text)]
        assert pauses() == {}
        assert heard[1:] == ([("resumed", {"shop": "default", "groups": groups})] * needs_a_person)


def test_another_cause_is_told_of_its_own(neuroon, lines):
    shop = current_shop()
    shop.endpoint("products").failed(error(Unavailable, 503))
    shop.endpoint("products").failed(error(KeyRefused, 401))
    shop.endpoint("products").failed(error(Forbidden, 403))
    levels = [level for level, _ in lines("paused")]
    assert levels == ["WARNING", "ERROR", "ERROR"]


def test_who_resumes_by_hand_is_told_as_well(neuroon, lines, heard):
    current_shop().endpoint("products").failed(error(KeyRefused, 401))
    assert resume(current_shop()) == 4
    assert lines("resumed") == [("INFO", f"resumed shop=default group={','.join(ALL)}")]
    assert heard[1:] == [("resumed", {"shop": "default", "groups": ALL})]
    assert resume(current_shop()) == 0
    assert lines("resumed") == []


def test_a_wait_that_neuroon_asks_for_ends_the_cause_before_it(neuroon, lines):
    shop = current_shop()
    shop.endpoint("products").failed(error(KeyRefused, 401))
    slow = ApiError("slow", method="POST", path="p", status=503, retry_after=60)
    shop.endpoint("products").failed(slow)
    assert len(lines("resumed")) == 1
    assert Endpoint.objects.exclude(alert=0).count() == 0


def test_law_19_ten_workers_make_one_line(neuroon, lines):
    shops = [current_shop() for _ in range(10)]
    for shop in shops:
        shop.endpoints  # noqa: B018 - before any of them is refused
    barrier = threading.Barrier(10)

    def fail(shop: ShopState) -> None:
        try:
            barrier.wait()
            shop.endpoint(Group.PRODUCTS).failed(error(KeyRefused, 401))
        finally:
            connection.close()

    threads = [threading.Thread(target=fail, args=[shop]) for shop in shops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [level for level, _ in lines("paused")] == ["ERROR"]
    assert set(Endpoint.objects.values_list("failures", flat=True)) == {10}


# Rejections


def test_rejections_of_a_run_are_one_line_for_each_reason(neuroon, flush, lines):
    for n in range(27):
        make_product(f"P-{n:02}", price=None)
    make_product("Q", price="-1")
    flush()
    assert lines("rejected") == [
        ("WARNING", "rejected products=27 examples='P-00','P-01','P-02'… reason=no price"),
        ("WARNING", "rejected products=1 examples='Q' reason=price: -1.00 is negative"),
    ]


def test_rejected_orders_are_one_line_for_each_reason(neuroon, flush_orders, lines):
    product = make_product("A")
    for n in range(5):
        make_order(f"100{n}", product, total="-1")
    flush_orders()
    [(level, text)] = lines("rejected")
    assert level == "WARNING"
    assert text.startswith("rejected orders=5 examples='1000','1001','1002'… reason=order")


def test_law_19_many_rejections_are_told_once_and_so_is_their_end(neuroon, flush, lines, monkeypatch):
    monkeypatch.setattr(rejection_alert, "MANY_REJECTED", 2)
    names = ("many_rejected", "many_rejected_ended")
    products = [make_product(f"P-{n}", price=None) for n in range(2)]
    flush()
    assert lines(*names) == []
    products.append(make_product("P-2", price=None))
    flush()
    assert lines(*names) == [("ERROR", "many_rejected shop=default products=3 orders=0")]
    make_product("P-3", price=None)
    flush()
    assert lines(*names) == []
    for product in [*products[1:], Product.objects.get(sku="P-3")]:
        product.delete()
    flush()
    assert lines(*names) == [("INFO", "many_rejected_ended shop=default products=1 orders=0")]


def test_law_19_the_end_of_the_brake_is_told(neuroon, flush, lines):
    make_product("A")
    flush()
    Product.objects.update(is_published=False)
    ShopState.objects.request_scan(current_shop().pk)
    flush()
    assert [level for level, _ in lines("scan_kept", "scan_kept_ended")] == ["ERROR"]
    Product.objects.update(is_published=True)
    ShopState.objects.request_scan(current_shop().pk)
    flush()
    assert lines("scan_kept", "scan_kept_ended") == [("INFO", "scan_kept_ended shop=default")]
