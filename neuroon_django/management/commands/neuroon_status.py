"""`neuroon_status`: how things stand; ends with 1 when something needs a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import translation

from neuroon_django.conf import ShopConfig
from neuroon_django.management.base import FAILED, NeuroonCommand, print_table
from neuroon_django.models import Conversion, ShopState, SyncedProduct, TokenMethod
from neuroon_django.operations.health import MAX_AGE, Health, health_of, pause_problems
from neuroon_django.operations.status import Status
from neuroon_django.operations.wording import duration

Row = tuple[str, object]


class Command(NeuroonCommand):
    """Prints the facts, and as its error what is wrong with them."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.description = (
            "Tells how things stand, and exits 1 when something needs a person: a health check."
        )
        parser.add_argument("--json", action="store_true", help="Print JSON.")
        parser.add_argument(
            "--max-age",
            type=float,
            default=MAX_AGE,
            metavar="SECONDS",
            help=f"How long a change may wait (default: {MAX_AGE:.0f}).",
        )
        parser.add_argument(
            "--max-rejected",
            type=int,
            default=0,
            metavar="N",
            help="How many products and orders may be rejected (default: 0).",
        )

    def work(self, config: ShopConfig, **options: Any) -> None:
        """Print, and fail with the problems."""
        health = health_of(
            ShopState.objects.for_config(config),
            max_age=options["max_age"],
            max_rejected=options["max_rejected"],
            ask_quota=True,
        )
        if options["json"]:
            self.print_json(config, health.as_json())
        else:
            self.print_health(health)
        if health.problems:
            raise CommandError("\n".join(map(str, health.problems)), returncode=FAILED)

    def print_health(self, health: Health) -> None:
        """Print a table of facts, then pauses, waits and errors."""
        status = health.status
        self.stdout.write(f"Shop {status.shop.shop_id} at {status.shop.api_url}")
        rows = [*_counts(status), *_facts(status)]
        if "maxProducts" in health.quota:
            rows.append(("Products allowed", health.quota["maxProducts"]))
        print_table(self.stdout, rows)
        for line in [*pause_problems(status.pauses), *status.waits]:
            self.stdout.write(str(line))
        for error, n in status.errors:
            self.stdout.write(f"{n:,} × {error}")


def _counts(status: Status) -> list[Row]:
    """Return how many products and orders have each status."""
    with translation.override("en"):
        products = [(str(SyncedProduct.Status(s).label), n) for s, n in status.products.items()]
        orders = [(str(Conversion.Status(s).label), n) for s, n in status.conversions.items()]
    return [
        *((f"Products, {label}", n) for label, n in products),
        *((f"Orders, {label}", n) for label, n in orders),
    ]


def _facts(status: Status) -> list[Row]:
    shop, age = status.shop, status.token_age
    return [
        ("Unprocessed changes", status.changes),
        ("Queued", status.queued),
        ("Queue age", duration(status.queue_age) if status.oldest else "—"),
        ("Last success", _moment(shop.last_success_at)),
        ("Last scan", _moment(shop.scanned_at)),
        ("Verified domain", shop.verified_domain or "—"),
        ("Route", str(shop.known_way or shop.known_route or "—")),
        ("Widget token", f"{duration(age)} old, {_token_method(shop)}" if age is not None else "—"),
    ]


def _token_method(shop: ShopState) -> str:
    return "signed here" if shop.token_method == TokenMethod.SIGN else "issued by Neuroon"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}".strip() if moment else "—"
