"""Laws 2 to 9 under chaos, the short way; `python -m tests.system.chaos` is the long one."""

from __future__ import annotations

import pytest

from neuroon_django.models import endpoint
from tests.system.chaos import kills
from tests.system.chaos.simulation import PAUSES, SETTINGS, Chaos

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("seed", "processes"), [(1, 0), (2, 0), (3, 1)])
def test_the_catalogue_ends_as_the_shop_has_it(neuroon, settings, monkeypatch, seed, processes):
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    for name, value in PAUSES.items():
        monkeypatch.setattr(endpoint, name, value)
    kills.install(monkeypatch.setattr)
    figures = Chaos(neuroon, seed, processes=processes, doom=0.01).run(500)
    assert figures.wrong == {}, figures
    assert figures.faulty >= 3, figures
    assert sum(figures.kills.values()) > 5
