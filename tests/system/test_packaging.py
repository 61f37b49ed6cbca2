"""What a shop installs: the wheel and the sdist hold the package, all of it, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "neuroon_django"
BUILT = {".py", ".html", ".js", ".po", ".mo", ".typed", ".css"}


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """Built from a copy: setuptools leaves its scaffolding beside the sources."""
    source, folder = tmp_path_factory.mktemp("source") / "copy", tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info"))
    done = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def package_files() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_whole_package_and_nothing_else(dist):
    [wheel] = dist.glob("*.whl")
    names = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    assert names == package_files()
    assert "neuroon_django/py.typed" in names


def test_the_sdist_can_be_built_from_and_carries_no_example_nor_tests(dist):
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {n.partition("/")[2] for n in archive.getnames()}
    assert package_files() | {"README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml"} <= names
    assert not [n for n in names if n.startswith(("example_project", ".state"))]


def test_no_file_kind_was_forgotten():
    kinds = {Path(name).suffix or Path(name).name for name in package_files()}
    assert kinds <= BUILT


def test_the_top_level_is_as_promised():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    top = {name.partition("/")[0] for name in tracked.stdout.split()}
    assert {name for name in top if not name.startswith(".")} <= {
        "CHANGELOG.md",
        "LICENSE",
        "MANIFEST.in",
        "README.md",
        "docs",
        "example_project",
        "neuroon_django",
        "pyproject.toml",
        "tests",
    }
