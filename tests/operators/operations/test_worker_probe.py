"""Whether somebody is woken by a change: a broker and a worker, dead and alive."""

from __future__ import annotations

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

from neuroon_django.operations import worker_probe


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:1/0", "amqp://guest:guest@127.0.0.1:1//"])
def test_a_dead_broker_is_a_warning(monkeypatch, broker):
    monkeypatch.setattr(
        worker_probe, "current_app", Celery("dead", broker=broker, set_as_current=False)
    )
    step = worker_probe.probe_workers()
    assert step.result == "warning"
    assert step.text.startswith("the broker does not answer: ")
    assert "Connection refused" in step.text or "111" in step.text
    assert step.cure.startswith("Correct CELERY_BROKER_URL, or start the broker.")


def test_a_broker_without_a_worker_is_a_warning(monkeypatch):
    monkeypatch.setattr(
        worker_probe, "current_app", Celery("none", broker="memory://", set_as_current=False)
    )
    step = worker_probe.probe_workers()
    assert (step.result, step.text) == ("warning", "no worker answers")
    assert step.cure.startswith("Start one: celery -A <project> worker --beat.")


@pytest.mark.django_db  # a worker that starts runs the checks, and one of JSON asks SQLite
def test_a_living_worker_is_named(monkeypatch):
    """A worker in a thread of this process, over Celery's own in-memory transport."""
    before = worker_probe.current_app._get_current_object()
    app = Celery("alive", broker="memory://", backend="cache+memory://", set_as_current=False)
    monkeypatch.setattr(worker_probe, "current_app", app)
    try:
        with start_worker(app, perform_ping_check=False, shutdown_timeout=30):
            for _ in range(10):  # it begins to listen a moment after it has started
                step = worker_probe.probe_workers()
                if step.result == "ok":
                    break
    finally:  # a worker makes its app everybody's
        before.set_current()
        before.set_default()
    assert step.result == "ok"
    assert step.text.endswith(" answered")
