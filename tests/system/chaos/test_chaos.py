"""Laws 2 to 9 under chaos, the short way; `python -m tests.system.chaos` is the long one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from neuroon_django.models import endpoint
from tests.system.chaos import kills
from tests.system.chaos.simulation import PAUSES, ROOT, SETTINGS, Chaos

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


def test_a_long_run_leaves_the_database_of_another_one_alone(tmp_path):
    theirs = tmp_path / "theirs.sqlite3"
    theirs.write_text("of another run")
    environment = {**os.environ, "TEST_SQLITE": str(theirs), "DATABASE_URL": "sqlite:///unused.sqlite3"}
    options = "--operations", "100", "--processes", "0", "--seed", "1"
    command = [sys.executable, "-m", "tests.system.chaos", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert theirs.read_text() == "of another run"
