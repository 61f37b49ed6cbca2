"""What the tests explore: each scenario is small enough for a few seconds, together they meet every
rule. `python -m tests.system.explorer` explores more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.system.explorer.endpoint import RunBounds
from tests.system.explorer.explore import Model
from tests.system.explorer.protocol import Delivery
from tests.system.explorer.runs import Runs
from tests.system.explorer.world import Bounds

MOVES = ("delete", "create", "rename")

SCENARIOS: Mapping[str, Model[Any]] = {
    "two workers, two changes": Delivery(Bounds(changes=2, slow_folds=True)),
    "two external ids": Delivery(Bounds(changes=1, ids=2)),
    "ids that come back": Delivery(
        Bounds(changes=3, workers=1, ids=2, kinds=MOVES, new=False, slow_folds=True)
    ),
    "changes without a signal": Delivery(Bounds(changes=1, silent=True, requeues=True)),
    "old content without a signal": Delivery(
        Bounds(changes=2, kinds=("edit", "put back"), new=False, silent=True)
    ),
    "scans side by side": Delivery(Bounds(changes=1, new=False, scans=True)),
    "refusals and retries": Delivery(Bounds(changes=1, refusals=True, retries=True)),
    "runs, with faults": Runs(RunBounds(changes=2)),
    "runs, by wake-ups alone": Runs(RunBounds(changes=3, workers=3, faults=False)),
}
