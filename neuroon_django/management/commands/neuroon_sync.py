"""`neuroon_sync`: send what is queued, in the foreground."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import CommandParser

from neuroon_django.conf import ShopConfig
from neuroon_django.delivery import Scan
from neuroon_django.management.sending import SendingCommand
from neuroon_django.models import ShopState
from neuroon_django.operations.syncing import forget_sent, plan, remove_everything, retry_rejected


class Command(SendingCommand):
    """Sends, or with `--dry-run` prints what it would send."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.description = (
            "Sends everything that is queued, now: backoffs and pauses do not hold it back, a "
            "Retry-After from Neuroon does. Exits 1 when something was rejected or is still queued."
        )
        parser.add_argument("--scan", action="store_true", help="Compare the whole catalogue.")
        parser.add_argument("--full", action="store_true", help="Send everything again.")
        parser.add_argument("--retry", action="store_true", help="Try again what was rejected.")
        either = parser.add_mutually_exclusive_group()
        either.add_argument(
            "--dry-run", action="store_true", help="Print what would be sent, and send nothing."
        )
        either.add_argument(
            "--remove-all", action="store_true", help="Remove every product from Neuroon; asks first."
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="With --scan: take out what is gone even where most of the catalogue seems to be.",
        )
        self.add_no_input(parser)

    def work(self, config: ShopConfig, **options: Any) -> None:
        """Send, remove everything, or print what would be sent."""
        self.require(config, feeds=not options["remove_all"])
        shop = ShopState.objects.for_config(config)
        if options["dry_run"]:
            self.print_plan(shop, options)
        elif options["remove_all"]:
            self.remove_all(shop, interactive=options["interactive"])
        else:
            self.sync(shop, options)

    def sync(self, shop: ShopState, options: dict[str, Any]) -> None:
        """Queue what the options ask for, then send."""
        if options["retry"]:
            retry_rejected(shop)
        if options["full"]:
            forget_sent(shop)
        with self.client(shop) as client:
            asked = {"asked": options["scan"], "forced": options["force"], "foreground": True}
            self.send(shop, client, Scan.due(shop, **asked))

    def print_plan(self, shop: ShopState, options: dict[str, Any]) -> None:
        """Print each product and order that a run would send, delete or reject, and how many."""
        counts: Counter[str] = Counter()
        chosen = {name: options[name] for name in ("scan", "full", "retry")}
        for verb, name, text in plan(shop, **chosen):
            counts[verb] += 1
            self.stdout.write(f"{verb} {name} {text}".rstrip())
        planned = f"{counts['send']:,} to send, {counts['delete']:,} to delete"
        self.stdout.write(f"Nothing was sent: {planned}, {counts['reject']:,} to reject.")

    def remove_all(self, shop: ShopState, *, interactive: bool) -> None:
        """Ask, then delete every product at Neuroon."""
        question = f"Remove every product of shop {shop.shop_id} from Neuroon at {shop.api_url}?"
        self.confirm(question, interactive=interactive)
        with self.client(shop) as client:
            remove_everything(shop, client)
            self.stdout.write(
                "The next scan and every save send products again. "
                "To keep Neuroon empty, set NEUROON_ENABLED = False"
            )
            self.send(shop, client)
