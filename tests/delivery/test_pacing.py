"""Pacing: the allowed rate is used, and never passed, however many workers share it (law 9)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import ProductRun
from neuroon_django.models import ShopState
from neuroon_django.models.gates import PACE
from neuroon_django.querysets.clock import later
from tests.factories import make_product
from tests.threads import side_by_side

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT, WINDOW = 20, 2.0  # requests in that many seconds: 600 per minute


@pytest.mark.parametrize("sliding", [False, True], ids=["fixed window", "sliding window"])
@pytest.mark.parametrize("workers", [1, 3])
def test_law_09_workers_that_share_a_limit_meet_no_429(neuroon, flush, settings, sliding, workers):
    make_product("first")
    flush()
    settings.NEUROON_RATE_LIMIT = LIMIT * 60 / WINDOW
    settings.NEUROON_BATCH_SIZE = 1
    for n in range(2 * LIMIT):
        make_product(f"P-{n}")
    neuroon.clear()
    neuroon.rate_limit, neuroon.rate_window, neuroon.sliding = LIMIT, WINDOW, sliding
    ShopState.objects.update(products_gate=None)

    def work() -> None:
        with Client(**conf.client_options()) as client:
            ProductRun(ShopState.current(), client).run()

    side_by_side(*[work] * workers)
    assert {request.status for request in neuroon.sync_requests} == {200}
    assert len(neuroon.products) == 2 * LIMIT + 1


def test_law_09_the_slots_of_all_workers_are_95_percent_of_the_limit(neuroon):
    """Counted in slots and not in seconds: how busy the machine is must not matter."""
    pk, slot = ShopState.current().pk, 60 / (PACE * 100)

    def work() -> None:
        for _ in range(50):
            assert ShopState.objects.take_slot(pk, "products", slot, probe=60, near=1e6)

    ShopState.objects.filter(pk=pk).update(products_gate=later(10))
    first = ShopState.current().products_gate
    side_by_side(*[work] * 4)
    last = ShopState.current().products_gate
    per_minute = 200 / (last - first).total_seconds() * 60
    assert 95 <= per_minute < 100


def test_law_09_slots_are_even_and_shared(neuroon, settings):
    settings.NEUROON_RATE_LIMIT = 60
    one, two = ShopState.current(), ShopState.current()
    waits = [shop.take_slot("products") for shop in (one, two, one, two)]
    assert all(wait is not None for wait in waits)
    gaps = [later - earlier for earlier, later in pairwise(waits)]
    assert all(0.6 < gap < 1 / PACE + 0.01 for gap in gaps)
    assert one.take_slot("deletes") == pytest.approx(0, abs=1e-3)  # a pace of its own


def test_law_09_nobody_sleeps_for_long_in_a_task(neuroon, flush, settings):
    """A slot that is far off is not waited for: the run says so and ends."""
    settings.NEUROON_RATE_LIMIT = 2
    settings.NEUROON_BATCH_SIZE = 1
    make_product("A"), make_product("B")
    tally = flush(force=False)
    assert tally.stops == {"products": "Neuroon asked to wait for another 31 s"}
    assert len(neuroon.sync_requests) == 1
