"""How the message that wakes a worker is published: by Celery, by Django's Tasks, or not at all.

`NEUROON_TASKS` says which. Messages name the tasks: the shop's processes never import the code of the
workers. They expire, since where no worker runs they would pile up.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

import django
from celery import current_app
from django.db import connections
from django.utils import timezone
from django.utils.module_loading import import_string

from neuroon_django.conf import conf

EXPIRES = 60.0  # seconds after which beat has sent a message anyway

# Django's own since 6.0; before, the package `django-tasks`.
TASKS_FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
FRAMEWORK_TASKS = "neuroon_django.framework_tasks"


class TaskBackend(Protocol):
    """What carries messages to workers.

    `runs_inline` says that tasks run in the thread that publishes them, `has_workers` that messages
    are kept for workers.
    """

    @property
    def runs_inline(self) -> bool: ...
    @property
    def has_workers(self) -> bool: ...

    def publish(self, names: Iterable[str]) -> None:
        """Publish a message for each of these tasks, from a thread of its own."""

    def send(self, name: str, *, countdown: float = 0.0, kwargs: dict[str, Any] | None = None) -> None:
        """Publish one message, to be heard after so many seconds; raise what the carrier raises."""


class CeleryTasks:
    """Celery, whose messages go to `NEUROON_QUEUE`."""

    @property
    def runs_inline(self) -> bool:
        """Whether tasks run in the thread that publishes them."""
        return bool(current_app.conf.task_always_eager)

    @property
    def has_workers(self) -> bool:
        """Whether there is a broker that takes messages for workers."""
        config = current_app.conf
        return bool(config.broker_url or config.broker_write_url) and not self.runs_inline

    def publish(self, names: Iterable[str]) -> None:
        """Publish a message for each task; a pool's connection would be shared with forks."""
        with current_app.connection_for_write() as connection:
            for name in names:
                self.send(name, connection=connection)

    def send(self, name: str, *, countdown: float = 0.0, **options: Any) -> None:
        """Publish one message; raise what the broker raises."""
        current_app.send_task(
            f"neuroon_django.tasks.{name}",
            queue=conf.QUEUE,
            retry=False,
            ignore_result=True,
            countdown=countdown or None,
            expires=countdown + EXPIRES,
            **options,
        )


class DjangoTasks:
    """Django's Tasks framework, whose default backend says where messages wait."""

    @property
    def runs_inline(self) -> bool:
        """Whether tasks run in the thread that enqueues them, or never: two backends are for tests."""
        backend = import_string(f"{TASKS_FRAMEWORK}.task_backends")["default"]
        return type(backend).__name__ in ("ImmediateBackend", "DummyBackend")

    @property
    def has_workers(self) -> bool:
        """Whether the backend keeps messages for workers."""
        return not self.runs_inline

    def publish(self, names: Iterable[str]) -> None:
        """Enqueue each task; a connection to the database is the thread's own, and is closed."""
        try:
            for name in names:
                self.send(name)
        finally:
            connections.close_all()

    def send(self, name: str, *, countdown: float = 0.0, kwargs: dict[str, Any] | None = None) -> None:
        """Enqueue one task, deferred where the backend can.

        Where it cannot, a task that should wait is not enqueued: it would find nothing to do yet, and
        the next change, cron's run or `neuroon_sync --watch` goes on in its stead.
        """
        task = import_string(f"{FRAMEWORK_TASKS}.{name}")
        if countdown and not task.get_backend().supports_defer:
            return
        if countdown:
            task = task.using(run_after=timezone.now() + timedelta(seconds=countdown))
        task.enqueue(**(kwargs or {}), expires=time.time() + countdown + EXPIRES)


class NoTasks:
    """Nobody: what is due waits for cron's `neuroon_sync`, or for `neuroon_sync --watch`.

    A task that is called all the same does all of its work itself.
    """

    runs_inline, has_workers = True, False

    def publish(self, names: Iterable[str]) -> None:
        """Do nothing."""

    def send(self, name: str, *, countdown: float = 0.0, kwargs: dict[str, Any] | None = None) -> None:
        """Do nothing."""


BACKENDS: dict[str | None, TaskBackend] = {
    "celery": CeleryTasks(),
    "django": DjangoTasks(),
    None: NoTasks(),
}


_replacements: list[TaskBackend] = []


def task_backend() -> TaskBackend:
    """Return what `NEUROON_TASKS` names, or what has taken its place in this process."""
    return _replacements[-1] if _replacements else BACKENDS[conf.TASKS]


@contextmanager
def replaced_by(backend: TaskBackend) -> Iterator[None]:
    """Let another backend have every message of this process."""
    _replacements.append(backend)
    try:
        yield
    finally:
        _replacements.pop()


def send_task(name: str, *, countdown: float = 0.0, kwargs: dict[str, Any] | None = None) -> None:
    """Publish a message for one of this app's tasks, to be heard after so many seconds."""
    task_backend().send(name, countdown=countdown, kwargs=kwargs)
