"""What Celery beat runs, and how often."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab


def beat_schedule(queue: str | None = None) -> dict[str, dict[str, Any]]:
    """Entries for `CELERY_BEAT_SCHEDULE`; with a queue, all of them go there."""
    options = {"options": {"queue": queue}} if queue else {}
    times = {
        "flush_products": 60.0,
        "flush_conversions": 60.0,
        "refresh_widget_token": 600.0,
        "scan_catalogue": crontab(hour="3", minute="17"),
    }
    return {
        f"neuroon-{name.replace('_', '-')}": {
            "task": f"neuroon_django.tasks.{name}",
            "schedule": schedule,
            **options,
        }
        for name, schedule in times.items()
    }
