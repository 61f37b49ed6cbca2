"""`python -m tests.system.explorer`: explore more than the tests do, or see what a rule is for.

Exit 0 where every invariant holds, 1 where one is broken, 2 where there are too many states.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.system.explorer import mutants
from tests.system.explorer.endpoint import RunBounds
from tests.system.explorer.explore import Result, TooManyStates, explore
from tests.system.explorer.protocol import Delivery
from tests.system.explorer.runs import Runs
from tests.system.explorer.scenarios import SCENARIOS
from tests.system.explorer.world import KINDS, NAMES, Bounds

SWITCHES = ("silent", "scans", "requeues", "refusals", "retries", "slow_folds")


def main(arguments: Sequence[str] | None = None) -> int:
    """Explore what the command line asks for, or the tests' scenarios; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    results = []
    try:
        if options.without:
            results.append(_tell(f"without {options.without}", mutants.explore_mutant(options.without)))
        elif options.changes:
            results.append(_explore(options))
        else:
            for name, scenario in SCENARIOS.items():
                results.append(_tell(name, explore(scenario, limit=options.limit)))
    except TooManyStates as error:
        print(error)
        return 2
    return int(any(result.broken for result in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.system.explorer",
        description="Explore the protocol of delivery. Without --changes: the tests' scenarios.",
    )
    parser.add_argument("--changes", type=int, help="changes of the shop; 3 take seconds, 4 a minute")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ids", type=int, default=1, choices=range(1, len(NAMES) + 1))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of changes")
    for switch in SWITCHES:
        parser.add_argument(f"--{switch.replace('_', '-')}", action="store_true")
    parser.add_argument("--runs", action="store_true", help="the run lease in place of the rows")
    parser.add_argument("--calm", action="store_true", help="runs without faults and without beat")
    parser.add_argument("--limit", type=int, default=5_000_000, help="states, about 1 KB each")
    parser.add_argument("--without", choices=mutants.NAMES, metavar="RULE", help="break this rule")
    return parser


def _explore(options: argparse.Namespace) -> Result:
    if options.runs:
        runs = RunBounds(options.changes, options.workers, faults=not options.calm)
        return _tell(str(runs), explore(Runs(runs), limit=options.limit))
    switches = {name: getattr(options, name) for name in SWITCHES}
    kinds = tuple(options.kinds)
    bounds = Bounds(options.changes, options.workers, options.ids, kinds, **switches)
    return _tell(str(bounds), explore(Delivery(bounds), limit=options.limit))


def _tell(name: str, result: Result) -> Result:
    print(f"{name}: {result}", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
