"""Is somebody there who sends what is queued? Runs and beat leave their heartbeats in the shop's row.

Where none was seen, the workers are asked whose fault that is, if a person waits for the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from neuroon_django.conf import conf
from neuroon_django.models import ShopState
from neuroon_django.operations.cures import CURES
from neuroon_django.operations.phrases import phrase
from neuroon_django.operations.problems import Problem, problem
from neuroon_django.operations.wording import ago, span
from neuroon_django.operations.worker_probe import BEAT_SILENCE, probe_workers
from neuroon_django.recording.publishing import task_backend

WORKER_SILENCE = 300.0  # seconds without a run; beat asks for one each minute


def absent_workers(shop: ShopState, max_age: float, *, asks: bool) -> Iterator[Problem]:
    """Yield who was not seen for too long, in one problem; with `asks` the workers are asked.

    Where no worker is to be woken, runs come from cron, and may be `max_age` seconds apart.
    """
    expected = conf.TASKS == "celery" and conf.AUTO_SYNC and task_backend().has_workers
    if _is_silent(shop.run_at, WORKER_SILENCE if expected else max_age):
        run = _not_seen("run", shop.run_at)
        if not expected:
            text = phrase("{run}, and no worker is woken by a change", run=run)
            yield problem(text, "no cron")
        else:
            yield _ask_why(shop) if asks else problem(_not_seen("worker", shop.run_at), "no worker")
    elif expected and _is_silent(shop.beat_at, BEAT_SILENCE):
        yield problem(_not_seen("Celery beat", shop.beat_at), "no beat")


def _ask_why(shop: ShopState) -> Problem:
    """Return why no run was seen: the broker, the workers, the queue that they take from, or beat."""
    step = next(probe_workers(shop))
    if step.result == "ok":
        return problem(_not_seen("Celery beat", shop.beat_at), "no beat")
    text = phrase("{what}: {why}", what=_not_seen("run", shop.run_at), why=step.text)
    return Problem(text, step.cure, action=CURES["no worker"].action)


def _is_silent(moment: datetime | None, seconds: float) -> bool:
    return moment is None or ago(moment) > seconds


def _not_seen(who: str, moment: datetime | None) -> str:
    """Return "No worker was seen for 12 min", or that none was ever."""
    if moment is None:
        return phrase("No {who} was ever seen", who=phrase(who))
    return phrase("No {who} was seen for {span}", who=phrase(who), span=span(ago(moment)))
