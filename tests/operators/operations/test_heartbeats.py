"""Runs and beat leave heartbeats; whoever is missing is found by asking."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery import current_app
from django.utils import timezone

from neuroon_django import tasks
from neuroon_django.models import ShopState
from neuroon_django.operations import heartbeats
from neuroon_django.schedules import beat_schedule
from tests.factories import current_shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("name", ["flush_products", "refresh_widget_token"])
def test_what_beat_sends_proves_that_it_is_there(neuroon, name):
    current_shop()
    entry = next(one for one in beat_schedule().values() if one["task"].endswith(name))
    getattr(tasks, name)(**entry["kwargs"])
    assert ShopState.objects.get().beat_at is not None


def test_a_change_is_no_proof_of_beat(neuroon):
    tasks.flush_products()
    assert ShopState.objects.get().beat_at is None


def test_a_heartbeat_is_written_once_a_minute(neuroon):
    current_shop()
    ShopState.objects.note_beat()
    moment = timezone.now() - timedelta(seconds=30)
    for age, is_kept in ((30, True), (70, False)):
        moment = timezone.now() - timedelta(seconds=age)
        ShopState.objects.update(beat_at=moment)
        ShopState.objects.note_beat()
        assert (ShopState.objects.get().beat_at == moment) is is_kept


class Inspect:
    """What two workers answer when they are asked for their queues."""

    def __init__(self, queues: object) -> None:
        self.queues = queues

    def active_queues(self) -> object:
        if isinstance(self.queues, Exception):
            raise self.queues
        return self.queues


@pytest.mark.parametrize(
    ("queues", "expected"),
    [
        ({"one": [{"name": "celery"}], "two": [{"name": "neuroon"}]}, True),
        ({"one": [{"name": "celery"}]}, False),
        (None, False),
        (OSError("gone"), True),  # what cannot be asked is nobody's fault
    ],
)
def test_a_queue_has_a_consumer(monkeypatch, queues, expected):
    monkeypatch.setattr(current_app.control, "inspect", lambda **options: Inspect(queues))
    assert heartbeats._has_consumer("neuroon") is expected
