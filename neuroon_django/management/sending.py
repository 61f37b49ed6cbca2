"""The commands that send: with progress, a summary, and the exit code that fits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.management.base import CommandError

from neuroon_django.api import Client
from neuroon_django.delivery import Scan
from neuroon_django.management.base import FAILED, NeuroonCommand, print_table
from neuroon_django.management.progress import Progress
from neuroon_django.models import ShopState
from neuroon_django.operations.steps import SILENT
from neuroon_django.operations.syncing import Sync

C = TypeVar("C", bound=Client)

WARNINGS = 20  # of Neuroon's, that are shown
STATUS = "How things stand: manage.py neuroon_status"


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
        self.sending, began = True, time.monotonic()
        sync = Sync(shop, client, scan)
        progress = Progress(sync.expected(), self.stdout, self.stderr)
        try:
            with progress:
                sync.run(progress.show, progress.wait)
        finally:
            self.summarize(sync)
            self.stdout.write(f"Took {time.monotonic() - began:,.0f} s. {STATUS}")
        if lines := sync.remainder():
            raise CommandError("\n".join(lines), returncode=FAILED)

    def summarize(self, sync: Sync) -> None:
        """Print the run's counts."""
        done, orders = sync.products.statistics, sync.orders.statistics
        counts = f"{done.created:,} created, {done.updated:,} updated, {done.failed:,} failed"
        rows: list[tuple[Any, ...]] = [
            ("Products sent", done.synced, f"Neuroon: {counts}"),
            ("Products unchanged", done.unchanged),
            ("Products rejected", done.rejected),
            ("Products deleted", done.deleted),
            ("Requests", done.requests),
            ("Conversions sent", orders.reported),
            ("Conversions rejected", len(orders.rejected_orders)),
        ]
        print_table(self.stdout, rows, self.styles(rows))
        for text, n in list(done.warnings.items())[:WARNINGS]:
            self.stdout.write(f"Neuroon warns: {text}" + (f" ({n:,} times)" if n > 1 else ""))

    def styles(self, rows: list[tuple[Any, ...]]) -> dict[object, Callable[[str], str]]:
        """Return the colours: of what went, and of what was refused."""
        refused = {name for name, n, *_ in rows if "rejected" in name and n}
        went = {name for name, n, *_ in rows if "sent" in name and n}
        return dict.fromkeys(refused, self.style.ERROR) | dict.fromkeys(went, self.style.SUCCESS)

    def client(self, shop: ShopState, kind: type[C]) -> C:
        """Return a client for the shop's requests; tests that did not ask for any are refused."""
        if shop.config.is_silent:
            self.refuse(SILENT)
        return kind(**shop.config.client_options())
