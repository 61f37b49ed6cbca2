"""What a run did, in numbers and in reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from neuroon_django.models import Delivery, Lane


@dataclass
class RunStatistics:
    """What a run did. `created`, `updated` and `failed` are Neuroon's own counts of products."""

    requests: int = 0
    synced: int = 0
    created: int = 0
    updated: int = 0
    failed: int = 0
    unchanged: int = 0
    rejected: int = 0
    deleted: int = 0
    reported: int = 0
    scanned: int = 0
    longest_wait: float = 0.0  # seconds that the oldest of what was sent had been waiting
    stops: dict[str, str] = field(default_factory=dict)  # why a group's requests stopped
    errors: list[str] = field(default_factory=list)
    warnings: dict[str, int] = field(default_factory=dict)  # what Neuroon remarked, and how often
    # Orders that were rejected, by how they are known, with the reason.
    rejected_orders: list[tuple[str, str]] = field(default_factory=list)

    # The names of what was rejected, by its kind ("products", "orders") and the reason.
    rejections: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    index_seconds: list[float] = field(default_factory=list)  # from a live edit to its acceptance
    # Of rows whose request's outcome is unknown: they are tried again when these leases end.
    unknown_leases: set[str] = field(default_factory=set)

    def note_sent(self, rows: Iterable[Delivery]) -> None:
        """Note how long the oldest of these rows, which were accepted, had been waiting."""
        oldest = min((row.waiting_since for row in rows if row.waiting_since), default=None)
        if oldest is not None:
            waited = (timezone.now() - oldest).total_seconds()
            self.longest_wait = max(self.longest_wait, waited)

    @property
    def line(self) -> str:
        """The counts, as a log line has them."""
        counts = {name: value for name, value in vars(self).items() if isinstance(value, int)}
        return " ".join(f"{name}={value}" for name, value in counts.items())

    def note_rejected(self, kind: str, name: str, reason: str) -> None:
        """Count a rejection with the others that have the same reason."""
        self.rejections.setdefault((kind, reason), []).append(name)

    def note_indexed(self, row: Delivery, at: datetime) -> None:
        """Note how long a live edit took from its change to its acceptance."""
        if row.lane == Lane.LIVE and row.waiting_since is not None:
            self.index_seconds.append(max(0.0, (at - row.waiting_since).total_seconds()))

    def forget_told(self) -> None:
        """Forget what was logged and kept when the run had drained what was due: it may go on."""
        self.rejections.clear()
        self.index_seconds.clear()

    @property
    def stopped(self) -> str:
        """Why requests stopped, each reason once; "" where none did."""
        return "; ".join(dict.fromkeys(self.stops.values()))
