"""The wake-up: one thread per process that publishes, and nothing that the shop could feel (law 1)."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from celery import Celery, current_app
from celery.beat import ScheduleEntry, Scheduler
from celery.contrib.testing.worker import start_worker
from celery.signals import task_postrun
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from neuroon_django.recording import publishing, wakeup
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, Publisher, wake_after_commit
from neuroon_django.schedules import beat_schedule
from neuroon_django.tasks import flush_products
from tests import services
from tests.factories import make_product
from tests.shop.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


class Recorder(Publisher):
    """A publisher that keeps what it would publish, whenever the test lets its thread go on."""

    def _reset(self) -> None:
        super()._reset()
        self.published: list[set[str]] = []
        self._turns, self._done = threading.Semaphore(0), threading.Semaphore(0)

    def _debounce(self) -> None:
        self._turns.acquire()

    def _publish(self, tasks: list[str]) -> None:
        self.published.append(set(tasks))
        self._done.release()

    def debounced(self) -> list[set[str]]:
        """Return what has been published when the thread has waited once more."""
        self._turns.release()
        assert self._done.acquire(timeout=10), "nobody flagged it"
        return self.published


@pytest.fixture
def publisher(monkeypatch) -> Recorder:
    made = Recorder()
    monkeypatch.setattr(wakeup, "publisher", made)
    return made


def test_law_01_a_burst_is_one_wake_up_after_commit(neuroon, publisher):
    with transaction.atomic():
        product = make_product("A")
        for _ in range(20):
            product.save()
        Order.objects.create(number="1")
        assert not publisher._flag.is_set()
    assert publisher.debounced() == [{PRODUCTS, ORDERS}]
    for _ in range(5):
        product.save()
    assert publisher.debounced() == [{PRODUCTS, ORDERS}, {PRODUCTS}]
    assert [t.name for t in threading.enumerate()].count("neuroon-wake") >= 1


def test_law_01_a_burst_is_waited_for_and_a_broken_broker_is_left_alone(monkeypatch, settings):
    settings.NEUROON_DEBOUNCE = 3
    publisher, waits = Publisher(), []
    monkeypatch.setattr(wakeup.time, "sleep", waits.append)
    publisher._debounce()
    publisher._quiet_until = time.monotonic() + 30
    publisher._debounce()
    assert waits == [3, pytest.approx(30, abs=1)]


def test_law_01_rolled_back_wakes_nobody(neuroon, publisher):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        make_product("A")
        raise ZeroDivisionError
    assert publisher._thread is None


def test_law_01_without_auto_sync_nobody_is_woken(neuroon, publisher, settings):
    settings.NEUROON_AUTO_SYNC = False
    make_product("A")
    assert publisher._thread is None


def test_law_01_what_is_flagged_while_it_publishes_is_published_next(settings):
    settings.NEUROON_DEBOUNCE = 0
    publisher, seen, over = Publisher(), [], threading.Event()

    def slow(tasks: list[str]) -> None:
        if tasks and len(seen) < 50:
            seen.append(len(tasks))
            publisher.notify(PRODUCTS)
        elif tasks:
            over.set()

    publisher._publish = slow  # type: ignore[method-assign]
    publisher.notify(PRODUCTS)
    assert over.wait(10)
    assert seen == [1] * 50


def test_law_01_a_broken_broker_is_reported_once_per_cooldown(
    neuroon, publisher, celery, caplog, monkeypatch
):
    """The connection is refused: one line, and silence for half a minute whatever is saved."""
    celery(broker_url="redis://127.0.0.1:9/0")
    monkeypatch.setitem(current_app.conf, "broker_transport_options", {"max_retries": 0})
    with caplog.at_level(logging.WARNING, "neuroon_django"):
        Publisher._publish(publisher, [PRODUCTS])
        make_product("A")
        make_product("B")
    assert [r.getMessage().partition(" ")[0] for r in caplog.records] == ["wake_up_failed"]
    assert publisher._quiet_until > time.monotonic() + 25


@pytest.mark.parametrize("reason", ["eager", "no broker", "no key"])
def test_law_01_nobody_to_wake(neuroon, publisher, celery, monkeypatch, settings, reason):
    url = "" if reason == "no broker" else "memory://"
    celery(broker_url=url, task_always_eager=reason == "eager")
    settings.NEUROON_API_KEY = "" if reason == "no key" else "sk_x"
    monkeypatch.setattr(current_app, "connection_for_write", lambda: 1 / 0)
    Publisher._publish(publisher, [PRODUCTS])
    assert publisher._quiet_until == 0


@pytest.mark.parametrize("backend", ["immediate.ImmediateBackend", "dummy.DummyBackend"])
def test_a_tasks_backend_that_keeps_no_message_gets_none(neuroon, monkeypatch, settings, backend):
    settings.NEUROON_TASKS = "django"
    settings.TASKS = {"default": {"BACKEND": f"{publishing.TASKS_FRAMEWORK}.backends.{backend}"}}
    monkeypatch.setattr(publishing.DjangoTasks, "send", lambda self, name: 1 / 0)
    publisher = Publisher()
    publisher._publish([PRODUCTS])
    assert publisher._quiet_until == 0
    assert publishing.task_backend().runs_inline


def test_with_no_tasks_nobody_is_woken_and_no_broker_is_touched(
    neuroon, publisher, monkeypatch, settings
):
    settings.NEUROON_TASKS = None
    monkeypatch.setattr(publishing, "current_app", None)
    make_product("A")
    assert publisher._thread is None
    flush_products()
    assert list(neuroon.products) == ["A"]


class Kept(list):
    """A backend of Django's Tasks, as far as a message goes: what it can do, and what it was given."""

    def __init__(self, *, supports_defer: bool) -> None:
        self.supports_defer = supports_defer
        self.run_after: Any = None

    def get_backend(self) -> Kept:
        return self

    def using(self, run_after: Any) -> Kept:
        self.run_after = run_after
        return self

    def enqueue(self, **kwargs: Any) -> None:
        self.append(kwargs)


@pytest.mark.parametrize("supports_defer", [True, False])
def test_what_should_wait_is_deferred_where_the_backend_can(monkeypatch, settings, supports_defer):
    settings.NEUROON_TASKS = "django"
    kept = Kept(supports_defer=supports_defer)
    monkeypatch.setattr(publishing, "import_string", lambda path: kept)
    publishing.send_task(PRODUCTS, countdown=0, kwargs={"shop": "default"})
    assert [message["shop"] for message in kept] == ["default"]
    assert kept[0]["expires"] == pytest.approx(time.time() + 60, abs=5)
    publishing.send_task(PRODUCTS, countdown=30, kwargs={"shop": "default"})
    assert len(kept) == (2 if supports_defer else 1)
    if supports_defer:
        assert kept.run_after > timezone.now()
        assert kept[1]["expires"] == pytest.approx(time.time() + 90, abs=5)


def test_law_09_a_message_of_djangos_tasks_that_is_too_old_is_not_worth_a_run(neuroon, settings):
    settings.TASKS = {
        "default": {"BACKEND": f"{publishing.TASKS_FRAMEWORK}.backends.dummy.DummyBackend"}
    }
    task = import_string("neuroon_django.framework_tasks.flush_products")
    make_product("A")
    task.call(expires=time.time() - 1)
    assert neuroon.requests == []
    task.call(expires=time.time() + 60, shop="default")
    assert list(neuroon.products) == ["A"]


def test_law_01_it_begins_anew_in_a_fork(neuroon, publisher):
    """gunicorn preload, uWSGI, prefork Celery: a thread does not survive a fork, a held lock does."""
    publisher.notify(ORDERS)
    assert publisher.debounced() == [{ORDERS}]
    read, write = os.pipe()
    publisher._starting.acquire()  # as another thread of the shop may have at that moment
    pid = os.fork()
    if pid:
        publisher._starting.release()
    else:
        shop = threading.Thread(target=publisher.notify, args=[PRODUCTS], daemon=True)
        shop.start()
        shop.join(10)
        os.write(write, b"1" if publisher.debounced() == [{PRODUCTS}] else b"0")
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 1) == b"1"


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request) -> str:
    if request.param == "redis":
        return request.getfixturevalue("redis")
    services.need(services.listens(services.RABBITMQ), "RabbitMQ")
    return "amqp://guest:guest@127.0.0.1:5672//"


def test_law_01_a_real_broker_gets_the_message(neuroon, broker, celery, monkeypatch, settings):
    queue = f"neuroon-test-{broker.partition(':')[0]}-{os.getpid()}"
    settings.NEUROON_DEBOUNCE, settings.NEUROON_QUEUE = 0, queue
    celery(broker_url=broker)
    made = Publisher()
    monkeypatch.setattr(wakeup, "publisher", made)
    make_product("A")
    with Celery(broker=broker, set_as_current=False).connection_for_read() as connection:
        with connection.SimpleQueue(queue) as messages:
            message = messages.get(timeout=30)
            message.ack()
        connection.default_channel.queue_delete(queue)
    assert message.headers["task"] == "neuroon_django.tasks.flush_products"
    assert message.payload[:2] == [[], {}]


def executed(broker: str, until: str) -> list[str]:
    """Return the tasks that a worker runs of the waiting messages, up to the last of them."""
    before = current_app._get_current_object()
    app = Celery("workers", broker=broker, set_as_current=False)
    names: list[str] = []
    over = threading.Event()

    def ran(task: Any, **kwargs: Any) -> None:
        names.append(task.name.removeprefix("neuroon_django.tasks."))
        if names[-1] == until:
            over.set()

    task_postrun.connect(ran)
    try:
        with start_worker(app, perform_ping_check=False, shutdown_timeout=30):
            assert over.wait(30)
    finally:
        task_postrun.disconnect(ran)
        before.set_current()  # a worker makes its app everybody's
        before.set_default()
    return names


def test_law_09_a_message_that_expired_is_not_executed(redis, celery, monkeypatch, settings):
    """Neither a wake-up nor beat's, which wait where no worker runs."""
    settings.NEUROON_ENABLED = False  # the task that is run has nothing to do
    celery(broker_url=redis)
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "EXPIRES", 0.001)
        publishing.send_task(PRODUCTS)
    beat = Scheduler(app=current_app, lazy=True)
    for name, entry in beat_schedule().items():
        entry["options"]["expires"] = 0.001
        beat.apply_async(ScheduleEntry(name, app=current_app, **entry), advance=False)
    time.sleep(0.01)
    publishing.send_task(ORDERS)
    assert executed(redis, until=ORDERS) == [ORDERS]


def test_law_01_a_process_ends_without_waiting_for_the_thread(tmp_path):
    """A management command that saved something ends at once, though the broker hangs."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code = f"""
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["DATABASE_URL"] = "sqlite:///{tmp_path}/db.sqlite3"
django.setup()
from celery import current_app
from django.conf import settings
from django.core.management import call_command
current_app.conf.broker_url = "redis://127.0.0.1:{silent.getsockname()[1]}/0"
settings.NEUROON_DEBOUNCE = 0
call_command("migrate", verbosity=0)
from tests.shop.models import Product
Product.objects.create(sku="A", title="A")
input()
print("saved", flush=True)
"""
        command = [sys.executable, "-c", code]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            silent.settimeout(60)
            connection, _ = silent.accept()  # the thread waits for an answer now
            with connection:
                out, errors = process.communicate("\n", timeout=60)
    assert (out, process.returncode) == ("saved\n", 0), errors


def test_law_01_flagging_takes_no_lock(neuroon, publisher):
    """Even while the thread is being started elsewhere, or is stuck, the shop's thread goes on."""
    publisher._thread = threading.current_thread()
    with publisher._starting:
        wake_after_commit(PRODUCTS)
    assert publisher._flag.is_set()
