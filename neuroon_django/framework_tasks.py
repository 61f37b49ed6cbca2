"""The tasks for Django's Tasks framework (`NEUROON_TASKS = "django"`): Celery's, by the same names.

The shop's processes import this module to enqueue them, so what a worker needs is imported when one
runs. Such queues let nothing expire, so each message says when it is too old to be worth a run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.utils.module_loading import import_string

from neuroon_django.conf import conf
from neuroon_django.recording.publishing import TASKS_FRAMEWORK

task = import_string(f"{TASKS_FRAMEWORK}.task")
ours: Callable[[Callable[..., None]], Any] = task(queue_name=conf.QUEUE or "default")


@ours
def flush_products(expires: float = 0.0, **options: str) -> None:
    """Send every product that is due."""
    _run("flush_products", expires, options)


@ours
def scan_catalogue(expires: float = 0.0) -> None:
    """Compare the whole catalogue, then send what differs."""
    _run("scan_catalogue", expires, {})


@ours
def flush_conversions(expires: float = 0.0, **options: str) -> None:
    """Report every paid order that a search led to."""
    _run("flush_conversions", expires, options)


@ours
def refresh_widget_token(expires: float = 0.0, **options: str) -> None:
    """Replace the widget token before it grows old."""
    _run("refresh_widget_token", expires, options)


@ours
def verify_shop(expires: float = 0.0, **options: str) -> None:
    """Verify the shops for which that was asked."""
    _run("verify_shop", expires, options)


def _run(name: str, expires: float, options: dict[str, Any]) -> None:
    """Run the Celery task of that name here, unless the message is too old; 0 never is."""
    if not expires or time.time() < expires:
        import_string(f"neuroon_django.tasks.{name}")(**options)
