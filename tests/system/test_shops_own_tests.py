"""In the tests of a shop nothing leaves, whichever runner runs them (law 14)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHOP = Path(__file__).parent / "shop_under_test"
EAGER = {"EAGER": "1", "BROKER": "redis://broker.mystore.com:6379/0"}
NO_BROKER = {"EAGER": "0", "BROKER": ""}
REAL_BROKER = {"EAGER": "0", "BROKER": "redis://broker.mystore.com:6379/0"}
SANDBOX = {"EAGER": "0", "BROKER": "memory://", "API_URL": "http://127.0.0.1:8123"}  # a developer's
MANAGE = ["manage.py", "test"]
PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist"]
RUNS = {
    "manage.py, real broker": (MANAGE, REAL_BROKER),
    "manage.py, eager": (MANAGE, EAGER),
    "manage.py in parallel, no broker": ([*MANAGE, "--parallel", "2"], NO_BROKER),
    "unittest, real broker": (["-m", "unittest", "store.tests"], REAL_BROKER),
    "pytest-django, a sandbox": ([*PYTEST, "store/tests.py", "store/with_pytest.py"], SANDBOX),
    "pytest alone, real broker": ([*PYTEST, "-p", "no:django", "store/tests.py"], REAL_BROKER),
}


@pytest.fixture
def shop(tmp_path) -> Path:
    """A copy of the shop, whose tests leave traces in nobody's folder."""
    return Path(shutil.copytree(SHOP, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__")))


def run(shop: Path, arguments: list[str], **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the shop's tests in a process that inherits nothing of this suite's but the package."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DJANGO_", "PYTEST_", "CELERY_"))}
    own = {
        "DJANGO_SETTINGS_MODULE": "mysite.settings",
        "PYTHONPATH": os.pathsep.join([str(shop), str(SHOP.parent.parent.parent)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATABASE": str(shop / "db.sqlite3"),
        "LEFT": str(shop / "left"),
    }
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        env=kept | own | changes,
        cwd=shop,
        capture_output=True,
        text=True,
        check=False,
    )


def left(shop: Path) -> str:
    """What the shop's tests did that they must not do."""
    file = shop / "left"
    return file.read_text() if file.exists() else ""


def without_the_runners_own(output: str) -> str:
    """What a run printed, but for what the runners say of any tests that pass."""
    own = (
        r"Found \d+ test\(s\)\.",
        r"(Creating|Destroying|Cloning) test database for alias 'default'\.\.\.",
        r"System check identified no issues \(0 silenced\)\.",
        r"\.+( +\[100%\])?",
        r"-+",
        r"Ran \d+ tests in [\d.]+s",
        r"\d+ passed in .+",
        "OK",
    )
    lines = [line for line in output.splitlines() if line]
    return "\n".join(line for line in lines if not any(re.fullmatch(o, line) for o in own))


@pytest.mark.parametrize("name", RUNS)
def test_law_14_nothing_leaves_a_shops_tests_and_nothing_is_printed(shop, name):
    runner, environment = RUNS[name]
    if "unittest" in name or "alone" in name:  # these make no database
        assert run(shop, ["manage.py", "migrate", "-v", "0"], **environment).returncode == 0
    done = run(shop, runner, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert left(shop) == ""
    assert without_the_runners_own(done.stdout + done.stderr) == ""


def test_the_same_page_asks_for_a_token_where_no_test_runs(shop):
    """The guard sees what it is there for."""
    assert run(shop, ["manage.py", "migrate", "-v", "0"], **REAL_BROKER).returncode == 0
    code = "from django.test import Client; Client(SERVER_NAME='localhost').get('/')"
    done = run(shop, ["manage.py", "shell", "-c", code], **REAL_BROKER)
    assert done.returncode == 0, done.stderr
    assert "api.neuroon.ai" in left(shop)
    assert "get neuroon:token:" in left(shop)
