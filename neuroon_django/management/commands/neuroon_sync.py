"""`neuroon_sync`: send what is pending, in the foreground."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from neuroon_django.conf import conf
from neuroon_django.delivery import Reconciliation, Scan, fold_all, preview_orders, preview_products
from neuroon_django.management.sending import SendingCommand
from neuroon_django.models import Conversion, ShopState, SyncedProduct


class Command(SendingCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.description = _(
            "Sends what is pending to Neuroon, now: no backoff and no pause holds it back, only a "
            "Retry-After does. Exits 1 when something stayed behind."
        )
        parser.add_argument("--scan", action="store_true", help=_("Compare the whole catalogue."))
        parser.add_argument("--full", action="store_true", help=_("Send everything again."))
        parser.add_argument("--retry", action="store_true", help=_("Try what was rejected again."))
        either = parser.add_mutually_exclusive_group()
        either.add_argument(
            "--dry-run", action="store_true", help=_("Print what would be sent, and send nothing.")
        )
        either.add_argument("--remove-all", action="store_true", help=_("Empty Neuroon; asks first."))
        self.add_no_input(parser)

    def work(self, **options: Any) -> None:
        self.require_settings()
        if not options["remove_all"]:
            self.require_feeds()
        shop = ShopState.objects.for_config(conf.shop())
        if options["dry_run"]:
            self.rehearse(shop, options)
        elif options["remove_all"]:
            self.remove_all(shop, interactive=options["interactive"])
        else:
            self.sync(shop, options)

    def sync(self, shop: ShopState, options: dict[str, Any]) -> None:
        if options["retry"]:
            SyncedProduct.objects.retry_rejected(shop)
            Conversion.objects.retry_rejected(shop)
        if options["full"]:
            SyncedProduct.objects.forget_digests(shop)
            ShopState.objects.set(shop.pk, scan_cursor="", scanned_at=None)
        with self.client() as client:
            self.send(shop, client, Scan.due(shop, asked=options["scan"]))

    def rehearse(self, shop: ShopState, options: dict[str, Any]) -> None:
        scan = options["scan"] or shop.scanned_at is None or bool(shop.scan_cursor)
        words = {"send": _("send"), "delete": _("delete"), "keep": _("keep back")}
        done: Counter[str] = Counter()
        full, retry = options["full"], options["retry"]
        for move in preview_products(shop, scan=scan, full=full, retry=retry):
            done[move.verb] += 1
            self.stdout.write(f"{words[move.verb]} {move.id} {move.text}".rstrip())
        for verb, order_id, told in preview_orders(shop, scan=scan or full, retry=retry):
            done[verb] += 1
            self.stdout.write(f"{words[verb]} {_('Order %s') % order_id}: {told}")
        summary = _("Nothing was sent. To send: %(send)s, to delete: %(delete)s, kept back: %(keep)s.")
        self.stdout.write(summary % {verb: f"{done[verb]:,}" for verb in words})

    def remove_all(self, shop: ShopState, *, interactive: bool) -> None:
        question = _("Remove every product of shop %(shop)s from Neuroon at %(address)s?")
        names = {"shop": shop.shop_id, "address": shop.api_url}
        self.confirm(question % names, interactive=interactive)
        fold_all(shop)
        SyncedProduct.objects.of(shop).enqueue_delete()
        with self.client() as client:
            neuroon = Reconciliation(shop, client)
            for listed in list(neuroon.listed()):
                neuroon.create_tombstones(listed)
            self.stdout.write(
                _("The next scan and every save send products again: to stay empty, set ")
                + "NEUROON_ENABLED = False"
            )
            self.send(shop, client)
