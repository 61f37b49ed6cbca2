"""Whether somebody is woken by a change: a broker, a worker of its queue, and beat, dead and alive."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from django.db.models import F

from neuroon_django.models import ShopState
from neuroon_django.operations import worker_probe
from neuroon_django.operations.steps import Step
from neuroon_django.recording import publishing
from tests.factories import current_shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def probe(monkeypatch, settings):
    """Probe the workers of an app; beat was seen just now unless the test says otherwise."""
    current_shop()
    ShopState.objects.note_beat()

    def probe(app: Celery | None = None) -> list[Step]:
        if app is not None:
            monkeypatch.setattr(worker_probe, "current_app", app)
            monkeypatch.setattr(publishing, "current_app", app)
        return list(worker_probe.probe_workers(current_shop()))

    return probe


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:1/0", "amqp://guest:guest@127.0.0.1:1//"])
def test_a_dead_broker_is_a_warning(probe, broker):
    [step] = probe(Celery("dead", broker=broker, set_as_current=False))
    assert step.result == "warning"
    assert step.text.startswith("the broker does not answer: ")
    assert "Connection refused" in step.text or "111" in step.text
    assert step.cure.startswith("Correct CELERY_BROKER_URL, or start the broker.")


def test_a_broker_without_a_worker_is_a_warning(probe):
    [step] = probe(Celery("none", broker="memory://", set_as_current=False))
    assert (step.result, step.text) == ("warning", "no worker answers")
    assert step.cure.startswith("Start one: celery -A <project> worker --beat.")


def test_a_worker_of_the_queue_is_named_and_one_of_another_queue_is_not_enough(probe, settings):
    """A worker in a thread of this process, over Celery's own in-memory transport."""
    before = worker_probe.current_app._get_current_object()
    app = Celery("alive", broker="memory://", backend="cache+memory://", set_as_current=False)
    try:
        with start_worker(app, perform_ping_check=False, shutdown_timeout=30):
            for _ in range(10):  # it begins to listen a moment after it has started
                [step] = probe(app)
                if step.result == "ok":
                    break
            settings.NEUROON_QUEUE = "neuroon"
            [other] = probe(app)
    finally:  # a worker makes its app everybody's
        before.set_current()
        before.set_default()
    assert step.result == "ok"
    assert step.text.endswith(' answered, and consumes "celery"')
    assert (other.result, other.text) == (
        "warning",
        'no worker consumes the queue "neuroon", where wake-ups go; they consume "celery"',
    )
    assert other.cure.startswith("Start one: celery -A <project> worker -Q neuroon;")


def test_a_route_of_the_projects_own_says_which_queue_it_is(monkeypatch, settings):
    app = Celery("routed", broker="memory://", set_as_current=False)
    app.conf.task_routes = {"neuroon_django.tasks.*": {"queue": "search"}}
    monkeypatch.setattr(worker_probe, "current_app", app)
    assert worker_probe._queue() == "search"
    settings.NEUROON_QUEUE = "neuroon"
    assert worker_probe._queue() == "neuroon"


@pytest.mark.parametrize(("hours", "seen"), [(None, "never seen"), (3, "not seen for 3 h")])
def test_where_no_message_of_beats_was_seen_it_is_missing(probe, hours, seen):
    moment = F("beat_at") - timedelta(hours=hours) if hours else None
    ShopState.objects.update(beat_at=moment)
    _, beat = probe(Celery("none", broker="memory://", set_as_current=False))
    assert (beat.result, beat.text) == ("warning", f"Celery beat was {seen}")
    assert beat.cure.endswith("neuroon_django.schedules.beat_schedule()")


@pytest.mark.parametrize(
    ("tasks", "result", "text"),
    [
        (None, "ok", "NEUROON_TASKS is None: a change wakes nobody"),
        (
            "django",
            "warning",
            "the default backend of TASKS keeps no message: a change wakes no worker",
        ),
        ("celery", "warning", f"{worker_probe.NO_BROKER}: a change wakes no worker"),
    ],
)
def test_without_workers_it_says_what_runs_instead(probe, settings, tasks, result, text):
    settings.NEUROON_TASKS = tasks
    [step] = probe()
    assert (step.result, step.text) == (result, text)
    assert "manage.py neuroon_sync" in step.cure


def test_a_backend_of_djangos_tasks_is_told(probe, settings, monkeypatch):
    settings.NEUROON_TASKS = "django"
    monkeypatch.setattr(publishing.DjangoTasks, "runs_inline", False)
    [step] = probe()
    assert (step.result, step.text) == ("ok", "wake-ups go to the default backend of TASKS")
