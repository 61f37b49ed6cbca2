"""The long chaos: `python -m tests.system.chaos --operations 20000 --seed 7 [--database URL]`.

Prints the figures as JSON; exits 1 where anything was lost, invented or overlapped.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.system.chaos", description=__doc__)
    parser.add_argument("--operations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=int(time()))
    parser.add_argument("--database", metavar="URL", help="of this run alone; SQLite unless given")
    parser.add_argument("--shops", type=int, choices=(1, 2, 3), default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--doom", type=float, default=0.002, help="probability of death per step")
    options = parser.parse_args()
    if options.database:
        os.environ["DATABASE_URL"] = options.database
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    print(f"seed {options.seed}", file=sys.stderr)
    # Two runs on one file would deliver each other's rows, each to its own Neuroon.
    with TemporaryDirectory(prefix="chaos-") as folder:
        os.environ["TEST_SQLITE"] = str(Path(folder) / "chaos.sqlite3")
        return run(options)


def run(options: argparse.Namespace) -> int:
    import django
    from django.conf import settings
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    django.setup()
    logging.getLogger("neuroon_django").setLevel(logging.CRITICAL)
    setup_test_environment()
    databases = setup_databases(verbosity=0, interactive=False)

    from neuroon_django.models import endpoint
    from neuroon_django.testing import Sandbox
    from tests.system.chaos import kills, market
    from tests.system.chaos.simulation import PAUSES, SETTINGS, Chaos

    try:
        with Sandbox(shop_url="https://mystore.com", verified=True) as neuroon:
            shops, own = {"default": neuroon}, {**neuroon.settings(), **SETTINGS}
            if options.shops > 1:
                shops = market.open_shops(neuroon, options.shops)
                own |= market.settings_of(shops)
                market.use_market()
            for name, value in own.items():
                setattr(settings, name, value)
            for name, value in PAUSES.items():
                setattr(endpoint, name, value)
            kills.install(setattr)
            counts = {name: getattr(options, name) for name in ("threads", "processes", "doom")}
            figures = Chaos(shops, options.seed, **counts).run(options.operations)
    finally:
        teardown_databases(databases, verbosity=0)
    print(json.dumps(asdict(figures), indent=2))
    return 1 if figures.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
