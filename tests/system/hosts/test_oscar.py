"""A shop of django-oscar's, in an environment of its own: the circle by signals alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from tests import services

HOST = Path(__file__).parent / "oscar"
ROOT = HOST.parent.parent.parent.parent
DATABASE = os.environ.get("DATABASE_URL", "")
HOSTS = ["django-oscar[sorl-thumbnail]>=4,<5", "django-environ", "psycopg[binary]"]


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The interpreter of an environment with oscar and what this app depends on."""
    folder = tmp_path_factory.mktemp("oscar") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    install = [python, "-m", "pip", "install", "--quiet", *HOSTS, *project["dependencies"]]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    services.need(done.returncode == 0, f"django-oscar to install ({done.stderr[-500:]})")
    return python


@pytest.mark.skipif(not DATABASE.startswith("postgres"), reason="oscar's shop lives on PostgreSQL")
def test_the_circle_in_a_shop_of_oscars(python, tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"{DATABASE}_oscar",
        "DJANGO_SETTINGS_MODULE": "settings",
        "PYTHONPATH": os.pathsep.join([str(HOST), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "STATE_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [python, "-W", "ignore", str(HOST / "circle.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["All is well."], done.stdout + done.stderr


def test_without_oscar_only_its_own_module_is_missing():
    code = "import neuroon_django.contrib, neuroon_django\nimport neuroon_django.contrib.oscar"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'oscar'"
