"""The wake-up: one thread per process that publishes, and nothing that the shop could feel (law 1)."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from celery import Celery, current_app
from django.db import transaction

from neuroon_django.recording import wakeup
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, Publisher, wake_after_commit
from tests import services
from tests.factories import make_product
from tests.shop.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


class Recorder(Publisher):
    """A publisher that keeps what it would publish."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[set[str]] = []
        self.told = threading.Event()
        self.fails = False

    def _publish(self, tasks):
        if self.fails:
            super()._publish(tasks)
        elif tasks:
            self.published.append(set(tasks))
            self.told.set()


@pytest.fixture
def publisher(monkeypatch, settings) -> Recorder:
    settings.NEUROON_DEBOUNCE = 0.2
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
    assert publisher.told.wait(10)
    for _ in range(5):
        product.save()
    publisher.told.clear()
    assert publisher.told.wait(10)
    assert publisher.published == [{"flush_products", "flush_conversions"}, {"flush_products"}]
    assert [t.name for t in threading.enumerate()].count("neuroon-wake") >= 1


def test_law_01_rolled_back_wakes_nobody(neuroon, publisher):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        make_product("A")
        raise ZeroDivisionError
    assert publisher._thread is None


def test_law_01_without_auto_sync_nobody_is_woken(neuroon, publisher, settings):
    settings.NEUROON_AUTO_SYNC = False
    make_product("A")
    assert publisher._thread is None


def test_law_01_what_is_flagged_while_it_publishes_is_published_next(neuroon, publisher, settings):
    settings.NEUROON_DEBOUNCE = 0
    seen: list[int] = []

    def slow(tasks):
        if tasks and len(seen) < 50:
            seen.append(len(tasks))
            publisher.notify(PRODUCTS)
        elif tasks:
            publisher.told.set()

    publisher._publish = slow
    publisher.notify(PRODUCTS)
    assert publisher.told.wait(10)
    assert seen == [1] * 50


def test_law_01_a_broken_broker_is_told_once_per_cooldown(neuroon, publisher, celery, caplog):
    """The connection is refused: one line, and silence for half a minute whatever is saved."""
    publisher.fails = True
    celery(broker_url="redis://127.0.0.1:9/0")
    with caplog.at_level(logging.WARNING, "neuroon_django"):
        publisher._publish([PRODUCTS])
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
    publisher.fails = True
    publisher._publish([PRODUCTS])
    assert publisher._quiet_until == 0


def test_law_01_it_begins_anew_in_a_fork(neuroon, publisher):
    """gunicorn preload, uWSGI, prefork Celery: a thread does not survive a fork, a held lock does."""
    publisher.notify(ORDERS)
    assert publisher.told.wait(10)
    publisher.told.clear()
    read, write = os.pipe()
    publisher._starting.acquire()  # as another thread of the shop may have at that moment
    pid = os.fork()
    if pid:
        publisher._starting.release()
    else:
        shop = threading.Thread(target=publisher.notify, args=[PRODUCTS], daemon=True)
        shop.start()
        shop.join(10)
        told = publisher.told.wait(10) and publisher.published[-1] == {"flush_products"}
        os.write(write, b"1" if told else b"0")
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
import time; time.sleep(0.5)
print("saved", flush=True)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, timeout=60, check=True, text=True
        )
    assert done.stdout == "saved\n"


def test_law_01_flagging_takes_no_lock(neuroon, publisher):
    """Even while the thread is being started elsewhere, or is stuck, the shop's thread goes on."""
    publisher._thread = threading.current_thread()
    with publisher._starting:
        wake_after_commit(PRODUCTS)
    assert publisher._flag.is_set()
