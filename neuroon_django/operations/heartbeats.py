"""Is somebody there who sends what is queued? Runs and beat leave their heartbeats in the shop's row.

Where none was seen, the workers are asked whose fault that is, if a person waits for the answer.
"""

from __future__ import annotations

from datetime import datetime

from celery import current_app

from neuroon_django.conf import conf
from neuroon_django.models import ShopState
from neuroon_django.operations.problems import Problem, problem
from neuroon_django.operations.wording import ago, span
from neuroon_django.operations.worker_probe import probe_workers
from neuroon_django.recording.publishing import task_backend

WORKER_SILENCE = 300.0  # seconds without a run; beat asks for one each minute
BEAT_SILENCE = 900.0  # seconds without a message of beat's; it sends one each minute
DEFAULT_QUEUE = "celery"


def absence_of_workers(shop: ShopState, max_age: float, *, asks: bool) -> Problem | None:
    """Return who was not seen for too long, None where all were; with `asks` the workers are asked.

    Where no worker is to be woken, runs come from cron, and may be `max_age` seconds apart.
    """
    expected = conf.TASKS == "celery" and conf.AUTO_SYNC and task_backend().has_workers
    if _is_silent(shop.run_at, WORKER_SILENCE if expected else max_age):
        if not expected:
            return problem(
                f"{_not_seen('run', shop.run_at)}, and no worker is woken by a change", "no cron"
            )
        return _ask_why(shop) if asks else problem(_not_seen("worker", shop.run_at), "no worker")
    if expected and _is_silent(shop.beat_at, BEAT_SILENCE):
        return problem(_not_seen("Celery beat", shop.beat_at), "no beat")
    return None


def _ask_why(shop: ShopState) -> Problem:
    """Return why no run was seen: the broker, the workers, the queue that they take from, or beat."""
    text, step = _not_seen("run", shop.run_at), probe_workers()
    if step.result != "ok":
        cause = "no broker" if "broker" in step.text else "no worker"
        return problem(f"{text}: {step.text}", cause)
    queue = conf.QUEUE or current_app.conf.task_default_queue or DEFAULT_QUEUE
    if not _has_consumer(queue):
        return problem(f"{text}: no worker takes messages from the queue {queue!r}", "no consumer")
    return problem(_not_seen("Celery beat", shop.beat_at), "no beat")


def _has_consumer(queue: str) -> bool:
    """Return whether a worker that answers takes messages from this queue."""
    try:
        queues = current_app.control.inspect(timeout=1.0).active_queues() or {}
    except Exception:  # any transport's own
        return True
    return any(one.get("name") == queue for own in queues.values() for one in own)


def _is_silent(moment: datetime | None, seconds: float) -> bool:
    return moment is None or ago(moment) > seconds


def _not_seen(who: str, moment: datetime | None) -> str:
    """Return "No worker was seen for 12 min", or that none was ever."""
    return f"No {who} was seen for {span(ago(moment))}" if moment else f"No {who} was ever seen"
