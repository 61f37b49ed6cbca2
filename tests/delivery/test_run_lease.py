"""One run of a kind is at work in the whole system, as a good guest in the shop's workers (law 9)."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from neuroon_django import tasks
from neuroon_django.delivery.lease import RunLease
from neuroon_django.models import Conversion, Endpoint, Group, ShopState, SyncedProduct
from tests.factories import current_shop, make_product, pay, place
from tests.shop.models import Product
from tests.threads import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


FRAMING = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")  # of transactions, no statements of their own


@pytest.fixture
def sent_tasks(monkeypatch, celery) -> list[tuple[str, float, dict[str, str]]]:
    """The messages that go on with runs: task, countdown and arguments."""
    messages: list[tuple[str, float, dict[str, str]]] = []

    def keep(name: str, *, countdown: float = 0.0, kwargs: dict[str, str]) -> None:
        messages.append((name, countdown, kwargs))

    monkeypatch.setattr(tasks, "send_task", keep)
    return messages


def lease(*, resumes: str = "") -> RunLease:
    return RunLease(current_shop().endpoint(Group.PRODUCTS), resumes=resumes)


def lease_ends() -> None:
    Endpoint.objects.update(run_until=F("run_until") - timedelta(hours=1))


def test_law_09_a_second_run_returns_at_once_and_the_first_looks_once_more(neuroon, flush):
    """A change that is committed while a run ends is not left to beat."""
    make_product("A")
    with neuroon.held("sync") as hold:
        worker = elsewhere(lambda: flush(foreground=False))
        hold.wait()
        make_product("B")
        began = time.monotonic()
        assert flush(foreground=False).requests == 0
        assert time.monotonic() - began < 1
        hold.release()
        worker.join()
    assert neuroon.products.keys() == {"A", "B"}


def test_law_09_a_run_in_the_foreground_waits_for_its_turn(neuroon, flush):
    make_product("A")
    with neuroon.held("sync") as hold:
        worker = elsewhere(lambda: flush(foreground=False))
        hold.wait()
        make_product("B")
        waiting = elsewhere(flush)
        waiting.join(0.5)
        assert waiting.is_alive()
        hold.release()
        worker.join()
        waiting.join()
    assert neuroon.products.keys() == {"A", "B"}
    assert neuroon.overlaps == []


def test_law_09_the_lease_dies_with_its_holder(neuroon, flush):
    dead = lease()
    assert dead.begin()
    make_product("A")
    flush(foreground=False)
    assert neuroon.requests == []
    lease_ends()
    flush(foreground=False)
    assert neuroon.products.keys() == {"A"}
    assert not dead.endpoint.row.extend_run(dead.token, 10)


def test_law_09_who_lost_the_lease_begins_no_request(neuroon, flush, settings, monkeypatch):
    settings.NEUROON_BATCH_SIZE = 1
    for n in range(3):
        make_product(f"P-{n}")
    flush(foreground=False)
    neuroon.clear()
    for product in Product.objects.all():
        product.save(update_fields=["title"])
    Product.objects.update(title="New")
    begin = RunLease.begin

    def begin_and_lose(self, **options):
        begun = begin(self, **options)
        Endpoint.objects.update(run_token="another run's")
        self.extended_at = float("-inf")
        return begun

    with monkeypatch.context() as patch:
        patch.setattr(RunLease, "begin", begin_and_lose)
        flush(foreground=False)
    assert neuroon.requests == []
    assert not SyncedProduct.objects.exclude(lease="").exists()


def test_law_09_a_run_out_of_time_leaves_the_work_to_one_message(neuroon, monkeypatch, sent_tasks):
    """Other wake-ups return at once meanwhile; where the message is lost, they do not for ever."""
    make_product("A")
    monkeypatch.setattr(tasks, "BUDGET", 0.0)
    tasks.flush_products()
    [(name, countdown, arguments)] = sent_tasks
    assert (name, countdown, arguments["shop"]) == ("flush_products", 0.0, "default")
    monkeypatch.setattr(tasks, "BUDGET", 4.0)
    tasks.flush_products()
    tasks.flush_products(shop="default", run="the token of another run")
    assert neuroon.requests == []
    tasks.flush_products(**arguments)
    assert neuroon.products.keys() == {"A"}
    assert len(sent_tasks) == 1


def test_law_09_two_chains_of_messages_become_one(neuroon, monkeypatch, sent_tasks):
    """A message that comes late finds its work handed on by another one, and asks for nothing."""
    make_product("A")
    monkeypatch.setattr(tasks, "BUDGET", 0.0)
    tasks.flush_products()
    _, _, first = sent_tasks[0]
    tasks.flush_products(**first)
    _, _, second = sent_tasks[1]
    assert first["run"] != second["run"]
    tasks.flush_products(**first)
    assert len(sent_tasks) == 2
    monkeypatch.setattr(tasks, "BUDGET", 4.0)
    tasks.flush_products(**first)
    assert neuroon.requests == []
    tasks.flush_products(**second)
    assert neuroon.products.keys() == {"A"}


def test_law_09_a_message_for_a_shop_that_is_none_is_ignored(neuroon, sent_tasks):
    make_product("A")
    tasks.flush_products(shop="renamed")
    assert (neuroon.requests, sent_tasks) == ([], [])


def test_law_09_what_is_asked_for_beside_a_block_is_not_left_to_beat(neuroon, flush):
    """Deletes are blocked and the run ends: a product that was saved meanwhile is sent by it."""
    make_product("A")
    flush(foreground=False)
    gone = make_product("B")
    flush(foreground=False)
    gone.delete()
    neuroon.fault("status", status=503, endpoint="delete")
    with neuroon.held("delete") as hold:
        worker = elsewhere(lambda: flush(foreground=False))
        hold.wait()
        make_product("C")
        assert flush(foreground=False).requests == 0
        hold.release()
        worker.join()
    assert neuroon.products.keys() == {"A", "B", "C"}


def test_law_09_a_lost_hand_over_is_found_by_the_next_wake_up(neuroon, monkeypatch, sent_tasks):
    make_product("A")
    monkeypatch.setattr(tasks, "BUDGET", 0.0)
    tasks.flush_products()
    monkeypatch.setattr(tasks, "BUDGET", 4.0)
    Endpoint.objects.update(resume_at=F("resume_at") - timedelta(minutes=1))
    tasks.flush_products()
    assert neuroon.products.keys() == {"A"}


def test_law_09_what_another_run_has_is_left_to_it_by_the_message_too(neuroon, flush):
    make_product("A")
    holder = lease()
    assert holder.begin()
    assert not lease(resumes=holder.token).begin()
    assert Endpoint.objects.get(group=Group.PRODUCTS).run_requested
    assert not holder.end()
    assert holder.end()


def test_law_12_a_soft_time_limit_is_nobodys_fault(neuroon, flush, monkeypatch):
    """A worker's global soft limit interrupts the shop's code: nothing is rejected, nothing leased."""
    make_product("A")

    def slow(product: Product) -> str:
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patch:
        patch.setattr(Product, "get_absolute_url", slow)
        with pytest.raises(SoftTimeLimitExceeded):
            flush(foreground=False)
    row = SyncedProduct.objects.get()
    assert (row.status, row.last_error, row.lease) == ("pending", "", "")
    flush(foreground=False)
    assert neuroon.products.keys() == {"A"}


@pytest.mark.parametrize(
    ("task", "most"),
    [(tasks.flush_products, 4), (tasks.flush_conversions, 4), (tasks.refresh_widget_token, 4)],
    ids=lambda value: getattr(value, "name", None) or str(value),
)
def test_law_09_an_idle_task_costs_a_few_statements(neuroon, task, most):
    tasks.refresh_widget_token()
    tasks.flush_products()
    with CaptureQueriesContext(connection) as captured:
        task()
    assert len(captured) <= most, [query["sql"] for query in captured]


def test_one_products_flush_and_one_more_batch_cost_bounded_statements(neuroon, flush, settings):
    settings.NEUROON_BATCH_SIZE = 10
    for n in range(31):
        make_product(f"P-{n}")
    tasks.flush_products()
    Product.objects.get(sku="P-0").save()
    Product.objects.filter(sku="P-0").update(title="New")
    with CaptureQueriesContext(connection) as captured:
        tasks.flush_products()
    statements = [query["sql"] for query in captured if query["sql"].split()[0] not in FRAMING]
    assert len(statements) <= 22 + 1, "\n".join(statements)
    counts = []
    for batches in (1, 3):
        for product in Product.objects.order_by("pk")[: 10 * batches]:
            product.title += "!"
            product.save()
        with CaptureQueriesContext(connection) as captured:
            tasks.flush_products()
        counts.append(len(captured))
    assert (counts[1] - counts[0]) / 2 <= 12, counts


def test_law_09_a_paid_order_does_not_wait_for_those_that_are_asked_again(
    neuroon, monkeypatch, sent_tasks
):
    for n in range(5):
        place(str(n))
    tasks.flush_conversions()
    Conversion.objects.reassess(current_shop())
    order = place("paid")
    pay(order)
    tasks.flush_conversions()
    assert list(neuroon.conversions) == ["paid"]
    assert not Conversion.objects.waiting().exists()


def test_law_09_runs_of_products_and_of_orders_do_not_wait_for_each_other(neuroon, flush_orders):
    assert lease().begin()
    pay(place("1"))
    assert flush_orders(foreground=False).reported == 1


def test_two_processes_that_make_the_rows_of_a_shop_at_once(neuroon):
    start, shops = threading.Barrier(2), []

    def look() -> None:
        start.wait()
        shops.append(current_shop().endpoint(Group.PRODUCTS).pk)

    threads = [elsewhere(look) for _ in range(2)]
    for thread in threads:
        thread.join()
    assert len(set(shops)) == 1
    assert (ShopState.objects.count(), Endpoint.objects.count()) == (1, len(Group.values))
