"""Pacing: the allowed rate is used, and never passed, however many workers share it (law 9)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import product_run
from neuroon_django.models.endpoint import RATE_HEADROOM
from neuroon_django.models.sql import from_now
from tests.factories import current_shop, end_blocks, make_product
from tests.threads import side_by_side

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT, WINDOW = 40, 4.0  # 600 per minute; 3 % of headroom are one late request in such a window


@pytest.mark.parametrize("sliding", [False, True], ids=["fixed window", "sliding window"])
def test_law_09_workers_that_share_a_limit_meet_no_429(neuroon, flush, settings, sliding):
    make_product("first")
    flush()
    settings.NEUROON_RATE_LIMIT = LIMIT * 60 / WINDOW
    settings.NEUROON_BATCH_SIZE = 1
    for n in range(2 * LIMIT):
        make_product(f"P-{n}")
    neuroon.clear()
    neuroon.rate_limit, neuroon.rate_window, neuroon.sliding = LIMIT, WINDOW, sliding
    end_blocks()

    def work() -> None:
        with Client(**conf.shop().client_options()) as client:
            product_run(current_shop(), client).run()

    side_by_side(*[work] * 3)
    assert {request.status for request in neuroon.sync_requests} == {200}
    assert len(neuroon.products) == 2 * LIMIT + 1


def test_law_09_the_slots_of_all_workers_are_95_percent_of_the_limit(neuroon):
    """Counted in slots and not in seconds: how busy the machine is must not matter."""
    row, slot = current_shop().endpoint("products").row, 60 / (RATE_HEADROOM * 100)

    def work() -> None:
        for _ in range(50):
            assert row.acquire_slot(slot, probe=60, near=1e6)

    row.update(next_slot_at=from_now(10))
    first = row.get().next_slot_at
    side_by_side(*[work] * 4)
    last = row.get().next_slot_at
    per_minute = 200 / (last - first).total_seconds() * 60
    assert 95 <= per_minute < 100


def test_law_09_slots_are_even_and_shared(neuroon, settings):
    settings.NEUROON_RATE_LIMIT = 60
    one, two = current_shop(), current_shop()
    waits = [shop.endpoint("products").acquire_slot() for shop in (one, two, one, two)]
    assert all(wait is not None for wait in waits)
    gaps = [later - earlier for earlier, later in pairwise(waits)]
    assert all(0.6 < gap < 1 / RATE_HEADROOM + 0.01 for gap in gaps)
    assert one.endpoint("deletes").acquire_slot() == pytest.approx(0, abs=1e-3)  # a pace of its own


def test_law_09_nobody_sleeps_for_long_in_a_task(neuroon, flush, settings):
    """A slot that is far off is not waited for: the run says so and ends."""
    settings.NEUROON_RATE_LIMIT = 2
    settings.NEUROON_BATCH_SIZE = 1
    make_product("A"), make_product("B")
    tally = flush(foreground=False)
    assert tally.stops == {"products": "Neuroon asked to wait for another 31 s"}
    assert len(neuroon.sync_requests) == 1
