"""Pauses and refusals: whose fault an error is, who waits for it, and how it ends (laws 8 and 9)."""

from __future__ import annotations

import time

import pytest

from neuroon_django import tasks
from neuroon_django.exceptions import Forbidden, KeyRefused, RateLimited, Refused, Unavailable
from neuroon_django.models import Group, ShopState, SyncedProduct, endpoint
from neuroon_django.testing import Sandbox
from tests.factories import current_shop, end_blocks, make_product, pauses
from tests.naming import case
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)


def error(kind: type, **values: object):
    return kind("no", method="POST", path="/x", **values)


@pytest.mark.parametrize(
    ("kind", "values", "closed", "least", "most"),
    [
        (KeyRefused, {}, set(Group.values), 45, 60),
        (Forbidden, {}, {"products", "deletes"}, 45, 60),
        (Refused, {}, {"products"}, 45, 60),
        (Unavailable, {}, {"products"}, 1.5, 2),
        (Unavailable, {"retry_after": 7.0}, set(), 7, 7),
        (RateLimited, {}, set(), 60, 60),
        (RateLimited, {"retry_after": 0.0}, set(), 1, 1),
        (RateLimited, {"retry_after": -5.0}, set(), 1, 1),
        (RateLimited, {"retry_after": 1e9}, set(), 86_400, 86_400),
    ],
)
def test_law_09_which_gates_an_error_closes(neuroon, kind, values, closed, least, most):
    shop = current_shop()
    seconds = shop.endpoint("products").failed(error(kind, **values))
    assert least <= seconds <= most
    stored = current_shop()
    assert pauses().keys() == closed == {endpoint.group for endpoint in shop.pauses()}
    for group in Group.values:
        shut = group in closed or group == "products"
        assert (stored.endpoint(group).acquire_slot() is None) == shut


def test_law_09_pauses_grow_and_end(neuroon):
    seconds = []
    for _ in range(14):
        shop = current_shop()
        seconds.append(shop.endpoint("deletes").failed(error(Unavailable)))
    assert all(0.75 * 2 ** (n + 1) <= s <= 2 ** (n + 1) for n, s in enumerate(seconds[:10]))
    assert max(seconds) <= 3600
    shop.endpoint("deletes").succeeded()
    assert pauses() == {}
    assert current_shop().endpoint("deletes").failed(error(Unavailable)) <= 2


def test_law_09_one_worker_probes_and_tells_the_others(neuroon):
    """The worker that probes may have begun before the pause did."""
    early, other = current_shop(), current_shop()
    early.endpoint("products"), other.endpoint("products").failed(error(Forbidden))
    end_blocks()
    assert early.endpoint("products").acquire_slot() == 0
    assert other.endpoint("products").acquire_slot() is None
    early.endpoint("products").succeeded()
    assert pauses().keys() == {"deletes"}


@pytest.mark.parametrize(
    ("status", "paused"), [(401, set(Group.values)), (403, {"products", "deletes"})], ids=["401", "403"]
)
def test_law_09_a_pause_stops_all_workers_within_one_request_each(neuroon, flush, status, paused):
    make_product("A")
    flush()
    Product.objects.get().delete()
    make_product("B")
    neuroon.clear()
    with neuroon.faulty("status", status=status, times=None):
        stopped = flush(foreground=False).stopped
        flush(foreground=False)
    assert len(neuroon.requests) == 1
    assert f"{status} Sandbox fault {status}" in stopped
    assert pauses().keys() == paused
    assert {row.status for row in SyncedProduct.objects.all()} == {"deleting", "pending"}
    tally = flush()  # `neuroon_sync` tries now
    assert tally.stopped == ""
    assert list(neuroon.products) == ["B"]
    assert pauses() == {}  # a key that is accepted once is right for all groups


def test_law_09_a_paused_token_leaves_the_catalogue_alone(neuroon, flush):
    current_shop().endpoint("token").failed(error(Forbidden))
    make_product("A")
    flush(foreground=False)
    assert list(neuroon.products) == ["A"]


def test_law_09_a_run_in_the_foreground_sits_short_troubles_out(neuroon, flush, monkeypatch):
    monkeypatch.setattr(endpoint, "FIRST_BACKOFF", 0.01)
    make_product("A")
    with neuroon.faulty("status", times=3, endpoint="sync"):
        tally = flush()
    assert tally.stopped == ""
    assert list(neuroon.products) == ["A"]
    assert [r.status for r in neuroon.sync_requests] == [503, 503, 503, 200]


@pytest.mark.parametrize("header", ["1", "date"])
def test_law_09_retry_after_is_waited_for(neuroon, flush, header):
    make_product("A")
    soon = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 2))
    value = soon if header == "date" else header
    with neuroon.faulty("status", status=429, times=1, headers={"Retry-After": value}):
        assert flush(foreground=False).stopped.endswith("429 Sandbox fault 429")
    assert pauses() == {}
    assert 0 < current_shop().endpoint("products").seconds_closed() <= 2
    flush()
    one, two = neuroon.sync_requests
    assert two.started - one.ended > 0.9
    assert list(neuroon.products) == ["A"]


# Law 8


def test_law_08_three_alone_with_one_message_are_nobodys_fault(neuroon, flush):
    for n in range(30):
        make_product(f"P-{n}")
    neuroon.error_style = "reject"
    neuroon.reject = lambda product: "currency EUR is not enabled"
    tally = flush()
    reason = "POST products/sync: 400 currency EUR is not enabled"
    assert tally.stopped == f"{reason} (refused: P-0, P-29, P-1, P-28)"
    assert tally.rejected == 0
    assert pauses() == {"products": tally.stopped}
    assert not SyncedProduct.objects.exclude(status="pending", lease="").exists()
    assert len(neuroon.sync_requests) < 15
    neuroon.reject = {"P-7": "currency EUR is not enabled"}
    tally = flush()
    assert (tally.stopped, tally.rejected) == ("", 1)
    assert len(neuroon.products) == 29
    assert pauses() == {}


def test_law_08_the_message_may_name_the_product(neuroon, flush):
    for n in range(5):
        make_product(f"P-{n}")
    neuroon.error_style = "reject"
    neuroon.reject = lambda product: f"{product['externalId']} is too much for your plan"
    assert flush().rejected == 0
    assert "too much for your plan" in pauses()["products"]


def test_law_08_different_messages_are_the_products_own(neuroon, flush):
    for n in range(6):
        make_product(f"P-{n}")
    neuroon.error_style = "reject"
    neuroon.reject = {f"P-{n}": f"reason {n}" for n in range(5)}
    assert flush().rejected == 5
    assert list(neuroon.products) == ["P-5"]
    assert {
        (row.external_id, row.last_error) for row in SyncedProduct.objects.exclude(status="synced")
    } == {(f"P-{n}", f"reason {n}") for n in range(5)}


def test_law_08_a_lone_suspect_is_guilty_only_when_all_others_were_heard(neuroon, flush):
    make_product("A")
    neuroon.error_style = "reject"
    neuroon.reject = {"A": "no"}
    with neuroon.faulty("status", endpoint="sync", after=3):  # in all three ways: then Neuroon is gone
        tally = flush(foreground=False)
        assert (tally.rejected, tally.stops) == (1, {})
    neuroon.reject = {"B": "no", "C": "no"}
    make_product("B"), make_product("C")
    ShopState.objects.update(route="plugin")
    neuroon.clear()
    with neuroon.faulty("status", endpoint="sync", after=2):  # the pair, and the first of it
        tally = flush(foreground=False)
    assert tally.rejected == 0
    assert "503" in tally.stops["products"]
    assert not SyncedProduct.objects.filter(status="rejected", external_id__in="BC").exists()


@pytest.mark.parametrize("style", ["externalId", "index", "text", "none", "reject", "reject-named"])
def test_law_08_one_bad_product_in_a_hundred(neuroon, flush, style):
    make_product("first")
    flush()
    for n in range(100):
        make_product(f"P-{n}")
    neuroon.clear()
    neuroon.error_style = style
    neuroon.reject = {"P-63": "no"}
    flush()
    assert len(neuroon.products) == 100
    row = SyncedProduct.objects.get(status="rejected")
    assert row.external_id == "P-63"
    assert row.last_error in ("no", "P-63: no", "refused without a reason")
    assert len(neuroon.sync_requests) <= 15
    neuroon.clear()
    flush()
    Product.objects.get(sku="P-63").save()
    flush()
    assert neuroon.requests == []  # the same is not tried again
    neuroon.reject = None
    product = Product.objects.get(sku="P-63")
    product.title = "Better"
    product.save()
    flush()
    assert neuroon.products["P-63"]["name"] == "Better"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"synced": 0, "failed": 0, "errors": []}, "synced"),  # it was there already, perhaps
        ({"synced": 1, "failed": 1, "errors": []}, "pending"),
        ({"synced": 1, "failed": 0, "errors": []}, "synced"),
        ({"synced": 0, "created": 1, "failed": 0}, "synced"),
        ({"failed": 0}, "synced"),
        ({"synced": 1, "failed": 0, "errors": ["all prices look low"]}, "synced"),
        ({"synced": 1, "failed": 0, "errors": [{"index": 0, "message": "low"}]}, "synced"),
        ({"errors": [{"index": 0, "message": "no"}]}, "pending"),
        ({"success": False}, "pending"),
        ({"created": 1, "updated": 0}, "synced"),
        ({"success": True, "productsCount": 1}, "synced"),
        ({"jobId": "x"}, "synced"),
        ({}, "synced"),
        ({"synced": "1", "failed": None}, "synced"),
        ({"data": {"synced": 1.0, "failed": 0}}, "synced"),
        ({"data": {"synced": 0, "failed": 1}}, "pending"),
        (["a"], "sending"),
        ({"synced": 0, "failed": 1, "errors": [{"externalId": "other", "message": "no"}]}, "pending"),
        ({"synced": 1, "failed": 0, "errors": {"not": "a list"}}, "synced"),
        ({"synced": "1", "failed": 0}, "synced"),
        ({"synced": -1, "failed": 0}, "synced"),
    ],
    ids=case,
)
def test_law_08_answers_that_contradict_themselves(neuroon, flush, settings, answer, status):
    """Three products, each alone; what is not surely there is not held for sent."""
    settings.NEUROON_BATCH_SIZE = 1
    settings.NEUROON_PRODUCTS_API = "plugin"
    for n in range(3):
        make_product(f"P-{n}")
    with neuroon.faulty("shape", body=answer, endpoint="sync"):
        flush(foreground=False)
    first = SyncedProduct.objects.get(external_id="P-0")
    assert first.status == status
    assert bool(first.digest) == (status in ("synced", "rejected"))


# The routes


@pytest.mark.parametrize("routes", [("plugin",), ("shops",)], ids=case)
def test_the_route_is_found_by_the_first_product_and_remembered(neuroon, flush, routes):
    neuroon.routes = routes
    for n in range(3):
        make_product(f"P-{n}")
    flush()
    assert len(neuroon.products) == 3
    assert [len(r.external_ids) for r in neuroon.sync_requests][-2:] == [1, 2]
    assert current_shop().route == routes[0]


def test_both_routes_refusing_is_a_pause_and_a_probe_asks_both(neuroon, flush):
    make_product("A")
    neuroon.routes = ()
    flush()
    assert "404" in pauses()["products"]
    neuroon.routes = ("shops",)
    end_blocks()
    flush(foreground=False)
    assert list(neuroon.products) == ["A"]
    assert pauses().keys() <= {"deletes"}


def test_a_404_by_the_shops_route_is_believed_only_of_what_the_list_does_not_show(neuroon, flush):
    neuroon.routes, neuroon.shops_delete_by = ("shops",), "id"
    products = [make_product(f"P-{n}") for n in range(4)]
    flush()
    del neuroon.products["P-3"]
    for product in products:
        product.delete()
    neuroon.clear()
    flush()
    assert neuroon.products == {}
    assert not SyncedProduct.objects.exists()
    assert len(neuroon.requests_to("list")) == 1


# Law 5: another shop or address; law 17: switched off


def test_law_05_another_address_knows_nothing_and_coming_back_loses_nothing(neuroon, flush, settings):
    kept, gone = make_product("kept"), make_product("gone")
    flush()
    with Sandbox(shop_url="https://mystore.com", verified=True) as staging:
        settings.NEUROON_API_URL = staging.url
        flush()
        assert staging.products.keys() == {"kept", "gone"}
        gone.delete()
        kept.title = "Changed in staging"
        kept.save()
        make_product("new")
        flush()
        assert {k: v["name"] for k, v in staging.products.items()} == {
            "kept": "Changed in staging",
            "new": "Product new",
        }
        assert neuroon.products.keys() == {"kept", "gone"}
    settings.NEUROON_API_URL = neuroon.url
    flush()
    assert {k: v["name"] for k, v in neuroon.products.items()} == {
        "kept": "Changed in staging",
        "new": "Product new",
    }


@pytest.mark.parametrize("name", ["NEUROON_ENABLED", "NEUROON_API_KEY", "NEUROON_SHOP_ID"])
def test_law_17_switched_off_or_without_a_key_nothing_is_sent(
    neuroon, flush, settings, name, django_assert_num_queries
):
    value = getattr(settings, name, True)
    setattr(settings, name, False if value is True else "")
    make_product("A")
    # Clicks grow old all the same, and two tasks look whether the changes are too many.
    with django_assert_num_queries(0 if value is True else 3):
        tasks.flush_products()
        tasks.flush_conversions()
        tasks.scan_catalogue()
    assert neuroon.requests == []
    setattr(settings, name, value)
    flush()
    assert list(neuroon.products) == ["A"]


# Tasks: how a run that was cut short is gone on with


@pytest.fixture
def messages(monkeypatch, settings) -> list[float]:
    """The countdowns of the wake-ups that are published."""
    sent: list[float] = []
    monkeypatch.setattr(tasks, "send_task", lambda name, countdown, kwargs: sent.append(countdown))
    return sent


def test_law_09_a_short_pause_wakes_one_worker_when_it_is_over(neuroon, messages):
    make_product("A")
    with neuroon.faulty("status", endpoint="sync"):
        tasks.flush_products()
        tasks.flush_products()  # beat comes as well
    assert len(messages) == 1
    assert 1 <= messages[0] <= 2


def test_law_09_a_long_pause_is_left_to_beat(neuroon, messages, monkeypatch):
    monkeypatch.setattr(endpoint, "LONG_BACKOFF", 600)
    make_product("A")
    with neuroon.faulty("status", endpoint="sync", status=403):
        tasks.flush_products()
    assert messages == []


def test_law_09_a_run_out_of_time_is_gone_on_with_once(neuroon, messages, monkeypatch):
    monkeypatch.setattr(tasks, "BUDGET", 0.0)
    make_product("A")
    tasks.flush_products()
    monkeypatch.setattr(tasks, "BUDGET", 50.0)
    assert messages == [0]


def test_law_09_the_trouble_of_deletes_does_not_keep_the_queue_hot(neuroon, flush, messages):
    make_product("A")
    flush()
    Product.objects.get().delete()
    with neuroon.faulty("status", endpoint="delete"):
        tasks.flush_products()
    assert len(messages) == 1
    assert messages[0] >= 1
