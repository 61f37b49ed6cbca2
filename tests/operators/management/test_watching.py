"""`neuroon_sync --watch` from inside: what a round costs, and what it survives."""

from __future__ import annotations

import logging
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from neuroon_django.conf import Settings, ShopConfig, conf
from neuroon_django.management.watching import PATIENCE, POLL, SCHEDULE, Watch
from neuroon_django.models import Change, ShopState
from neuroon_django.recording import publishing
from neuroon_django.testing import Sandbox
from tests.factories import current_shop, make_order, make_product

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def watch(neuroon, settings) -> Watch:
    """A watch that has drained, scanned, issued a token and found nothing more to do."""
    settings.NEUROON_TASKS = None
    return drained(Watch(list(conf.shops().values())))


def drained(watch: Watch) -> Watch:
    with publishing.replaced_by(watch):
        for _ in range(5):
            round_now(watch)
    return watch


def round_now(watch: Watch) -> float:
    """Let the watch look for changes and do what is due now."""
    watch._look_at = 0.0
    with publishing.replaced_by(watch):
        return watch.round()


def test_an_idle_watch_costs_one_statement_a_look(watch):
    with CaptureQueriesContext(connection) as captured:
        moment = round_now(watch)
    assert len(captured) == 1
    assert moment == pytest.approx(time.monotonic() + POLL, abs=1)


def test_an_idle_minute_costs_few_statements(watch):
    """What is done once a minute, beside the looks for changes and for a verification."""
    watch._scheduled |= {"flush_products": 0.0, "flush_conversions": 0.0}
    with CaptureQueriesContext(connection) as captured:
        round_now(watch)
    assert len(captured) <= 10


def test_changes_are_found_by_the_next_look(neuroon, watch):
    make_order("1001", make_product("A"))
    for _ in range(2):
        round_now(watch)
    assert (list(neuroon.products), list(neuroon.conversions)) == (["A"], ["1001"])
    assert not Change.objects.exists()


def test_the_same_message_waits_once(watch):
    for countdown in (30.0, 10.0, 20.0):
        watch.send("flush_products", countdown=countdown, kwargs={"shop": "default"})
    [(message, due)] = watch._due.items()
    assert message == ("flush_products", (("shop", "default"),))
    assert due == pytest.approx(time.monotonic() + 10, abs=2)


def test_what_is_paused_does_not_keep_it_busy(neuroon, watch):
    make_product("A")
    with neuroon.faulty("status", status=401):
        round_now(watch)
    neuroon.clear()
    make_product("B")
    assert round_now(watch) > time.monotonic()
    assert neuroon.requests == []


def test_a_lost_database_comes_back(neuroon, watch, caplog):
    make_product("A")
    assert connection.connection is not None
    connection.connection.close()
    with caplog.at_level(logging.WARNING, "neuroon_django"):
        assert round_now(watch) == pytest.approx(time.monotonic() + PATIENCE, abs=2)
    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == ["watch_failed"]
    for _ in range(2):
        round_now(watch)
    assert list(neuroon.products) == ["A"]


def test_it_scans_when_the_last_scan_is_older_than_allowed(neuroon, watch, settings):
    before = current_shop().scanned_at
    settings.NEUROON_SCAN_EVERY = 0
    watch._scheduled["flush_products"] = 0.0
    round_now(watch)
    assert current_shop().scanned_at > before


def test_it_verifies_a_shop_for_which_that_was_asked(neuroon, watch):
    ShopState.objects.request_verification(current_shop().pk)
    watch._scheduled["verify_shop"] = 0.0
    round_now(watch)
    assert current_shop().verification["passed"] is True


def test_it_has_every_shop_in_its_care(neuroon, settings, monkeypatch):
    settings.NEUROON_TASKS = None
    with Sandbox(shop_url="https://mystore.co.uk", verified=True) as british:
        own = {name.removeprefix("NEUROON_"): value for name, value in british.settings().items()}
        shops = {"es": ShopConfig("es"), "uk": ShopConfig("uk", own)}
        monkeypatch.setattr(Settings, "shops", lambda settings: shops)
        make_product("A")
        drained(Watch(list(shops.values())))
        assert list(neuroon.products) == list(british.products) == ["A"]


def test_its_schedule_has_every_task_but_the_scan():
    from neuroon_django.schedules import SCHEDULES

    assert SCHEDULE.keys() - {"verify_shop"} == SCHEDULES.keys() - {"scan_catalogue"}
