"""The verification's question to Celery: is a worker there that a change can wake?"""

from __future__ import annotations

import threading

from celery import current_app

from neuroon_django.api import messages
from neuroon_django.operations.steps import Step

WORKER_ANSWERS = 3  # seconds
OTHERWISE = "Until then, run manage.py neuroon_sync from cron."


def probe_workers(here: str = "") -> Step:
    """Ask the workers to answer; without any the shop still works, so nothing here fails.

    `here` is the name of the worker that this runs in: a message has reached it.
    """
    if here:
        return Step("celery", "ok", f"{here} does this")
    config = current_app.conf
    if config.task_always_eager or not (config.broker_url or config.broker_write_url):
        text = "no Celery broker is configured, or tasks are eager: a change wakes no worker"
        return Step("celery", "warning", text, OTHERWISE)
    workers, error = _ping()
    if error:
        cure = f"Correct CELERY_BROKER_URL, or start the broker. {OTHERWISE}"
        return Step("celery", "warning", f"the broker does not answer: {error}", cure)
    if not workers:
        cure = f"Start one: celery -A <project> worker --beat. {OTHERWISE}"
        return Step("celery", "warning", "no worker answers", cure)
    return Step("celery", "ok", f"{', '.join(workers)} answered")


def _ping() -> tuple[list[str], str]:
    """Return the workers that answered, or why none was asked; in a thread, since a broker may hang."""
    workers: list[str] = []
    errors = ["no answer in time"]

    def ask() -> None:
        try:
            with current_app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=WORKER_ANSWERS)
                inspect = current_app.control.inspect(timeout=1.0, connection=connection)
                workers.extend(inspect.ping() or ())
                errors.clear()
        except Exception as error:  # any transport's own
            errors[:] = [messages.text_of(f"{type(error).__name__}: {error}")]

    thread = threading.Thread(target=ask, daemon=True, name="neuroon-ping")
    thread.start()
    thread.join(2 * WORKER_ANSWERS)
    return sorted(workers), "".join(errors)
