"""Laws 2 to 9 under chaos, the short way; `python -m tests.system.chaos` is the long one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.db import connection

from neuroon_django.models import endpoint
from tests.shop.models import Order, Product
from tests.shop.neuroon import CheckoutFeed
from tests.system.chaos import kills, market
from tests.system.chaos.simulation import PAUSES, ROOT, SETTINGS, Chaos

pytestmark = pytest.mark.django_db(transaction=True)


def quicken(settings, monkeypatch) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    for name, value in PAUSES.items():
        monkeypatch.setattr(endpoint, name, value)
    kills.install(monkeypatch.setattr)


@pytest.mark.parametrize(("seed", "processes"), [(1, 0), (2, 0), (3, 1)])
def test_the_catalogue_ends_as_the_shop_has_it(neuroon, settings, monkeypatch, seed, processes):
    quicken(settings, monkeypatch)
    figures = Chaos({"default": neuroon}, seed, processes=processes, doom=0.01).run(500)
    assert figures.wrong == {}, figures
    assert figures.faulty >= 3, figures
    assert sum(figures.kills.values()) > 5


def test_a_long_run_leaves_the_database_of_another_one_alone(tmp_path):
    theirs = tmp_path / "theirs.sqlite3"
    theirs.write_text("of another run")
    environment = {**os.environ, "TEST_SQLITE": str(theirs), "DATABASE_URL": "sqlite:///unused.sqlite3"}
    options = "--operations", "100", "--processes", "0", "--seed", "1"
    command = [sys.executable, "-m", "tests.system.chaos", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert theirs.read_text() == "of another run"


def test_law_20_three_shops_in_different_trouble_end_equal(neuroon, settings, monkeypatch, use_feeds):
    if connection.vendor != "sqlite":
        return  # `python -m tests.system.chaos --shops 3` goes over the others
    quicken(settings, monkeypatch)
    shops = market.open_shops(neuroon, 3)
    for name, value in market.settings_of(shops).items():
        setattr(settings, name, value)
    use_feeds((Product, market.MarketFeed), (Order, CheckoutFeed))
    figures = Chaos(shops, 4, doom=0.01).run(300)
    assert figures.wrong == {}, figures
    assert figures.saves == figures.change_rows > 30
    assert min(len(shop.requests) for shop in shops.values()) >= 5
