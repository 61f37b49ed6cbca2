"""`neuroon_reconcile`: compare Neuroon's own list with the shop, and mend what differs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery.reconcile import Comparison, Reconciliation
from neuroon_django.management.base import FAILED, print_table
from neuroon_django.management.progress import Progress
from neuroon_django.management.sending import SendingCommand
from neuroon_django.models import ShopState

SHOWN = 20  # examples of each kind; all of them with -v 2


class Command(SendingCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.description = _(
            "Compares Neuroon's own list with the shop: what only one side has, and where name, price "
            "or stock differ. Exits 1 when they differ and were not mended."
        )
        parser.add_argument("--fix", action="store_true", help=_("Send and delete what differs."))
        parser.add_argument(
            "--force",
            action="store_true",
            help=_("With --fix: delete also where the shop looks empty, or more than half would go."),
        )

    def work(self, **options: Any) -> None:
        self.require_settings()
        self.require_feeds()
        shop = ShopState.objects.for_config(conf.shop())
        with self.client() as client:
            neuroon = self.compare(shop, client)
            self.print(neuroon.found, shown=None if options["verbosity"] > 1 else SHOWN)
            if neuroon.found.agrees:
                return
            if not options["fix"]:
                told = _("They differ; neuroon_reconcile --fix mends it.")
                raise CommandError(told, returncode=FAILED)
            objection = (
                "" if options["force"] else neuroon.found.only_remote and neuroon.delete_refusal()
            )
            neuroon.repair(delete=not objection)
            self.send(shop, client)
        if objection:
            told = _("Nothing was deleted: %s. --force deletes all the same.") % objection
            raise CommandError(told, returncode=FAILED)

    def compare(self, shop: ShopState, client: Client) -> Reconciliation:
        with Progress(0, self.stdout, self.stderr) as progress:

            def show(seen: int, total: int) -> None:
                progress.total = max(progress.total, total)
                progress.show(seen)

            neuroon = Reconciliation(shop, client, show)
            neuroon.compare()
        return neuroon

    def print(self, found: Comparison, shown: int | None) -> None:
        kinds = [
            (_("Only at Neuroon"), list(found.only_remote)),
            (_("Lost by Neuroon"), list(found.lost.values())),
            (_("Different"), list(found.different.values())),
        ]
        rows: list[tuple[Any, ...]] = [
            (_("Listed by Neuroon"), found.listed),
            (_("The same"), found.same),
            (_("On the way or kept back"), found.under_way),
        ]
        print_table(self.stdout, [*rows, *((name, len(items)) for name, items in kinds)])
        for name, items in kinds:
            for item in items[:shown]:
                self.stdout.write(f"{name}: {item}")
            if shown and len(items) > shown:
                self.stdout.write(_("… and %s more (-v 2 shows all)") % (len(items) - shown))
