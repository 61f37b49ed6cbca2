"""Beat leaves a heartbeat in the shop's row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from neuroon_django import tasks
from neuroon_django.models import ShopState
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
