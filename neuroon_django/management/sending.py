"""Running the machine from a command: with progress, a summary, and the exit code that fits."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import RunStatistics, Scan, fold_all, order_run, product_run
from neuroon_django.feeds import registry
from neuroon_django.management.base import FAILED, NeuroonCommand, print_table
from neuroon_django.management.progress import Progress
from neuroon_django.models import Change, Conversion, ShopState, SyncedProduct
from neuroon_django.operations.status import remedy

SHOWN = 5  # reasons printed


class SendingCommand(NeuroonCommand):
    """A command that sends what is due, and ends with 1 when something stayed behind."""

    sending = False

    def interrupted(self) -> str:
        """What was begun, such as `--full`, would begin anew."""
        if not self.sending:
            return super().interrupted()
        return _("Interrupted. Nothing is lost: run neuroon_sync again, without options, to go on.")

    def send(self, shop: ShopState, client: Client, scan: Scan | None = None) -> None:
        self.sending = True
        fold_all(shop)
        total = SyncedProduct.objects.of(shop).waiting().count()
        if scan is not None:
            total = sum(s.live_queryset().count() for s in registry.products(shop.config))
        progress = Progress(total, self.stdout, self.stderr)

        def show(statistics: RunStatistics) -> None:
            sent = statistics.synced + statistics.rejected + statistics.unchanged + statistics.deleted
            progress.show(max(sent, statistics.scanned))

        run = product_run(shop, client, scan=scan, foreground=True, on_progress=show)
        orders = order_run(shop, client, foreground=True)
        try:
            with progress:
                run.run()
                if scan is not None:
                    Conversion.objects.reassess(shop)
                orders.run()
        finally:
            self.summarize(run.statistics, orders.statistics)
        self.finish(shop, run.statistics, orders.statistics)

    def summarize(self, statistics: RunStatistics, orders: RunStatistics) -> None:
        told = _("Neuroon: %(created)s created, %(updated)s updated, %(failed)s failed") % {
            "created": f"{statistics.created:,}",
            "updated": f"{statistics.updated:,}",
            "failed": f"{statistics.failed:,}",
        }
        rows: list[tuple[Any, ...]] = [
            (_("Products sent"), statistics.synced, told),
            (_("unchanged"), statistics.unchanged),
            (_("rejected"), statistics.rejected),
            (_("deleted"), statistics.deleted),
            (_("Requests"), statistics.requests),
            (_("Conversions sent"), orders.reported),
            (_("rejected"), len(orders.rejected_orders)),
        ]
        print_table(self.stdout, rows)

    def finish(self, shop: ShopState, statistics: RunStatistics, run: RunStatistics) -> None:
        """Say what stayed behind and why, and fail where anything did."""
        told = list(
            dict.fromkeys(
                filter(None, [statistics.stopped, run.stopped, *statistics.errors, *run.errors])
            )
        )
        told.extend(dict.fromkeys(filter(None, map(remedy, told))))
        products = SyncedProduct.objects.of(shop).waiting()
        orders = Conversion.objects.of(shop).waiting()
        left = products.count() + orders.count() + Change.objects.count()
        if left:
            told.append(_("%(n)s are still to be sent; run neuroon_sync again.") % {"n": f"{left:,}"})
        held = products.exclude(lease="").order_by("-due_at").values_list("due_at", flat=True).first()
        if held:
            until = timezone.localtime(held) if timezone.is_aware(held) else held
            told.append(_("Another worker has some of them, at most until %s.") % f"{until:%H:%M:%S}")
        if statistics.rejected:
            told.extend(self._reasons(shop))
        told.extend(self._refusals(run))
        if told:
            raise CommandError("\n".join(told), returncode=FAILED)

    def _reasons(self, shop: ShopState) -> list[str]:
        rejected = SyncedProduct.objects.of(shop).filter(status="rejected").order_by("-pk")
        rows = rejected.values_list("external_id", "object_pk", "last_error")
        told = [f"{name or pk}: {error}" for name, pk, error in rows[:SHOWN]]
        more = rejected.count() - len(told)
        return [*told, _("… and %s more rejected") % more] if more else told

    def _refusals(self, run: RunStatistics) -> list[str]:
        latest = run.rejected_orders[: -SHOWN - 1 : -1]
        told = [_("Order %s") % f"{name}: {why}" for name, why in latest]
        more = len(run.rejected_orders) - len(told)
        return [*told, _("… and %s more orders rejected") % more] if more else told

    def client(self) -> Client:
        return Client(**conf.client_options())
