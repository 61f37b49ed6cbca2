"""`neuroon_sync`: send what is queued, in the foreground."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from django.core.management.base import CommandError, CommandParser

from neuroon_django import widget
from neuroon_django.api import Client
from neuroon_django.conf import ShopConfig, conf
from neuroon_django.delivery import Scan, preview_rows
from neuroon_django.exceptions import ConfigurationError
from neuroon_django.management.base import FAILED
from neuroon_django.management.sending import SendingCommand
from neuroon_django.management.watching import Watch
from neuroon_django.models import ProductStatus, ShopState, SyncedProduct
from neuroon_django.operations.former_shops import former_shop
from neuroon_django.operations.one_product import Exchange, RecordingClient, find_rows, send
from neuroon_django.operations.steps import SILENT
from neuroon_django.operations.syncing import forget_sent, plan, remove_everything, retry_rejected

QUEUING = ("scan", "full", "retry")  # options that queue something before it is sent


class Command(SendingCommand):
    """Sends, or with `--dry-run` prints what it would send; with `--watch` it goes on and on."""

    examples = (
        ("", "send what is queued (cron: every minute)"),
        ("--scan", "compare the whole catalogue, then send what differs"),
        ("--dry-run --limit 20", "print the first 20 payloads, send nothing"),
        ("--product SKU-1", "send one product, and print what Neuroon answers"),
        ("--watch", "be the worker of a shop without Celery"),
        ("--remove-all --shop ID", "take a former shop's products out, with its NEUROON_API_KEY"),
    )
    exits = (
        "everything was sent",
        "something is rejected, now or earlier, or is still queued",
        "it could not run",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.description = (
            "Sends everything that is queued, now: backoffs and pauses do not hold it back, a "
            "Retry-After from Neuroon does."
        )
        parser.add_argument("--scan", action="store_true", help="Compare the whole catalogue.")
        parser.add_argument("--full", action="store_true", help="Send everything again.")
        parser.add_argument("--retry", action="store_true", help="Try again what was rejected.")
        parser.add_argument(
            "--product",
            action="append",
            default=[],
            metavar="ID",
            help="Send this product and no other, by its external id or primary key; repeatable.",
        )
        parser.add_argument(
            "--limit", type=int, metavar="N", help="With --dry-run: print the first N only."
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="With --scan: take out what is gone even where most of the catalogue seems to be.",
        )
        self.add_modes(parser)
        self.add_no_input(parser)

    def add_modes(self, parser: CommandParser) -> None:
        """Add the options that exclude each other."""
        either = parser.add_mutually_exclusive_group()
        either.add_argument(
            "--dry-run", action="store_true", help="Print what would be sent, and send nothing."
        )
        either.add_argument(
            "--remove-all", action="store_true", help="Remove every product from Neuroon; asks first."
        )
        either.add_argument(
            "--watch",
            action="store_true",
            help="Send changes as they come, scan when due, and refresh the token, until a signal.",
        )

    def shops(self, alias: str, options: dict[str, Any]) -> list[ShopConfig]:
        """Return the shops to work for; `--remove-all` takes the id of a former shop, too."""
        if options["remove_all"] and alias and alias not in conf.shops():
            try:
                return [former_shop(alias).config]
            except ConfigurationError as error:
                self.refuse(f"No shop is called so: {', '.join(conf.shops())}. {error}")
        return super().shops(alias, options)

    def work_for_each(
        self, shops: Sequence[ShopConfig], options: dict[str, Any]
    ) -> dict[str, CommandError]:
        """Work for these shops one after the other; a watch has all of them in its care at once."""
        if options["limit"] is not None and not options["dry_run"]:
            self.refuse("--limit is for --dry-run.")
        if options["product"] and any(options[name] for name in (*QUEUING, "remove_all", "watch")):
            self.refuse("--product goes alone, or with --dry-run.")
        if not options["watch"]:
            return super().work_for_each(shops, options)
        if any(options[name] for name in QUEUING):
            self.refuse("--watch scans and sends by itself: run --scan, --full or --retry before it.")
        self.watch(shops)
        return {}

    def watch(self, shops: Sequence[ShopConfig]) -> None:
        """Be a worker until a signal asks for the end."""
        for config in shops:
            self.require(config)
            if config.is_silent:
                self.refuse(SILENT)
        names = ", ".join(f"{one.SHOP_ID} at {one.API_URL}" for one in shops)
        Watch(shops).run(lambda: self.say(f"Watching {names}. Ctrl-C or SIGTERM ends it."))
        self.stdout.write("Ended. What is queued is sent by the next run.")

    def say(self, line: str) -> None:
        """Print a line at once, for whoever reads a pipe."""
        self.stdout.write(line)
        self.stdout.flush()

    def work(self, config: ShopConfig, **options: Any) -> None:
        """Send, remove everything, or print what would be sent."""
        self.require(config, feeds=not options["remove_all"])
        shop = ShopState.objects.for_config(config)
        if options["product"]:
            self.sync_products(shop, options["product"], dry_run=options["dry_run"])
        elif options["dry_run"]:
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
        self.refresh_token(shop)
        with self.client(shop, Client) as client:
            asked = {"asked": options["scan"], "forced": options["force"], "foreground": True}
            self.send(shop, client, Scan.due(shop, **asked))

    def refresh_token(self, shop: ShopState) -> None:
        """Replace the widget token if it is due, as beat does: cron may be all that runs."""
        if shop.verified_at:
            widget.refresh_token(shop)

    def print_plan(self, shop: ShopState, options: dict[str, Any]) -> None:
        """Print each product and order that a run would send, delete or reject, and how many."""
        counts: Counter[str] = Counter()
        chosen = {name: options[name] for name in (*QUEUING, "force")}
        for verb, name, text in islice(plan(shop, **chosen), options["limit"]):
            counts[verb] += 1
            self.stdout.write(f"{verb} {name} {text}".rstrip())
        planned = f"{counts['send']:,} to send, {counts['delete']:,} to delete"
        first = f" Only the first {counts.total():,} are shown." if options["limit"] else ""
        self.stdout.write(f"Nothing was sent: {planned}, {counts['reject']:,} to reject.{first}")

    # One product

    def sync_products(self, shop: ShopState, names: list[str], *, dry_run: bool) -> None:
        """Send these products and no others, and print what was sent and answered."""
        failed = [name for name in names if not self.sync_product(shop, name, dry_run=dry_run)]
        if failed:
            raise CommandError(f"Not synced: {', '.join(failed)}.", returncode=FAILED)

    def sync_product(self, shop: ShopState, name: str, *, dry_run: bool) -> bool:
        """Print what is sent of one product and what Neuroon answers; return whether all is well."""
        rows = find_rows(shop, name)
        if not rows:
            self.stdout.write(f"{name}: the shop has no product of this external id or primary key.")
            return False
        if dry_run:
            for verb, external_id, text in preview_rows(shop, rows):
                self.stdout.write(f"{verb} {external_id} {text}".rstrip())
            return True
        with self.client(shop, RecordingClient) as client:
            send(shop, client, rows)
        for exchange in client.exchanges:
            self.print_exchange(exchange)
        results = [self.print_result(pk=row.pk, name=row.external_id) for row in rows]
        return all(results)

    def print_exchange(self, exchange: Exchange) -> None:
        """Print a request with its body, and the answer."""
        self.stdout.write(self.style.MIGRATE_HEADING(f"{exchange.method} {exchange.path}"))
        if exchange.body is not None:
            body = json.loads(exchange.body)
            self.stdout.write(json.dumps(body, indent=2, ensure_ascii=False))
        self.stdout.write(f"← {exchange.status or 'no answer'} {exchange.answer}".rstrip())

    def print_result(self, pk: int, name: str) -> bool:
        """Print what came of a row; return whether the product is at Neuroon as the shop has it."""
        row = SyncedProduct.objects.filter(pk=pk).first()
        status = row.get_status_display() if row else "deleted at Neuroon"
        reason = f": {row.last_error}" if row and row.last_error else ""
        self.stdout.write(f"{name} is {status}{reason}")
        return row is None or row.status in (ProductStatus.SYNCED, ProductStatus.UNLISTED)

    def remove_all(self, shop: ShopState, *, interactive: bool) -> None:
        """Ask, then delete every product at Neuroon."""
        question = f"Remove every product of shop {shop.shop_id} from Neuroon at {shop.api_url}?"
        self.confirm(question, interactive=interactive)
        with self.client(shop, Client) as client:
            remove_everything(shop, client)
            if shop.config.is_configured:
                self.stdout.write(
                    "The next scan and every save send products again. "
                    "To keep Neuroon empty, set NEUROON_ENABLED = False"
                )
            self.send(shop, client)
        if not shop.config.is_configured:
            self.stdout.write(f"Next: manage.py neuroon_status --forget {shop.shop_id}")
