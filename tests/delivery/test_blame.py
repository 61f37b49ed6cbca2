"""Law 8, as a table: whose fault a refusal is, however it is said, wherever the bad ones stand.

Each case runs to its end, by runs in the foreground or by tasks that are cut short after a few
requests. Good products arrive, bad ones are rejected with their reason, and what is no product's
fault is blocked, names products, and ends by itself after the cure with nothing rejected.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from neuroon_django.delivery import blame, fold_all
from neuroon_django.delivery import engine as engines
from neuroon_django.delivery.engine import Engine
from neuroon_django.delivery.pacing import Pacing
from neuroon_django.feeds import registry
from neuroon_django.models import Conversion, Lane, SyncedProduct
from neuroon_django.testing import Sandbox
from neuroon_django.testing.sandbox import Fault
from tests.factories import current_shop, end_blocks, make_order, make_product, pauses
from tests.feeds_in_use import item_feed
from tests.shop.models import Product, Voucher

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 60
GOOD = 20
Run = Callable[[], Any]

# How a batch is refused of which these are the bad ones: by the whole list and the indexes of the bad.
ANSWERS: dict[str, Callable[[list[str], list[int]], dict[str, Any]]] = {
    "message": lambda ids, bad: {"message": "the currency is not enabled"},
    "index": lambda ids, bad: {"message": f"products[{bad[0]}].imageUrl: must be a valid URL"},
    "position": lambda ids, bad: {"message": f"Product no. {bad[0] + 1} of {len(ids)} is not allowed"},
    "id": lambda ids, bad: {"message": f"product '{ids[bad[0]]}' exceeds 17 units"},
    "title": lambda ids, bad: {"title": "Bad Request", "detail": "imageUrl must be a valid URL"},
    "details": lambda ids, bad: {
        "code": "VALIDATION_ERROR",
        "message": "Validation failed",
        "details": [f"imageUrl must be a valid URL (trace 4bf9-{len(ids)}a)"],
    },
}
STYLES = ["externalId", "index", "text", "none", "reject", "reject-named"]


def refuse(neuroon: Sandbox, how: str, is_bad: Callable[[str], bool], status: int = 400) -> None:
    """Let Neuroon refuse these products: in a style of the sandbox, or with an answer of the table."""
    if how in STYLES:
        neuroon.error_style = how
        neuroon.reject = lambda product: "not enabled" if is_bad(product["externalId"]) else None
        return

    def plan(request: Any) -> Fault | None:
        ids = list(request.external_ids)
        bad = [n for n, external_id in enumerate(ids) if is_bad(external_id)]
        is_sync = request.endpoint == "sync"
        return Fault("status", status=status, body=ANSWERS[how](ids, bad)) if bad and is_sync else None

    neuroon.plan = plan


def cure(neuroon: Sandbox) -> None:
    neuroon.reject = neuroon.plan = None


WAYS = ("foreground", "tasks")


def by_turns(cases: list[Any]) -> list[Any]:
    """Return each case with one way to run, by turns; with both for `FUZZ=deep`."""
    if os.environ.get("FUZZ") == "deep":
        return [(way, *case) for case in cases for way in WAYS]
    return [(WAYS[number % 2], *case) for number, case in enumerate(cases)]


@pytest.fixture(params=WAYS)
def run(request, flush, monkeypatch) -> Run:
    """One `neuroon_sync`, or one task that has time for three requests."""
    if request.param == "foreground":
        return flush
    cut_short_after(monkeypatch, requests=3)
    return lambda: flush(foreground=False)


def cut_short_after(monkeypatch: Any, requests: int) -> None:
    in_time = property(lambda engine: engine.statistics.requests < requests and engine.lease.extend())
    monkeypatch.setattr(Engine, "has_time", in_time)
    monkeypatch.setattr(engines, "follow_up_of", lambda engine: None)


def to_the_end(run: Run, rows: Any = SyncedProduct.objects) -> int:
    """Run until nothing waits, past every block; return how many runs it took."""
    for count in range(1, ROUNDS + 1):
        run()
        if not rows.waiting().exists():
            return count
        end_blocks()
    raise AssertionError(f"still waiting after {ROUNDS} runs: {list(rows.waiting())}")


def make_line(position: str, bad: int) -> set[str]:
    """Make products, these ones bad; external ids are short digits, which stand in many messages."""
    total = GOOD + bad
    places = {
        "front": range(bad),
        "middle": range(GOOD // 2, GOOD // 2 + bad),
        "end": range(GOOD, total),
        "both ends": [n if n % 2 else total - 1 - n for n in range(bad)],
    }[position]
    names = {str(n) for n in places}
    for n in range(total):
        make_product(str(n))
    assert len(names) == bad
    return names


def make_known(flush: Run, count: int = 2) -> None:
    """Let Neuroon have products already."""
    for n in range(count):
        make_product(f"known-{n}")
    flush()


CASES = [
    *((how, True, 100, "front", 3) for how in [*STYLES, *ANSWERS]),
    *((how, False, 100, "front", 9) for how in ["reject", "none", "externalId", "details"]),
    *(
        (how, known, batch, position, bad)
        for how in ["reject", "none"]
        for known, batch in [(True, 7), (False, 1)]
        for position, bad in [("front", 9), ("middle", 4), ("end", 3), ("both ends", 6)]
    ),
]


@pytest.mark.parametrize(
    ("run", "how", "known", "batch", "position", "bad"), by_turns(CASES), indirect=["run"]
)
def test_law_08_bad_products_are_rejected_and_good_ones_arrive(
    neuroon, flush, run, settings, how, known, batch, position, bad
):
    settings.NEUROON_BATCH_SIZE = batch
    if known:
        make_known(flush)
    names = make_line(position, bad)
    refuse(neuroon, how, names.__contains__)
    to_the_end(run)
    rejected = SyncedProduct.objects.filter(status="rejected")
    assert set(rejected.values_list("external_id", flat=True)) == names
    assert all(rejected.values_list("last_error", flat=True))
    assert SyncedProduct.objects.exclude(status="synced").count() == bad
    assert len(neuroon.products) == GOOD + (2 if known else 0)
    assert not SyncedProduct.objects.exclude(lease="").exists()
    assert pauses() == {}


BLOCKED = [*((how, 5) for how in [*STYLES, *ANSWERS]), ("reject", 2), ("externalId", 2), ("reject", 30)]


@pytest.mark.parametrize(
    ("run", "how", "products", "known"),
    by_turns([(*case, known) for known in (True, False) for case in BLOCKED]),
    indirect=["run"],
)
def test_law_08_what_is_no_products_fault_is_blocked_and_ends_after_the_cure(
    neuroon, flush, run, how, products, known
):
    if known:
        make_known(flush)
    for n in range(products):
        make_product(str(n))
    refuse(neuroon, how, lambda external_id: True)
    for _ in range(30 if products == 30 else 12):  # a task is cut short in the middle of its halves
        run()
        end_blocks()
    assert not SyncedProduct.objects.filter(status="rejected").exists()
    assert "(refused: " in pauses()["products"]
    shown = pauses()["products"].partition("(refused: ")[2]
    assert any(str(n) in shown for n in range(products))
    cure(neuroon)
    to_the_end(run)
    assert SyncedProduct.objects.exclude(status="synced").count() == 0
    assert len(neuroon.products) == products + (2 if known else 0)
    assert pauses() == {}


@pytest.mark.parametrize("requests", [1, 3, 9])
@pytest.mark.parametrize("bad", [{"00"}, {"00", "01", "02", "03", "04"}], ids=len)
def test_law_08_what_waits_to_be_tried_again_is_no_evidence(neuroon, flush, monkeypatch, bad, requests):
    """After the cure some are bad in the very words of the outage: these few stop nobody for long."""
    for n in range(12):
        make_product(f"{n:02}")
    refuse(neuroon, "message", lambda external_id: True)
    flush()
    assert "(refused: " in pauses()["products"]
    refuse(neuroon, "message", bad.__contains__)
    cut_short_after(monkeypatch, requests)
    SyncedProduct.objects.update(
        lane=Lane.REFUSED, last_error="the currency is not enabled", attempts=1
    )
    end_blocks()
    assert to_the_end(lambda: flush(foreground=False)) <= 40
    rejected = SyncedProduct.objects.filter(status="rejected")
    assert set(rejected.values_list("external_id", flat=True)) == bad
    assert len(neuroon.products) == 12 - len(bad)
    assert pauses() == {}


@pytest.mark.parametrize("known", [True, False], ids=["known", "fresh"])
def test_law_08_one_request_to_a_run_is_enough_for_a_decision(neuroon, flush, monkeypatch, known):
    """At a slow pace each task makes one request: evidence is not asked for anew by each."""
    if known:
        make_known(flush)
    for n in range(5):
        make_product(str(n))
    cut_short_after(monkeypatch, 1)
    refuse(neuroon, "message", lambda external_id: True)
    blocked = []
    for _ in range(24):
        flush(foreground=False)
        blocked.append("(refused: " in pauses().get("products", ""))
        end_blocks()
    assert True in blocked
    assert not SyncedProduct.objects.filter(status="rejected").exists()
    refuse(neuroon, "message", {"0", "3"}.__contains__)
    to_the_end(lambda: flush(foreground=False))
    rejected = SyncedProduct.objects.filter(status="rejected")
    assert set(rejected.values_list("external_id", flat=True)) == {"0", "3"}
    assert pauses() == {}


def test_law_08_the_first_ever_product_alone_is_its_own_fault(neuroon, flush):
    make_product("A")
    refuse(neuroon, "message", lambda external_id: True)
    flush()
    assert SyncedProduct.objects.get().status == "rejected"


@pytest.mark.parametrize("how", ["reject", "externalId"])
def test_law_08_one_edit_is_judged_by_a_witness(neuroon, flush, how):
    """Where nothing else is sent, what Neuroon holds is sent once more: refused as well, all waits."""
    make_known(flush)
    make_product("A")
    refuse(neuroon, how, lambda external_id: True)
    done = flush(foreground=False)
    assert (done.rejected, done.synced) == (0, 0)
    assert "(refused: A)" in pauses()["products"]
    assert SyncedProduct.objects.filter(status="synced").exclude(digest="").count() == 2
    neuroon.clear()
    refuse(neuroon, how, {"A"}.__contains__)
    end_blocks()
    done = flush(foreground=False)
    assert (done.rejected, done.synced) == (1, 0)
    assert [request.external_ids for request in neuroon.sync_requests] == [("known-1",), ("A",)]
    assert SyncedProduct.objects.filter(status="synced").exclude(digest="").count() == 2
    neuroon.clear()
    flush()
    assert neuroon.requests == []


def test_law_08_a_witness_that_is_refused_in_other_words_proves_nothing_against_all(neuroon, flush):
    make_known(flush)
    make_product("A")
    reasons = {"A": "no image", "known-0": "too old", "known-1": "too old"}
    neuroon.error_style, neuroon.reject = "reject", reasons
    assert flush().rejected == 1
    assert SyncedProduct.objects.get(status="rejected").last_error == "no image"
    assert SyncedProduct.objects.filter(status="synced").exclude(digest="").count() == 2
    assert pauses() == {}


def test_law_08_a_witness_that_changed_meanwhile_is_sent_again(neuroon, flush):
    make_known(flush, 1)
    make_product("A")
    refuse(neuroon, "reject", {"A"}.__contains__)
    seen = []

    def plan(request: Any) -> None:
        if request.external_ids == ("known-0",) and not seen:
            seen.append(request)
            product = Product.objects.get(sku="known-0")
            product.title = "Newer"
            product.save()

    neuroon.plan = plan
    flush()
    flush()
    assert neuroon.products["known-0"]["name"] == "Newer"
    assert SyncedProduct.objects.get(external_id="known-0").status == "synced"


@pytest.mark.parametrize("kind", ["drop", "lost", "status"])
def test_law_08_a_witness_without_an_answer_is_sent_again(neuroon, flush, kind):
    make_known(flush, 1)
    make_product("A")
    refuse(neuroon, "reject", {"A"}.__contains__)
    neuroon.fault(kind, endpoint="sync", after=1)
    flush(foreground=False)
    assert not SyncedProduct.objects.filter(status="rejected").exists()
    SyncedProduct.objects.update(due_at="2020-01-01T00:00:00Z")
    end_blocks()
    flush(foreground=False)
    states = dict(SyncedProduct.objects.values_list("external_id", "status"))
    assert states == {"known-0": "synced", "A": "rejected"}


def test_law_08_a_configuration_that_breaks_in_the_middle_of_a_run_rejects_few(
    neuroon, flush, settings
):
    settings.NEUROON_BATCH_SIZE = 1
    make_known(flush)
    for n in range(40):
        make_product(str(n))
    refuse(neuroon, "message", lambda external_id: len(neuroon.products) > 10)
    done = flush()
    assert done.rejected <= blame.MAX_REJECTED
    assert "(refused: " in pauses()["products"]


def test_law_08_ctrl_c_leaves_no_lease_and_rejects_nothing(neuroon, flush, monkeypatch):
    for n in range(3):
        make_product(str(n))
    calls = []

    def interrupted(request: Any) -> Fault:
        calls.append(request)
        if len(calls) > 3:
            monkeypatch.setattr(Engine, "_next", _interrupt)
        return Fault("status", status=400, body={"message": "no"})

    neuroon.plan = interrupted
    with pytest.raises(KeyboardInterrupt):
        flush()
    rows = SyncedProduct.objects.values_list("status", "lease")
    assert set(rows) == {("pending", "")}
    assert SyncedProduct.objects.filter(last_error="no").count() >= 1
    monkeypatch.undo()
    cure(neuroon)
    end_blocks()
    flush()
    assert len(neuroon.products) == 3


def _interrupt(*args: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("where", "name"), [(Engine, "_next"), (Pacing, "wait_for_slot")], ids=["ready", "waits for a slot"]
)
def test_law_05_ctrl_c_leaves_what_may_be_on_its_way_leased(neuroon, flush, monkeypatch, where, name):
    """The first attempt was not answered and may still be carried out: nothing newer may follow."""
    make_known(flush, 1)
    for n in range(3):
        make_product(str(n))

    def interrupted(request: Any) -> Fault:
        monkeypatch.setattr(where, name, _interrupt)
        return Fault("lost")

    neuroon.plan = interrupted
    with pytest.raises(KeyboardInterrupt):
        flush()
    rows = SyncedProduct.objects.exclude(external_id="known-0")
    assert {row.status for row in rows} == {"sending"}
    assert all(row.lease and row.due_at > timezone.now() for row in rows)


@pytest.mark.parametrize(
    ("is_bad", "status"), [(bool, "pending"), ("0123".__contains__, "rejected")], ids=["all", "some"]
)
def test_law_05_what_is_refused_after_an_unknown_outcome_stays_leased(neuroon, flush, is_bad, status):
    """An answer to the second attempt names them: the first one may still be on its way."""
    make_known(flush, 1)
    for n in range(4):
        make_product(str(n))
    refuse(neuroon, "externalId", is_bad)
    neuroon.fault("lost", endpoint="sync")
    flush()
    rows = SyncedProduct.objects.exclude(external_id="known-0")
    assert {row.status for row in rows} == {status}
    assert all(row.lease and row.due_at > timezone.now() for row in rows)


def test_law_05_parts_of_what_may_be_on_its_way_stay_leased(neuroon, flush, settings):
    """The first attempt may be carried out after the halves of the second: they keep its lease."""
    settings.NEUROON_PRODUCTS_API = "shops"
    for n in range(4):
        make_product(str(n))
    refuse(neuroon, "none", {"2"}.__contains__)
    neuroon.fault("lost", endpoint="sync")
    flush()
    assert [len(request.external_ids) for request in neuroon.sync_requests] == [4, 4, 2, 2, 1, 1]
    assert all(row.lease and row.due_at > timezone.now() for row in SyncedProduct.objects.all())


# A slow pace: each task makes one request, as no other slot is near


@pytest.fixture
def one_request(flush, settings) -> Run:
    settings.NEUROON_RATE_LIMIT = 50
    return lambda: flush(foreground=False)


@pytest.mark.parametrize("how", ["reject", "none"])
def test_law_08_halves_that_find_no_slot_come_to_an_end(neuroon, flush, one_request, settings, how):
    settings.NEUROON_BATCH_SIZE = 8
    settings.NEUROON_PRODUCTS_API = "shops"
    for n in range(16):
        make_product(f"{n:02}")
    refuse(neuroon, how, {"03"}.__contains__)
    to_the_end(one_request)
    rejected = SyncedProduct.objects.filter(status="rejected")
    assert list(rejected.values_list("external_id", flat=True)) == ["03"]
    assert len(neuroon.products) == 15


def test_the_product_that_finds_the_way_goes_on_in_the_next_run(neuroon, one_request):
    make_product("A"), make_product("B")
    refused = Fault("status", status=400, body={"message": "no such field: syncType"})
    neuroon.plan = lambda request: refused if "/plugin/" in request.path else None
    for _ in range(3):
        one_request()
        end_blocks()
    sent = [(request.external_ids, request.plugin) for request in neuroon.sync_requests[:3]]
    assert sent == [(("A",), True), (("A",), True), (("A",), False)]


def test_law_08_what_another_version_has_to_send_keeps_no_decision_back(neuroon, flush, use_feeds):
    feeds = list(registry.feeds.values())
    use_feeds(*feeds, (Voucher, item_feed(external_id="key")))
    Voucher.objects.create(key="V", title="t")
    fold_all(current_shop())
    use_feeds(*feeds)
    for n in range(2):
        make_product(str(n))
    refuse(neuroon, "message", lambda external_id: True)
    flush(foreground=False)
    assert "(refused: " in pauses()["products"]


# Orders

ORDER_ANSWERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "message": lambda order_id: {"message": "conversions are not part of your plan"},
    "id": lambda order_id: {"message": f"order {order_id} has no value over 10"},
    "details": lambda order_id: {"message": "Invalid", "details": [{"field": "currency"}]},
}


def order_of(request: Any) -> str:
    return str(request.json["orderId"])


def refuse_orders(neuroon: Sandbox, how: str, is_bad: Callable[[str], bool], status: int = 400) -> None:
    def plan(request: Any) -> Fault | None:
        if request.endpoint != "conversion" or not is_bad(order_of(request)):
            return None
        return Fault("status", status=status, body=ORDER_ANSWERS[how](order_of(request)))

    neuroon.plan = plan


@pytest.fixture(params=["foreground", "tasks"])
def run_orders(request, flush_orders, monkeypatch) -> Run:
    if request.param == "foreground":
        return flush_orders
    cut_short_after(monkeypatch, requests=2)
    return lambda: flush_orders(foreground=False)


@pytest.mark.parametrize(
    ("how", "status"), [("message", 404), ("message", 409), ("id", 422), ("details", 400)]
)
@pytest.mark.parametrize("known", [True, False], ids=["known", "fresh"])
def test_law_08_what_is_no_orders_fault_is_blocked_and_ends_after_the_cure(
    neuroon, run_orders, flush_orders, how, status, known
):
    product = make_product("A")
    if known:
        make_order("first", product)
        flush_orders()
    for n in range(10):
        make_order(str(n), product)
    refuse_orders(neuroon, how, lambda order_id: True, status)
    for _ in range(8):
        run_orders()
        end_blocks()
    assert not Conversion.objects.filter(status="rejected").exists()
    assert ("(refused: " in pauses()["conversions"]) == (status != 404)
    cure(neuroon)
    to_the_end(run_orders, Conversion.objects)
    assert Conversion.objects.exclude(status="sent").count() == 0
    assert pauses() == {}


@pytest.mark.parametrize(
    ("how", "bad"),
    [("message", {"0"}), ("id", {"0", "1", "2"}), ("message", set("012345")), ("details", set("279"))],
)
@pytest.mark.parametrize("known", [True, False], ids=["known", "fresh"])
def test_law_08_bad_orders_are_rejected_and_good_ones_arrive(
    neuroon, run_orders, flush_orders, how, bad, known
):
    product = make_product("A")
    if known:
        make_order("first", product)
        flush_orders()
    for n in range(10):
        make_order(str(n), product)
    refuse_orders(neuroon, how, bad.__contains__)
    to_the_end(run_orders, Conversion.objects)
    rejected = Conversion.objects.filter(status="rejected")
    assert set(rejected.values_list("order_id", flat=True)) == bad
    assert Conversion.objects.filter(status="sent").count() == 10 - len(bad) + known
    assert pauses() == {}


def test_law_08_what_was_rejected_long_ago_is_no_evidence(neuroon, flush_orders):
    """One bad order stops no other, though several were rejected in the same words before."""
    product = make_product("A")
    for n in range(5):
        make_order(f"bad-{n}", product)
    refuse_orders(neuroon, "message", lambda order_id: order_id.startswith("bad"))
    flush_orders(foreground=False)
    assert set(Conversion.objects.values_list("lane", flat=True)) & {Lane.REFUSED}
    make_order("good", product)
    to_the_end(flush_orders, Conversion.objects)
    assert Conversion.objects.filter(status="rejected").count() == 5
    make_order("bad-later", product)
    flush_orders(foreground=False)
    assert pauses() == {}
    assert Conversion.objects.filter(status="rejected").count() == 6


def test_law_08_products_of_an_unknown_feed_are_no_witnesses(neuroon, flush, use_feeds):
    """The newest products at Neuroon are another version's: an older one is asked for instead."""
    feeds = list(registry.feeds.values())
    use_feeds(*feeds, (Voucher, item_feed(external_id="key")))
    make_known(flush)
    for n in range(5):
        Voucher.objects.create(key=f"V{n}", title="t")
    flush()
    use_feeds(*feeds)
    for n in range(4):
        make_product(str(n))
    refuse(neuroon, "message", lambda external_id: len(external_id) == 1)
    to_the_end(flush, SyncedProduct.objects.exclude(model="shop.voucher"))
    assert pauses() == {}
    assert SyncedProduct.objects.filter(status="rejected").count() == 4


def test_law_08_after_the_cure_a_lone_new_order_sets_the_others_free(neuroon, flush_orders):
    product = make_product("A")
    for n in range(10):
        make_order(str(n), product)
    refuse_orders(neuroon, "message", lambda order_id: True, 409)
    flush_orders()
    cure(neuroon)
    make_order("new", product)
    flush_orders()
    assert set(Conversion.objects.values_list("status", flat=True)) == {"sent"}


# Words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("products[0].imageUrl: not a URL", "A"), ("products[3].imageUrl: not a URL", "B")),
        (("7: has 17 images of 7", "7"), ("8: has 18 images of 7", "8")),
        (("red-shoe is unknown", "red-shoe"), ("hat is unknown", "hat")),
        (("price is too high", "price"), ("price is too high", "hat")),
        (("SKU-1 refused at 10:00:00Z", "SKU-1"), ("SKU-22 refused at 11:12:13Z", "SKU-22")),
        (("A b/c: no (trace 0af7651916cd)", "A b/c"), ("D: no (trace 9bf7651916ce)", "D")),
    ],
)  # fmt: skip
def test_refusals_are_compared_without_ids_indexes_and_numbers(one, other):
    assert blame.words_of(*one) & blame.words_of(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("no image", "A"), ("no price", "B")),
        (("Validation failed; price", "A"), ("Validation failed; imageUrl", "B")),
        (("price", "price"), ("imageUrl", "hat")),
    ],
)
def test_other_words_are_another_refusal(one, other):
    assert not blame.words_of(*one) & blame.words_of(*other)


def test_current_shop_is_confirmed_by_the_first_acceptance(neuroon, flush):
    make_product("A")
    flush()
    assert current_shop().endpoint("products").confirmed_at is not None
