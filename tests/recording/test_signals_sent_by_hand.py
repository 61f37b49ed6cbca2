"""Signals as the shop's own code may send them: incomplete, or with odd arguments (law 1)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, connections
from django.db.models import Model, Value
from django.db.models.signals import (
    ModelSignal,
    m2m_changed,
    post_delete,
    post_save,
    pre_delete,
    pre_save,
)

from neuroon_django import muted
from neuroon_django.models.change import ChangeQuerySet
from neuroon_django.recording.receivers import receivers
from tests.factories import recorded
from tests.shop.models import Item, Label, Maker, Offer, Order

pytestmark = pytest.mark.django_db(transaction=True)

SAVE = {"raw": False, "using": "default", "update_fields": None}
LINK = {"action": "post_add", "using": "default"}
# What Django sends beside the sender and the instance.
ARGUMENTS: dict[str, tuple[ModelSignal, dict[str, Any]]] = {
    "pre_save": (pre_save, SAVE),
    "post_save": (post_save, SAVE | {"created": False}),
    "pre_delete": (pre_delete, {"using": "default", "origin": None}),
    "post_delete": (post_delete, {"using": "default", "origin": None}),
    "m2m_changed": (m2m_changed, LINK | {"reverse": False, "model": Label, "pk_set": {1}}),
    "m2m_changed from the other side": (m2m_changed, LINK | {"reverse": True, "model": Item}),
}
CASES = [
    (name, missing)
    for name, (_, arguments) in ARGUMENTS.items()
    for missing in ["instance", *arguments, "all"]
]


@pytest.fixture
def rows(use_items, caplog) -> dict[str, Any]:
    """An item with a maker, an offer that is about to move to another item, and a label."""
    caplog.set_level(logging.WARNING, "neuroon_django")
    use_items(tags="maker__name", depends_on=["offers", "labels"])
    with muted():
        maker = Maker.objects.create(name="m")
        a, b = (Item.objects.create(code=code, title=code, maker=maker) for code in "AB")
        offer = a.offers.create(name="offer")
        label = Label.objects.create(name="label")
        a.labels.add(label)
    offer.item = b
    return {"a": a, "b": b, "maker": maker, "offer": offer, "label": label}


def ref(instance: Model) -> tuple[str, str]:
    return instance._meta.label_lower, str(instance.pk)


def send(signal: ModelSignal, sender: type[Model], instance: Any, **arguments: Any) -> list[Any]:
    """Send a signal; return what is recorded, sorted."""
    signal.send(sender, instance=instance, **arguments)
    return sorted(recorded())


EXPECTED = {
    "pre_save": {"a"},
    "post_save": {"a", "b", "maker"},
    "pre_delete": set(),  # no row goes: Django's own deletes are heard of where they begin
    "post_delete": set(),
    "m2m_changed": {"a"},
    "m2m_changed from the other side": {"a"},
}


@pytest.mark.parametrize(("name", "missing"), CASES)
def test_law_01_an_argument_that_is_missing_raises_nothing_and_loses_nothing(
    rows, caplog, name, missing
):
    signal, arguments = ARGUMENTS[name]
    if signal is not m2m_changed:
        senders = [rows["a"], rows["maker"], rows["offer"]]
    else:
        senders = [rows["a" if arguments["model"] is Label else "label"]]
    if arguments.get("model") is Item:
        arguments = arguments | {"pk_set": {rows["a"].pk}}
    given = {} if missing == "all" else {k: v for k, v in arguments.items() if k != missing}
    found = set()
    for instance in senders:
        sender = Item.labels.through if signal is m2m_changed else type(instance)
        if missing == "instance":
            signal.send(sender, **given)
        else:
            signal.send(sender, instance=instance, **given)
        found |= set(recorded())
    expected = set() if missing == "instance" else {ref(rows[key]) for key in EXPECTED[name]}
    assert found == expected
    assert caplog.records == []


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("whole", [True, False], ids=["all arguments", "none"])
@pytest.mark.parametrize("sender", [Maker, Order, Offer, Item, str])
def test_law_01_a_sender_that_is_another_raises_nothing(rows, caplog, sender, name, whole):
    """What it names is looked at, as far as it can be understood, and nothing else is harmed."""
    signal, arguments = ARGUMENTS[name]
    for instance in (rows["a"], rows["offer"], rows["label"], object(), "text", 3):
        signal.send(sender, instance=instance, **(arguments if whole else {}))
    recorded()
    caplog.clear()
    rows["a"].save()
    assert ref(rows["a"]) in recorded()


@pytest.mark.parametrize("sender", [None, "shop.Item", "nonsense", Order, object()])
@pytest.mark.parametrize("handler", ["save_started", "saved", "relation_changed"])
def test_law_01_a_receiver_that_is_called_for_no_sender_of_its_own_raises_nothing(
    rows, sender, handler
):
    """Django itself refuses to send for None; another dispatcher may not."""
    for instance in (rows["a"], rows["label"], object(), None):
        getattr(receivers, handler)(sender, instance=instance)
        getattr(receivers, handler)(sender=sender, instance=instance, using="default")
    recorded()


@pytest.mark.parametrize("reverse", [True, False, None])
def test_law_01_a_link_between_rows_of_one_table_is_recorded_on_the_feeds_side(use_items, reverse):
    """Where `reverse` is missing nobody knows which side that is, so both are recorded."""
    use_items(tags="extras__title")
    with muted():
        a, b = (Item.objects.create(code=code, title=code) for code in "AB")
    given = {} if reverse is None else {"reverse": reverse}
    found = send(m2m_changed, Item.extras.through, a, action="post_add", pk_set={b.pk}, **given)
    assert found == sorted({True: [ref(b)], False: [ref(a)], None: [ref(a), ref(b)]}[reverse])


ODD = {
    "no instance": (post_save, Item, lambda rows: None, {}, ""),
    "not saved": (post_save, Item, lambda rows: Item(code="new"), {}, ""),
    "an order that is not saved": (post_save, Order, lambda rows: Order(), {}, ""),
    "of another model": (pre_save, Offer, lambda rows: Maker(pk=10**6), {}, ""),
    "no database": (post_save, Item, lambda rows: rows["a"], {"using": None}, "a"),
    "an unknown database": (post_save, Item, lambda rows: rows["a"], {"using": "nowhere"}, ""),
    "a list of fields": (post_save, Item, lambda rows: rows["a"], {"update_fields": ["title"]}, "a"),
    "no fields": (post_save, Item, lambda rows: rows["a"], {"update_fields": []}, ""),
    "an unknown action": (m2m_changed, Item.labels.through, lambda rows: rows["a"], {"action": ""}, ""),
    "a list of keys": (m2m_changed, Item.labels.through, lambda rows: rows["a"], {"pk_set": [1]}, "a"),
    "no keys": (m2m_changed, Item.labels.through, lambda rows: rows["a"], {"pk_set": []}, ""),
}


@pytest.mark.parametrize("case", ODD)
def test_law_01_odd_arguments_raise_nothing(rows, caplog, case):
    signal, sender, instance_of, arguments, expected = ODD[case]
    found = send(signal, sender, instance_of(rows), **arguments)
    assert found == ([ref(rows[expected])] if expected else [])
    assert caplog.records == []


def test_law_01_what_cannot_be_understood_is_reported_once_per_model(rows, caplog):
    assert send(post_save, Item, rows["a"], update_fields=5) == []
    assert send(post_save, Item, rows["b"], update_fields=5) == []
    assert send(m2m_changed, Item.labels.through, rows["label"], pk_set=5) == []
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "change_not_recorded model=shop.item error=TypeError",
        "change_not_recorded model=shop.item_labels error=TypeError",
    ]
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    assert send(post_save, Item, rows["a"]) == [ref(rows["a"])]


def test_law_01_a_signal_sent_in_an_event_loop_is_reported(rows, caplog):
    async def visit() -> None:
        post_save.send(Item, instance=rows["a"])
        await sync_to_async(connections.close_all)()

    asyncio.run(visit())
    assert recorded() == []
    assert "error=SynchronousOnlyOperation" in caplog.text


@pytest.mark.parametrize("signal", [pre_save, post_save])
def test_law_01_a_half_loaded_row_that_is_gone_raises_nothing(rows, caplog, signal):
    offer = Offer.objects.only("name").get()
    with muted():
        Offer.objects.all().delete()
    assert send(signal, Offer, offer) == []
    assert caplog.records == []


@pytest.mark.parametrize("signal", [pre_save, post_save])
def test_law_01_the_owner_of_a_half_loaded_row_is_read(rows, signal):
    assert send(signal, Offer, Offer.objects.only("name").get()) == [ref(rows["a"])]


def test_law_10_an_owner_that_an_expression_sets_is_recorded(rows):
    offer = rows["offer"]
    offer.item_id = Value(rows["b"].pk)
    offer.save()
    assert set(recorded()) == {ref(rows["a"]), ref(rows["b"])}


@pytest.mark.parametrize("error", [OperationalError, SoftTimeLimitExceeded])
def test_law_01_the_databases_errors_and_interruptions_are_the_shops(rows, monkeypatch, error):
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(ChangeQuerySet, "append", fail)
    with pytest.raises(error):
        rows["a"].save()
