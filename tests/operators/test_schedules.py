"""What beat runs: each task of this app, and no message that outlives the next one (law 9)."""

from __future__ import annotations

import pytest
from celery import current_app

from neuroon_django import tasks
from neuroon_django.schedules import beat_schedule

ENTRIES = beat_schedule()
DAY = 86_400.0


@pytest.mark.parametrize("name", ENTRIES)
def test_law_09_a_message_expires_before_the_next_one_is_sent(name):
    schedule, expires = ENTRIES[name]["schedule"], ENTRIES[name]["options"]["expires"]
    interval = schedule if isinstance(schedule, float) else DAY
    assert 0 < expires <= interval


def test_law_09_flushes_expire_a_little_before_the_next_and_a_scan_within_the_hour():
    assert {name: entry["options"]["expires"] for name, entry in ENTRIES.items()} == {
        "neuroon-flush-products": 55.0,
        "neuroon-flush-conversions": 55.0,
        "neuroon-refresh-widget-token": 600.0,
        "neuroon-scan-catalogue": 3600.0,
    }


def test_every_task_is_in_the_schedule():
    ours = {name for name in current_app.tasks if name.startswith(tasks.__name__)}
    asked_for = {f"{tasks.__name__}.verify_shop"}  # by a person, in the admin
    assert {entry["task"] for entry in ENTRIES.values()} == ours - asked_for


def test_a_queue_is_that_of_every_entry():
    assert all("queue" not in entry["options"] for entry in ENTRIES.values())
    assert {entry["options"]["queue"] for entry in beat_schedule(queue="shop").values()} == {"shop"}
