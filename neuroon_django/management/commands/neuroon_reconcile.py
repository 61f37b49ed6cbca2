"""`neuroon_reconcile`: compare Neuroon's own list with the shop, and repair what differs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from neuroon_django.api import Client
from neuroon_django.api.text import text_of
from neuroon_django.conf import ShopConfig
from neuroon_django.delivery.differences import Comparison
from neuroon_django.delivery.reconcile import Reconciliation
from neuroon_django.exceptions import ApiError
from neuroon_django.management.base import FAILED, print_table
from neuroon_django.management.progress import Progress
from neuroon_django.management.sending import SendingCommand
from neuroon_django.models import ShopState
from neuroon_django.operations.wording import count

SHOWN = 20  # examples of each kind; all of them with -v 2


class Command(SendingCommand):
    """Prints what differs; with `--fix` it sends and deletes it."""

    examples = (
        ("", "compare, change nothing"),
        ("-v 2", "name every difference"),
        ("--fix", "send and delete what differs"),
    )
    exits = (
        "both sides agree, or were made to",
        "they differ, or something is left",
        "it could not run: Neuroon's list could not be read to its end",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.description = (
            "Compares Neuroon's own list with the shop: what only one side has, and where name, price "
            "or stock differ. Exits 1 when they differ and were not repaired."
        )
        parser.add_argument("--fix", action="store_true", help="Send and delete what differs.")
        parser.add_argument(
            "--force",
            action="store_true",
            help="With --fix: delete also where the shop looks empty, or more than half would go.",
        )

    def work(self, config: ShopConfig, **options: Any) -> None:
        """Compare, print, and with `--fix` repair."""
        self.require(config)
        shop = ShopState.objects.for_config(config)
        with self.client(shop, Client) as client:
            reconciliation = self.compare(shop, client)
            comparison = reconciliation.found
            self.print_comparison(comparison, shown=None if options["verbosity"] > 1 else SHOWN)
            if comparison.agrees:
                self.tell_conflicts(comparison)
                return
            if not options["fix"]:
                message = "Neuroon and the shop differ. Run: manage.py neuroon_reconcile --fix"
                raise CommandError(message, returncode=FAILED)
            guarded = comparison.to_delete and not options["force"]
            refusal = reconciliation.delete_refusal() if guarded else ""
            reconciliation.repair(delete=not refusal, forced=options["force"])
            self.send(shop, client)
        if undeletable := comparison.undeletable:
            names = text_of(", ".join(repr(name[:50]) for name in undeletable[:SHOWN]))
            message = f"Neuroon has ids that nothing can be deleted by: {names}. Ask its support."
            raise CommandError(message, returncode=FAILED)
        if refusal:
            message = f"Nothing was deleted: {refusal}. To delete all the same, add --force."
            raise CommandError(message, returncode=FAILED)
        self.tell_conflicts(comparison)

    def tell_conflicts(self, comparison: Comparison) -> None:
        """Fail where products are rejected since another one has their external id."""
        if comparison.id_conflicts:
            rejected = count(len(comparison.id_conflicts), "product")
            message = f"{rejected} cannot be sent: another product has the same external id."
            raise CommandError(message, returncode=FAILED)

    def compare(self, shop: ShopState, client: Client) -> Reconciliation:
        """Read Neuroon's list, with progress."""
        with Progress(0, self.stdout, self.stderr) as progress:

            def show(seen: int, total: int) -> None:
                progress.total = max(progress.total, total)
                progress.show(seen)

            reconciliation = Reconciliation(shop, client, show)
            try:
                reconciliation.compare()
            except ApiError as error:
                self.refuse(f"Nothing was compared, as Neuroon's list could not be read: {error}")
        return reconciliation

    def print_comparison(self, comparison: Comparison, shown: int | None) -> None:
        """Print the counts, and so many differences of each kind."""
        kinds = [
            ("Only at Neuroon", list(comparison.only_remote)),
            ("Gone from the shop", list(comparison.gone.values())),
            ("Without a feed", list(comparison.without_feed.values())),
            ("Missing at Neuroon", list(comparison.lost.values())),
            ("Different", list(comparison.different.values())),
        ]
        if comparison.id_conflicts:
            kinds.append(("Rejected", list(comparison.id_conflicts.values())))
        rows: list[tuple[Any, ...]] = [
            ("Listed by Neuroon", comparison.listed),
            ("Identical", comparison.same),
            ("Queued or rejected", comparison.under_way),
        ]
        print_table(self.stdout, [*rows, *((name, len(items)) for name, items in kinds)])
        for name, items in kinds:
            for item in items[:shown]:
                self.stdout.write(f"{name}: {text_of(item)}")
            if shown and len(items) > shown:
                self.stdout.write(f"… and {len(items) - shown:,} more (-v 2 shows all)")
