"""The verification's question to what carries wake-ups: is a worker there that a change can wake?"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from celery import current_app

from neuroon_django.api import messages
from neuroon_django.conf import conf
from neuroon_django.models import ShopState
from neuroon_django.operations.cures import CURES
from neuroon_django.operations.steps import Step
from neuroon_django.operations.wording import ago, join, span
from neuroon_django.recording.publishing import task_backend
from neuroon_django.recording.wakeup import PRODUCTS

WORKER_ANSWERS = 3  # seconds
BEAT_SILENCE = 900.0  # seconds without a message of beat's
NO_BROKER = "no Celery broker is configured, or tasks are eager"
NO_MESSAGE = "the default backend of TASKS keeps no message"
OTHERWISE = "Until then, run manage.py neuroon_sync from cron, or with --watch."

Consumers = dict[str, list[str]]  # by worker: the queues that it consumes


def probe_workers(shop: ShopState, here: str = "") -> Iterator[Step]:
    """Ask the workers to answer; without any the shop still works, so nothing here fails.

    `here` is the name of the worker that this runs in: a message has reached it.
    """
    if here:
        yield Step("celery", "ok", f"{here} does this")
    elif conf.TASKS is None:
        text = "NEUROON_TASKS is None: a change wakes nobody"
        yield Step("celery", "ok", text, "manage.py neuroon_sync is run with --watch, or from cron.")
    elif not task_backend().has_workers:
        text = NO_MESSAGE if conf.TASKS == "django" else NO_BROKER
        yield Step("celery", "warning", f"{text}: a change wakes no worker", OTHERWISE)
    elif conf.TASKS == "django":
        yield Step("celery", "ok", "wake-ups go to the default backend of TASKS")
    else:
        yield _probe_celery()
        yield from _probe_beat(shop)


def _probe_celery() -> Step:
    """Ask Celery's workers which queues they consume."""
    consumers, error = _ask_workers()
    queue = _queue()
    there = sorted(name for name, queues in consumers.items() if queue in queues)
    if error:
        cure = f"Correct CELERY_BROKER_URL, or start the broker. {OTHERWISE}"
        return Step("celery", "warning", f"the broker does not answer: {error}", cure)
    if not consumers:
        cure = f"Start one: celery -A <project> worker --beat. {OTHERWISE}"
        return Step("celery", "warning", "no worker answers", cure)
    if not there:
        consumed = join(sorted({f'"{name}"' for queues in consumers.values() for name in queues}))
        text = f'no worker consumes the queue "{queue}", where wake-ups go; they consume {consumed}'
        cure = f"Start one: celery -A <project> worker -Q {queue}; or correct NEUROON_QUEUE."
        return Step("celery", "warning", text, cure)
    return Step("celery", "ok", f'{", ".join(there)} answered, and consumes "{queue}"')


def _queue() -> str:
    """Return the queue that Celery sends wake-ups to, as its settings route them."""
    options = {"queue": conf.QUEUE} if conf.QUEUE else {}
    route = current_app.amqp.router.route(options, f"neuroon_django.tasks.{PRODUCTS}")
    return str(getattr(route.get("queue"), "name", route.get("queue") or ""))


def _probe_beat(shop: ShopState) -> Iterator[Step]:
    """Warn where no message of beat's was seen for a while: it sends one each minute."""
    if shop.beat_at is None or ago(shop.beat_at) > BEAT_SILENCE:
        seen = f"not seen for {span(ago(shop.beat_at))}" if shop.beat_at else "never seen"
        yield Step("celery", "warning", f"Celery beat was {seen}", CURES["no beat"].text)


def _ask_workers() -> tuple[Consumers, str]:
    """Return what the workers consume, or why none was asked; in a thread, since a broker may hang."""
    consumers: Consumers = {}
    errors = ["no answer in time"]

    def ask() -> None:
        try:
            with current_app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=WORKER_ANSWERS)
                inspect = current_app.control.inspect(timeout=1.0, connection=connection)
                for worker, queues in (inspect.active_queues() or {}).items():
                    consumers[worker] = [queue["name"] for queue in queues or ()]
                errors.clear()
        except Exception as error:  # any transport's own
            errors[:] = [messages.text_of(f"{type(error).__name__}: {error}")]

    thread = threading.Thread(target=ask, daemon=True, name="neuroon-ping")
    thread.start()
    thread.join(2 * WORKER_ANSWERS)
    return dict(consumers), "".join(errors)
