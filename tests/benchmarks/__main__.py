"""`python -m tests.benchmarks`: every budget, measured; exits 1 where one is missed.

Without `--guest`, `--scale`, `--shops` or `--peers` it measures speed, as ratios within one run.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.report import Report


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--products", type=int, default=5_000)
    parser.add_argument("--scale", type=int, help="only a flush, at 10,000 products and at so many")
    parser.add_argument("--guest", action="store_true", help="only the shop's workers, see guest.py")
    parser.add_argument("--shops", action="store_true", help="only ten shops beside one")
    parser.add_argument("--peers", action="store_true", help="beside what a shop could take instead")
    parser.add_argument("--most", type=int, default=100_000, help="products of the memory of --peers")
    parser.add_argument("--environment", metavar="DIR", help="of the peers; made where there is none")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="draw the figures of --peers there")
    parser.add_argument("--seconds", type=int, default=60, help="for each scenario of --guest")
    parser.add_argument("--database", metavar="URL", help="SQLite in a temporary folder unless given")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    return parser.parse_args()


def main() -> int:
    """Run what the command line asks for; return the exit status."""
    options = arguments()
    report = Report(as_json=options.json)
    # As for Ctrl-C, all that was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="neuroon-benchmarks-") as folder:
        set_up(folder, options.database)
        try:
            measure(report, options, folder)
        except KeyboardInterrupt:
            return 130
    return report.finish()


def set_up(folder: str, database: str | None) -> None:
    """Set Django up with the tests' settings and this database."""
    if database:
        os.environ["DATABASE_URL"] = database
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/bench.sqlite3")
    os.environ.setdefault("TEST_SQLITE", f"{folder}/guest.sqlite3")
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()


def measure(report: Report, options: argparse.Namespace, folder: str) -> None:
    """Import what is measured, which needs Django, and measure it."""
    from django.core.management import call_command

    if options.guest:
        from tests.benchmarks import guest

        guest.run(report, options.seconds)
        return
    if options.peers:
        from tests.benchmarks.peers import picture, race

        sizes = options.products, options.most
        race.run(report, sizes, folder, os.environ["DATABASE_URL"], options.environment)
        if options.svg:
            vendor = (options.database or "sqlite").partition(":")[0]
            title = f"{options.products:,} products on {vendor}; {race.machine()}"
            options.svg.write_text(picture.draw(title, report.figures))
        return
    from tests.benchmarks import scale, shops, speed

    call_command("migrate", verbosity=0, run_syncdb=True)
    if options.scale:
        scale.run(report, options.scale)
    elif options.shops:
        shops.run(report)
    else:
        speed.run(report, options.products)


if __name__ == "__main__":
    sys.exit(main())
