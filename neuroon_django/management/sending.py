"""The commands that send: with progress, a summary, and the exit code that fits."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import Scan
from neuroon_django.management.base import FAILED, NeuroonCommand, print_table
from neuroon_django.management.progress import Progress
from neuroon_django.models import ShopState
from neuroon_django.operations.syncing import Sync


class SendingCommand(NeuroonCommand):
    """A command that sends what is queued, and ends with 1 when something is left."""

    sending = False

    def interrupted(self) -> str:
        """Return the answer to Ctrl-C; what was begun, such as `--full`, would begin anew."""
        if not self.sending:
            return super().interrupted()
        return "Interrupted. Nothing is lost: run neuroon_sync again, without options, to go on."

    def send(self, shop: ShopState, client: Client, scan: Scan | None = None) -> None:
        """Send, print what was sent even where it was interrupted, and fail with what is left."""
        self.sending = True
        sync = Sync(shop, client, scan)
        progress = Progress(sync.expected(), self.stdout, self.stderr)
        try:
            with progress:
                sync.run(progress.show)
        finally:
            self.summarize(sync)
        if lines := sync.remainder().lines:
            raise CommandError("\n".join(lines), returncode=FAILED)

    def summarize(self, sync: Sync) -> None:
        """Print the run's counts."""
        tally, orders = sync.products.tally, sync.orders
        counts = f"{tally.created:,} created, {tally.updated:,} updated, {tally.failed:,} failed"
        rows: list[tuple[Any, ...]] = [
            ("Products sent", tally.synced, f"Neuroon: {counts}"),
            ("Products unchanged", tally.unchanged),
            ("Products rejected", tally.rejected),
            ("Products deleted", tally.deleted),
            ("Requests", tally.requests),
            ("Conversions sent", orders.sent),
            ("Conversions rejected", len(orders.rejected)),
        ]
        print_table(self.stdout, rows)

    def client(self) -> Client:
        """Return a client for the shop's requests."""
        return Client(**conf.client_options())
