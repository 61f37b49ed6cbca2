"""Fixtures of the tests of the system checks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from neuroon_django.checks import project
from neuroon_django.schedules import beat_schedule


@pytest.fixture
def celery_config(monkeypatch) -> SimpleNamespace:
    """Celery's configuration, as the checks read it."""
    config = SimpleNamespace(
        broker_url="memory://",
        broker_write_url=None,
        task_always_eager=False,
        beat_schedule=beat_schedule(),
        beat_scheduler="celery.beat:PersistentScheduler",
    )
    monkeypatch.setattr(project, "current_app", SimpleNamespace(conf=config))
    return config


@pytest.fixture
def quiet_project(settings, celery_config) -> None:
    """A project that no check complains of."""
    settings.NEUROON_API_URL = "https://api.neuroon.ai"
