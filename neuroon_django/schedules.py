"""The schedule for Celery beat: what it runs, how often, and when a message is too old to run."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

# What tells a worker that a message is beat's, and not a change's: it proves that beat runs.
FROM_BEAT: dict[str, dict[str, Any]] = {"flush_products": {"beat": True}}

# By task: the schedule, in seconds or as a crontab, and the seconds after which a message expires, so
# that none pile up where no worker runs.
SCHEDULES: dict[str, tuple[Any, float]] = {
    "flush_products": (60.0, 55.0),
    "flush_conversions": (60.0, 55.0),
    "refresh_widget_token": (600.0, 600.0),
    "scan_catalogue": (crontab(hour="3", minute="17"), 3600.0),
}


def beat_schedule(queue: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the entries for `CELERY_BEAT_SCHEDULE`; with a queue, all of them are sent there."""
    options = {"queue": queue} if queue else {}
    return {
        f"neuroon-{name.replace('_', '-')}": {
            "task": f"neuroon_django.tasks.{name}",
            "schedule": schedule,
            "kwargs": FROM_BEAT.get(name, {}),
            "options": {"expires": expires, **options},
        }
        for name, (schedule, expires) in SCHEDULES.items()
    }
