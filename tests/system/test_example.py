"""The example shop as a stranger uses it: its commands, in processes of their own."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MANAGE = ROOT / "example_project" / "manage.py"
SAMPLE = ROOT / "example_project" / "data" / "catalogue.jsonl"


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DJANGO_", "DATABASE_", "CACHE_"))}
    return kept | {"EXAMPLE_STATE_DIR": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(MANAGE), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )


def test_the_sample_is_loaded_plain_or_gzipped_as_often_as_one_likes(environment, tmp_path):
    assert manage(environment, "migrate", "-v", "0").returncode == 0
    zipped = tmp_path / "sample.gz"
    zipped.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    told = [manage(environment, "load_catalogue", str(f)).stdout for f in (SAMPLE, zipped)]
    assert re.match(r"catalogue.jsonl: 360 products loaded \(360 new\), 0 lines skipped; ", told[0])
    assert re.match(r"sample.gz: 360 products loaded \(0 new\), 0 lines skipped; ", told[1])


def test_bad_lines_are_told_and_skipped_and_a_missing_file_is_said(environment, tmp_path):
    manage(environment, "migrate", "-v", "0")
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{}\nnot json\n")
    done = manage(environment, "load_catalogue", str(bad))
    assert done.returncode == 1
    assert "line 1:" in done.stderr and "line 2:" in done.stderr
    assert manage(environment, "load_catalogue", "nowhere.jsonl").returncode == 2


def test_the_project_and_its_migrations_are_in_order(environment):
    assert manage(environment, "check").returncode == 0
    assert manage(environment, "makemigrations", "--check", "--dry-run").returncode == 0


def processes_of(tmp_path: Path) -> list[str]:
    """Processes whose environment names this test's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(tmp_path).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("order", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(environment, tmp_path, order):
    log = tmp_path / "demo.log"
    with log.open("w") as out:
        demo = subprocess.Popen(
            [sys.executable, str(MANAGE), "demo"], env=environment, stdout=out, stderr=out
        )
    for _ in range(600):
        if "Ready after" in log.read_text() or demo.poll() is not None:
            break
        time.sleep(0.1)
    assert "Ready after" in log.read_text(), log.read_text()
    assert len(processes_of(tmp_path)) >= 3
    demo.send_signal(order)
    assert demo.wait(60) == 130
    assert processes_of(tmp_path) == []


def test_the_demo_of_two_shops_compares_each_with_neuroon(environment):
    done = manage(environment, "demo", "--shops", "es,uk")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 save wrote 1 change row, at both shops" in done.stdout
    shown = re.findall(r"(es|uk): BAK-0147 is '([^']+)' for ([\d.]+ \w+)", done.stdout)
    stone = {"es": "Piedra de hornear, 38 × 30 cm", "uk": "Baking Stone 38 × 30 cm"}
    prices = [("es", "44.00 EUR"), ("uk", "37.40 GBP"), ("es", "45.00 EUR"), ("uk", "38.25 GBP")]
    assert shown == [(alias, stone[alias], price) for alias, price in prices]
    reported = re.findall(r"Neuroon has it at (\w+): .*'currency': '(\w+)'", done.stdout)
    assert reported == [("es", "EUR"), ("uk", "GBP")]


@pytest.mark.parametrize("shops", ["es", "es,fr", "es,es"])
def test_the_demo_knows_its_shops(environment, shops):
    done = manage(environment, "demo", "--shops", shops)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--shops takes some of es,uk, two at least" in done.stderr
