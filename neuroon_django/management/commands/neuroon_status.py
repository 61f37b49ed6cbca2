"""`neuroon_status`: how things stand; ends with 1 when something needs a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError
from django.utils import translation

from neuroon_django.conf import ShopConfig
from neuroon_django.exceptions import ConfigurationError
from neuroon_django.management.base import COULD_NOT_RUN, FAILED, NeuroonCommand, print_table
from neuroon_django.models import Conversion, ShopState, SyncedProduct, TokenMethod
from neuroon_django.operations.former_shops import forget, former_shop
from neuroon_django.operations.health import MAX_AGE, Health, health_of
from neuroon_django.operations.metrics import prometheus
from neuroon_django.operations.status import Status, status_of
from neuroon_django.operations.verdict import Verdict, unreadable
from neuroon_django.operations.wording import count, is_or_are, span

Row = tuple[str, object]

STYLES = {"green": "SUCCESS", "amber": "WARNING", "red": "ERROR"}


class Command(NeuroonCommand):
    """Prints the verdict and the facts, and as its error what is wrong with them."""

    keys_documents = True

    examples = (
        ("", "how things stand"),
        ("--json", "for a program"),
        ("--prometheus", "for the textfile collector of node_exporter"),
        ("--max-age 7200", "a change may wait for two hours"),
    )
    exits = ("nothing needs a person", "something does", "the tables cannot be read")

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.description = (
            "Tells how things stand, and exits 1 when something needs a person: a health check. "
            "Exits 2 when the tables cannot be read."
        )
        parser.add_argument("--json", action="store_true", help="Print JSON, by the shops' aliases.")
        parser.add_argument(
            "--prometheus",
            action="store_true",
            help="Print metrics in Prometheus' text format; Neuroon is not asked, and the exit is 0.",
        )
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
        parser.add_argument(
            "--forget",
            default="",
            metavar="SHOP_ID",
            help="Delete all rows of a shop that the settings name no more; nothing is sent.",
        )
        self.add_no_input(parser)

    def work_for_each(
        self, shops: Sequence[ShopConfig], options: dict[str, Any]
    ) -> dict[str, CommandError]:
        """Work for these shops; the metrics of all of them are one document."""
        if options["forget"]:
            self.forget(options["forget"], interactive=options["interactive"])
            return {}
        self.statuses: dict[str, Status] = {}
        failures = super().work_for_each(shops, options)
        if self.statuses:
            self.stdout.write(prometheus(self.statuses), ending="")
        return failures

    def forget(self, shop_id: str, *, interactive: bool) -> None:
        """Delete the rows of a shop that is in no setting."""
        try:
            shop = former_shop(shop_id)
        except ConfigurationError as error:
            self.refuse(str(error))
        self.confirm(f"Delete all that is known of {shop_id}?", interactive=interactive)
        left = forget(shop)
        self.stdout.write(f"All rows of {shop_id} are deleted.")
        if left:
            self.stdout.write(f"{count(left, 'product')} {is_or_are(left)} left at Neuroon.")

    def work(self, config: ShopConfig, **options: Any) -> None:
        """Print, and fail with the problems."""
        try:
            shop = ShopState.objects.for_config(config)
            if options["prometheus"]:
                self.statuses[config.alias] = status_of(shop)
                return
            limits = {name: options[name] for name in ("max_age", "max_rejected")}
            health = health_of(shop, asks=True, **limits)
        except DatabaseError as error:
            self.tell_unreadable(config, unreadable(error), options)
        if options["json"]:
            self.print_json(config, health.as_json())
        else:
            self.print_health(health)
        if health.problems:
            raise CommandError("\n".join(map(str, health.problems)), returncode=FAILED)

    def tell_unreadable(self, config: ShopConfig, verdict: Verdict, options: dict[str, Any]) -> None:
        """End with the verdict on tables that cannot be read."""
        if options["json"]:
            self.print_json(config, {"verdict": verdict.as_json()})
        raise CommandError("\n".join(map(str, verdict.problems)), returncode=COULD_NOT_RUN)

    def print_health(self, health: Health) -> None:
        """Print the verdict, a table of facts, then waits and errors."""
        status, verdict = health.status, health.verdict
        self.stdout.write(
            getattr(self.style, STYLES[verdict.level])(f"{verdict.level}: {verdict.text}")
        )
        self.stdout.write(f"Shop {status.shop.shop_id} at {status.shop.api_url}")
        rows = [*_counts(status), *_facts(status)]
        if "maxProducts" in health.quota:
            rows.append(("Products allowed", health.quota["maxProducts"]))
        print_table(self.stdout, rows)
        for line in status.waits:
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
    half, most = (span(seconds) if seconds else "—" for seconds in status.index_times)
    token = f"{span(age.total_seconds())} old, {_token_method(shop)}" if age is not None else "—"
    return [
        ("Unprocessed changes", status.changes),
        ("Queued", status.queued),
        ("Queue age", span(status.queue_age.total_seconds()) if status.oldest else "—"),
        ("Time to index", f"{half} for half, {most} for 95 %" if status.shop.index_times else "—"),
        ("Last success", _moment(shop.last_success_at)),
        ("Last run", _moment(shop.run_at)),
        ("Last beat", _moment(shop.beat_at)),
        ("Last scan", _moment(shop.scan_ended_at)),
        ("Verified domain", shop.verified_domain or "—"),
        ("Route", str(shop.known_way or shop.known_route or "—")),
        ("Widget token", token),
    ]


def _token_method(shop: ShopState) -> str:
    return "signed here" if shop.token_method == TokenMethod.SIGN else "issued by Neuroon"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}".strip() if moment else "—"
