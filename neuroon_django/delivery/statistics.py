"""What a run did, in numbers and in reasons."""

from __future__ import annotations

from dataclasses import dataclass, field


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
    stops: dict[str, str] = field(default_factory=dict)  # why a group's requests stopped
    errors: list[str] = field(default_factory=list)
    warnings: dict[str, int] = field(default_factory=dict)  # what Neuroon remarked, and how often
    # Orders that were rejected, by how they are known, with the reason.
    rejected_orders: list[tuple[str, str]] = field(default_factory=list)

    # Of rows whose request's outcome is unknown: they are tried again when these leases end.
    unknown_leases: set[str] = field(default_factory=set)

    @property
    def line(self) -> str:
        """The counts, as a log line has them."""
        counts = {name: value for name, value in vars(self).items() if isinstance(value, int)}
        return " ".join(f"{name}={value}" for name, value in counts.items())

    @property
    def stopped(self) -> str:
        """Why requests stopped, each reason once; "" where none did."""
        return "; ".join(dict.fromkeys(self.stops.values()))
