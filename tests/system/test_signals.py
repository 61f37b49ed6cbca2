"""The signals that a shop may listen to: who sends them, and what they carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from neuroon_django import signals
from tests.factories import make_order, make_product
from tests.shop.models import Order, Product

pytestmark = pytest.mark.django_db(transaction=True)

SIGNALS = {name: value for name, value in vars(signals).items() if isinstance(value, Signal)}

Received = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def received() -> Iterator[Callable[[type], Received]]:
    """Listen to every signal of one sender."""
    receivers: list[tuple[Signal, Any]] = []

    def listen(sender: type) -> Received:
        heard: Received = []
        for name, signal in SIGNALS.items():

            def hear(name: str = name, **facts: Any) -> None:
                assert facts.pop("sender") is sender
                del facts["signal"]
                heard.append((name, facts))

            signal.connect(hear, sender=sender)
            receivers.append((signal, hear))
        return heard

    yield listen
    for signal, receiver in receivers:
        assert signal.disconnect(receiver, sender=Product) or signal.disconnect(receiver, sender=Order)


def test_products_are_told_by_their_own_model(flush, received):
    heard, others = received(Product), received(Order)
    make_product("A"), make_product("B")
    make_product("C", price=None)
    flush()
    accepted = [facts for name, facts in heard if name == "products_synced"]
    counts = [
        sum(facts[key] for facts in accepted) for key in ("synced", "created", "updated", "failed")
    ]
    assert counts == [2, 2, 0, 0]
    [refused] = [facts for name, facts in heard if name == "product_rejected"]
    assert (refused["row"].external_id, refused["reason"]) == ("C", "no price")
    assert {facts["shop"] for _, facts in heard} == {"default"}
    assert others == []


def test_a_product_that_neuroon_refuses_is_told(neuroon, flush, received):
    heard = received(Product)
    make_product("A"), make_product("B")
    neuroon.reject = {"B": "bad word"}
    flush()
    [refused] = [facts for name, facts in heard if name == "product_rejected"]
    assert (refused["row"].external_id, refused["reason"]) == ("B", "bad word")
    assert refused["shop"] == "default"


def test_an_order_is_told_by_its_own_model(flush_orders, received):
    heard = received(Order)
    make_order("1001", make_product("A"))
    flush_orders()
    [(name, facts)] = heard
    assert (name, facts["shop"], facts["row"].order_id) == ("conversion_sent", "default", "1001")


def test_a_receiver_that_raises_stops_nothing(neuroon, flush, caplog):
    def broken(**facts: Any) -> None:
        raise ValueError("of the shop")

    signals.products_synced.connect(broken)
    try:
        make_product("A")
        flush()
    finally:
        signals.products_synced.disconnect(broken)
    assert list(neuroon.products) == ["A"]
