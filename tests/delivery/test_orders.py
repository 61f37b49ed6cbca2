"""Orders on their way to Neuroon (law 13): what is reported, when, and what is never said."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from neuroon_django import ConversionLine, attribute_order, clicks, signals, tasks
from neuroon_django.delivery import fold_orders, orders
from neuroon_django.delivery.orders import report_rows
from neuroon_django.feeds import registry
from neuroon_django.feeds.lookups import Entry
from neuroon_django.models import Change, Conversion, Lane
from neuroon_django.operations.status import resume
from tests.factories import COOKIE, current_shop, pay, place
from tests.shop.models import Brand, Order, OrderLine, Product, StockRecord

pytestmark = pytest.mark.django_db(transaction=True)


def states() -> list[str]:
    return list(Conversion.objects.order_by("pk").values_list("status", flat=True))


def test_law_13_a_conversion_is_reported_once_however_often_the_order_is_saved(neuroon, flush_orders):
    order = place()
    for _ in range(5):
        order.save()
    flush_orders()
    assert (states(), neuroon.requests) == (["waiting"], [])
    pay(order)
    for _ in range(5):
        order.save()
    assert flush_orders().reported == 1
    order.save()
    flush_orders()
    assert len(neuroon.requests_to("conversion")) == 1
    assert not Change.objects.filter(model="order:shop.order").exists()


def test_law_13_the_body_holds_no_personal_data(neuroon, flush_orders):
    pay(place())
    flush_orders()
    [request] = neuroon.requests_to("conversion")
    assert request.json == {
        "orderId": "1001",
        "orderValue": Decimal("20.00"),
        "currency": "EUR",
        "conversions": [
            {
                "productId": "A",
                "searchLogId": "search-1",
                "quantity": 2,
                "lineTotal": Decimal("20.00"),
            }
        ],
    }


def test_law_13_only_attributed_lines(neuroon, flush_orders):
    order = place()
    order.lines.create(
        product=Product.objects.create(sku="B", title="B"), quantity=1, total=Decimal("5")
    )
    order.lines.create(product=None, quantity=1, total=Decimal("5"))
    pay(order)
    flush_orders()
    sent = neuroon.conversions["1001"]
    assert [line["productId"] for line in sent["conversions"]] == ["A"]
    assert sent["orderValue"] == Decimal("20.00")


@pytest.mark.parametrize("cookie", ["", "{", '{"Z":"search-1"}'])
def test_law_13_no_click_no_call(neuroon, flush_orders, cookie):
    pay(place(cookie=cookie))
    flush_orders()
    assert states() == ["not_attributed"]
    assert neuroon.requests == []


def test_law_13_clicks_of_all_requests_are_merged(neuroon, flush_orders):
    """An order that was created with the basket, and clicked for later."""
    order = place(cookie="")
    flush_orders()
    for cookie in ('{"A":"old","B":"b"}', '{"A":"new"}'):
        token = clicks.current.set(cookie)
        order.save()
        clicks.current.reset(token)
        flush_orders()
    pay(order)
    flush_orders()
    [line] = neuroon.conversions["1001"]["conversions"]
    assert line["searchLogId"] == "new"


def test_law_13_clicks_are_wiped_when_sent(neuroon, flush_orders):
    order = place()
    pay(order)
    told: list[tuple[str, str, bool]] = []

    def hear(sender: object, row: Conversion, **kwargs: object) -> None:
        told.append((row.order_id, row.status, row.sent_at is not None))

    signals.conversion_sent.connect(hear)
    try:
        flush_orders()
    finally:
        signals.conversion_sent.disconnect(hear)
    row = Conversion.objects.get()
    assert (row.clicks, row.due_at, row.lease) == ("", None, "")
    assert told == [("1001", "sent", True)]
    token = clicks.current.set(COOKIE)
    order.save()
    clicks.current.reset(token)
    flush_orders()
    assert Conversion.objects.get().clicks == ""


def test_law_13_clicks_are_wiped_after_keep_clicks(neuroon, settings):
    settings.NEUROON_KEEP_CLICKS = 1
    old, new = place("1"), place("2")
    tasks.flush_conversions()
    clicked(old, days_ago=2)
    tasks.flush_conversions()
    kept = dict(Conversion.objects.values_list("object_pk", "clicks"))
    assert kept == {str(old.pk): "", str(new.pk): '{"A": "search-1"}'}
    pay(old)
    pay(new)
    tasks.flush_conversions()
    assert states() == ["not_attributed", "sent"]


def clicked(order: Order, *, days_ago: float) -> None:
    moment = timezone.now() - timedelta(days=days_ago)
    rows = Conversion.objects.filter(object_pk=str(order.pk))
    assert rows.update(clicked_at=moment, created_at=moment)


def test_law_13_clicks_are_wiped_where_there_is_no_celery_and_at_a_former_address(neuroon, settings):
    order = place()
    Product.objects.get().stockrecords.create(price=1)
    call_command("neuroon_sync", stdout=StringIO())
    clicked(order, days_ago=91)
    settings.NEUROON_SHOP_ID = "another"
    neuroon.shop_id = "another"
    call_command("neuroon_sync", stdout=StringIO())
    assert [row.clicks for row in Conversion.objects.filter(order_id="1001")] == [""]


def test_law_13_a_basket_of_long_ago_that_was_clicked_for_today(neuroon, flush_orders):
    order = place(cookie='{"B":"b"}')
    flush_orders()
    clicked(order, days_ago=91)
    token = clicks.current.set(COOKIE)
    order.save()
    clicks.current.reset(token)
    flush_orders()
    pay(order)
    flush_orders()
    assert states() == ["sent"]


def test_law_13_paid_on_the_last_day(neuroon, flush_orders):
    order = place()
    flush_orders()
    clicked(order, days_ago=89.9)
    flush_orders()
    pay(order)
    flush_orders()
    assert neuroon.conversions["1001"]["conversions"][0]["searchLogId"] == "search-1"


def test_law_13_what_waits_to_be_sent_is_not_wiped(neuroon, flush_orders):
    order = place()
    pay(order)
    with neuroon.faulty("status", status=401):
        flush_orders(foreground=False)
    clicked(order, days_ago=91)
    flush_orders(foreground=False)
    assert states() == ["pending"]
    flush_orders()
    assert states() == ["sent"]


def test_an_order_that_was_not_saved_harms_no_other(neuroon, flush_orders, caplog):
    attribute_order(Order(number="never"), COOKIE)
    assert "clicks_without_order" in caplog.text
    Change.objects.create(
        model="order:shop.order", object_pk="None"
    )  # as an earlier version recorded it
    pay(place())
    flush_orders()
    assert neuroon.conversions.keys() == {"1001"}


def test_law_13_lines_written_after_the_order_count(neuroon, flush_orders):
    with transaction.atomic():
        order = place(status="paid")
        OrderLine.objects.all().delete()
        order.lines.create(product=Product.objects.get(), quantity=3, total=Decimal("9.99"))
    flush_orders()
    assert neuroon.conversions["1001"]["conversions"][0]["quantity"] == 3


def test_law_13_lines_that_a_worker_came_too_early_for_count(neuroon, flush_orders):
    order = place(status="paid")
    OrderLine.objects.all().delete()
    flush_orders()
    assert states() == ["waiting"]
    order.lines.create(product=Product.objects.get(), quantity=3, total=Decimal("9.99"))
    tasks.scan_catalogue()
    flush_orders()
    assert neuroon.conversions["1001"]["conversions"][0]["quantity"] == 3


def test_clicks_grow_old_in_the_outbox_too(settings):
    """Without a key nobody folds what is recorded."""
    settings.NEUROON_API_KEY = ""
    settings.NEUROON_KEEP_CLICKS = 30
    place("old"), place("new")
    Change.objects.filter(object_pk=Order.objects.get(number="old").pk).update(
        created_at=timezone.now() - timedelta(days=31)
    )
    tasks.flush_conversions()
    told = Change.objects.filter(model="order:shop.order").exclude(clicks="")
    assert [change.object_pk for change in told] == [str(Order.objects.get(number="new").pk)]


def test_law_02_an_order_that_was_rolled_back_is_not_reported(neuroon, flush_orders):
    with transaction.atomic():
        place(status="paid")
        transaction.set_rollback(True)
    flush_orders()
    assert states() == []
    assert neuroon.requests == []


def test_an_order_saved_in_a_celery_task_keeps_what_the_checkout_knew(neuroon, flush_orders):
    order = place()
    flush_orders()
    Order.objects.filter(pk=order.pk).update(status="paid")
    tasks.flush_conversions()
    assert neuroon.requests == []
    pay(Order.objects.get())
    tasks.flush_conversions()
    assert list(neuroon.conversions) == ["1001"]


# Paid without a signal


def test_law_13_the_scan_finds_orders_paid_without_a_signal(neuroon, flush_orders, monkeypatch):
    monkeypatch.setattr(orders, "MAX_CLAIMED", 3)
    placed = [place(str(n)) for n in range(10)]
    unclicked = place("x", cookie="")
    flush_orders()
    assert states() == ["waiting"] * 11
    paid = [placed[n].pk for n in (0, 3, 7, 9)] + [unclicked.pk]
    Order.objects.filter(pk__in=paid).update(status="paid")
    flush_orders()
    assert neuroon.requests == []
    tasks.scan_catalogue()
    assert Conversion.objects.waiting().count() == 10  # all that wait with clicks are asked again
    flush_orders()
    assert sorted(neuroon.conversions) == ["0", "3", "7", "9"]
    assert not Conversion.objects.waiting().exists()


def test_a_scan_by_command_finds_them_too(neuroon, flush_orders):
    place()
    StockRecord.objects.create(product=Product.objects.get(), price=Decimal("10"))
    flush_orders()
    Order.objects.update(status="paid")
    call_command("neuroon_sync", "--scan", stdout=StringIO(), stderr=StringIO())
    assert list(neuroon.conversions) == ["1001"]


def test_orders_that_are_asked_again_cost_a_constant_number_of_queries(neuroon, flush_orders):
    """And go behind those that changed: a shopper who has just paid waits for none of them."""
    for n in range(8):
        place(str(n))
    flush_orders()
    queries = []
    for n in (2, 8):
        rows = list(Conversion.objects.order_by("pk")[:n])
        with CaptureQueriesContext(connection) as captured:
            report_rows(current_shop(), rows)
        queries.append(len(captured))
    assert queries[0] == queries[1]
    Conversion.objects.reassess(current_shop())
    assert set(Conversion.objects.values_list("lane", flat=True)) == {Lane.BACKFILL}
    Order.objects.first().save()
    fold_orders(current_shop())
    assert Conversion.objects.filter(lane=Lane.LIVE).count() == 1


def test_the_scan_leaves_alone_what_a_worker_has(neuroon, flush_orders):
    order = place()
    flush_orders()
    Order.objects.update(status="paid")
    order.save()
    revisions = Conversion.objects.values_list("revision", flat=True)
    fold_orders(current_shop())
    before = list(revisions)
    assert Conversion.objects.reassess(current_shop()) == 0
    assert list(revisions) == before


# What is wrong with an order is that order's own


class Odd:
    """A feed whose answers a test decides."""

    def __init__(self, monkeypatch) -> None:
        self.source = registry.order_source("shop.order")
        self.patch = monkeypatch

    def lines(self, *lines: ConversionLine) -> None:
        self.patch.setattr(self.source.feed, "lines", lambda order: lines, raising=False)

    def exist(self, queryset: Any) -> None:
        self.patch.setattr(self.source.feed, "get_queryset", lambda: queryset)

    def answers(self, name: str, value: Any) -> None:
        answer = Entry(self.source.feed, name)
        answer.get = lambda order: value
        compiled = {**self.source.compiled, name: answer}
        self.patch.setitem(self.source.__dict__, "compiled", compiled)


@pytest.fixture
def odd(monkeypatch) -> Odd:
    return Odd(monkeypatch)


NAN, INFINITE = Decimal("nan"), float("inf")


@pytest.mark.parametrize(
    ("quantity", "total", "sent"),
    [
        (1, 5, (1, "5.00")),
        (2, 5.004, (2, "5.00")),
        (Decimal("0.5"), Decimal("5"), (1, "5.00")),
        (Decimal("2.7"), "5", (2, "5.00")),
        (0, 5, None),
        (-1, 5, None),
    ],
)
def test_lines_as_the_shop_counts_them(neuroon, flush_orders, odd, quantity, total, sent):
    odd.lines(ConversionLine(product="A", quantity=quantity, line_total=total))
    place(status="paid")
    flush_orders()
    lines = neuroon.conversions.get("1001", {"conversions": []})["conversions"]
    assert [(line["quantity"], str(line["lineTotal"])) for line in lines] == ([sent] if sent else [])
    assert states() == ["sent" if sent else "not_attributed"]


@pytest.mark.parametrize(
    ("quantity", "total"),
    [
        (NAN, 5), (float("nan"), 5), (INFINITE, 5), (None, 5), ("2", 5), (object(), 5),
        (1, NAN), (1, INFINITE), (1, None), (1, "free"), (1, -5), (1, True), (1, 10**40), (1, object()),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_is_its_own_orders_rejection(neuroon, flush_orders, odd, quantity, total):
    good = place("good", status="paid")
    bad = place("bad", status="paid")
    wrong = [ConversionLine(product="A", quantity=quantity, line_total=total)]
    right = [ConversionLine(product="A", quantity=1, line_total=5)]
    odd.patch.setattr(odd.source.feed, "lines", lambda order: wrong if order.pk == bad.pk else right)
    flush_orders()
    assert Conversion.objects.get(object_pk=str(good.pk)).status == "sent"
    row = Conversion.objects.get(object_pk=str(bad.pk))
    assert (row.status, row.due_at, bool(row.last_error)) == ("rejected", None, True)
    assert {request.status for request in neuroon.requests} == {200}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("order_value", None, "no order value"),
        ("order_value", "much", "order value: 'much' is not a number"),
        ("order_value", NAN, "order value: NaN is not an amount"),
        ("order_value", -1, "order value: -1 is negative"),
        ("order_id", None, "no order id"),
        ("order_id", " ", "no order id"),
        ("currency", "euros", "currency: 'EUROS' is not an ISO 4217 code"),
    ],
)
def test_an_order_that_cannot_be_reported_says_why(neuroon, flush_orders, odd, name, value, reason):
    odd.answers(name, value)
    order = place(status="paid")
    flush_orders()
    row = Conversion.objects.get()
    assert (row.status, row.last_error) == ("rejected", reason)
    assert neuroon.requests == []
    odd.patch.undo()
    order.save()


def test_an_order_id_that_no_database_takes(neuroon, flush_orders, odd):
    odd.answers("order_id", "1\ud800")
    place(status="paid")
    flush_orders()
    assert Conversion.objects.get().order_id == "1?"
    assert states() == ["rejected"]
    assert neuroon.requests == []


def test_money_with_an_amount_and_the_feeds_default_currency(neuroon, flush_orders, odd, settings):
    class Money:
        amount = Decimal("12.5")

    odd.answers("order_value", Money())
    odd.answers("currency", "")
    settings.NEUROON_CURRENCY = "chf"
    place(status="paid")
    flush_orders()
    sent = neuroon.conversions["1001"]
    assert (sent["orderValue"], sent["currency"]) == (Decimal("12.50"), "CHF")


def test_code_of_the_shops_that_fails_is_that_orders_reason(neuroon, flush_orders, odd):
    def lines(order: Order) -> list[ConversionLine]:
        raise KeyError("discount")

    odd.patch.setattr(odd.source.feed, "lines", lines)
    place(status="paid")
    flush_orders()
    assert Conversion.objects.get().last_error == "lines: KeyError: 'discount'"


def test_an_order_that_is_gone(neuroon, flush_orders):
    order = place(status="paid")
    OrderLine.objects.all().delete()
    order.delete()
    flush_orders()
    row = Conversion.objects.get()
    assert (row.status, row.last_error, row.due_at) == ("waiting", "", None)


def test_a_cart_that_the_feed_leaves_out_until_it_is_an_order(neuroon, flush_orders, odd):
    """`get_queryset()` without carts is a natural thing to write; nobody is alarmed by one."""
    odd.exist(Order.objects.exclude(status="new"))
    order = place()
    flush_orders()
    assert states() == ["waiting"]
    Order.objects.filter(pk=order.pk).update(status="paid")  # no signal
    assert Conversion.objects.reassess(current_shop()) == 1
    flush_orders()
    assert states() == ["sent"]


def test_a_variants_line_goes_to_the_parent_the_feed_names(neuroon, flush_orders, odd):
    parent = Product.objects.create(sku="A", title="Parent")
    odd.lines(ConversionLine(product=parent, quantity=1, line_total=5))
    place(status="paid", sku="A-red")
    flush_orders()
    assert neuroon.conversions["1001"]["conversions"][0]["productId"] == "A"


# Neuroon's answers


def test_a_line_of_a_model_without_a_feed_is_told(neuroon, flush_orders, odd, caplog):
    brand = Brand.objects.create(name="No product")
    odd.lines(ConversionLine(product=brand, quantity=1, line_total=5))
    place(status="paid")
    flush_orders()
    assert states() == ["not_attributed"]
    assert "line_without_feed model=shop.Brand" in caplog.text


def test_a_refused_order_is_rejected_alone(neuroon, flush_orders):
    for n in range(3):
        place(str(n), status="paid")
    neuroon.fault("status", status=400, body={"message": "no"}, endpoint="conversion", after=1)
    flush_orders()
    assert sorted(states()) == ["rejected", "sent", "sent"]
    assert Conversion.objects.get(status="rejected").last_error == "no"
    Order.objects.get(pk=Conversion.objects.get(status="rejected").object_pk).save()
    flush_orders()
    assert states() == ["sent"] * 3


@pytest.mark.parametrize("status", [409, 422])
def test_an_order_that_is_refused_for_what_it_holds_is_rejected_alone(neuroon, flush_orders, status):
    place("1", status="paid")
    place("2", status="paid")
    neuroon.fault("status", status=status, endpoint="conversion")
    flush_orders()
    assert sorted(states()) == ["rejected", "sent"]


@pytest.mark.parametrize("status", [401, 403, 404, 418, 302])
def test_what_is_no_orders_fault_pauses_and_loses_nothing(neuroon, flush_orders, status):
    for n in range(3):
        place(str(n), status="paid")
    neuroon.fault("status", status=status, endpoint="conversion")
    run = flush_orders(foreground=False)
    assert str(status) in run.stopped
    assert len(neuroon.requests) == 1
    assert flush_orders(foreground=False).reported == 0
    assert len(neuroon.requests) == 1
    assert set(states()) <= {"pending", "sending"}
    resume(current_shop())
    assert flush_orders(foreground=False).reported == 3


@pytest.mark.parametrize("kind", ["status", "lost", "drop", "truncated"])
def test_law_02_a_conversion_survives_what_is_temporary(neuroon, flush_orders, kind):
    place(status="paid")
    neuroon.fault(kind, endpoint="conversion")
    flush_orders()
    Conversion.objects.filter(due_at__isnull=False).update(due_at=F("created_at"))
    resume(current_shop())
    flush_orders()
    assert list(neuroon.conversions) == ["1001"]
    assert states() == ["sent"]


def test_a_save_while_the_report_is_on_the_wire_sends_it_no_second_time(neuroon, flush_orders):
    order = place(status="paid")

    def hear(sender: object, row: Conversion, **kwargs: object) -> None:
        order.save()

    signals.conversion_sent.connect(hear)
    try:
        flush_orders()
    finally:
        signals.conversion_sent.disconnect(hear)
    flush_orders()
    assert len(neuroon.requests_to("conversion")) == 1


def test_law_09_orders_out_of_time_are_gone_on_with_once(neuroon, settings, monkeypatch):
    """To one message at a time: were every run to send its own, a backlog would fill the queue."""
    handed: list[tuple[str, dict]] = []
    monkeypatch.setattr(tasks, "BUDGET", -1.0)
    monkeypatch.setattr(tasks, "send_task", lambda *args, **k: handed.append((*args, k)))
    place(status="paid")
    tasks.flush_conversions()
    [(name, options)] = handed
    assert (name, options["countdown"], neuroon.requests) == ("flush_conversions", 0.0, [])
    tasks.flush_conversions()  # whatever else wakes a worker leaves it to that message
    assert len(handed) == 1
    tasks.flush_conversions(**options["kwargs"])
    assert len(handed) == 2


def test_law_17_switched_off_and_without_a_key_nothing_is_sent(neuroon, settings):
    settings.NEUROON_API_KEY = ""
    place(status="paid")
    tasks.flush_conversions()
    tasks.scan_catalogue()
    assert Change.objects.filter(model="order:shop.order").exists()
    assert neuroon.requests == []


# Hostile cookies, through the whole circle

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
json_values = (
    scalars
    | st.lists(scalars, max_size=4)
    | st.dictionaries(st.text(max_size=10), st.lists(scalars, max_size=2) | scalars, max_size=4)
)
skus = st.sampled_from(["A", "B", "a", "A ", "", "Ä"])
cookies = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")),
    st.dictionaries(skus, json_values, max_size=5).map(json.dumps),
    st.dictionaries(skus, st.text(min_size=1, max_size=300), max_size=5).map(json.dumps),
    st.tuples(
        st.dictionaries(skus, st.uuids().map(str), min_size=1).map(json.dumps), st.integers(0, 200)
    ).map(lambda cut: cut[0][: cut[1]]),
    st.text(alphabet='{}[]":,\\u0dA%7B\0é ', max_size=60),
)


def test_law_13_no_cookie_breaks_checkout_or_makes_a_refused_request(neuroon, flush_orders, settings):
    """1,200 cookies (`FUZZ=deep`: 5,000), each through middleware, order, worker and sandbox."""
    rounds = 250 if os.environ.get("FUZZ") == "deep" else 60
    settings.ROOT_URLCONF = "tests.recording.test_middleware"
    Product.objects.create(sku="A", title="A")
    browser, seen = Browser(), 0

    @examples(max_examples=rounds, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(cookies, min_size=20, max_size=20))
    def checkouts(texts: list[str]) -> None:
        nonlocal seen
        with transaction.atomic():
            for text in texts:
                raw = text.encode("utf-8", "replace").decode("latin-1").replace(";", "%3B")
                headers = {"cookie": f"neuroon_clicks={raw}"}
                assert browser.get("/checkout/", headers=headers).status_code == 200
        seen += len(texts)
        flush_orders()
        assert set(states()) <= {"sent", "not_attributed"}
        assert {request.status for request in neuroon.requests} <= {200}
        Conversion.objects.all().delete()
        neuroon.clear()

    checkouts()
    assert seen >= 20 * rounds
    assert neuroon.conversions
