"""Charts as SVG that the server draws: bars with a title each, and the same numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

WIDTH, HEIGHT = 600, 120
GAP = 0.25  # of a bar's room


class Bar(NamedTuple):
    """One bar: what it stands for, how it is said, and where it is."""

    label: str
    text: str
    x: float
    y: float
    width: float
    height: float


def bars(values: Sequence[tuple[str, float, str]]) -> dict[str, Any]:
    """Return a chart of labels, values and their words; bars of nothing have no height."""
    most = max((value for _, value, _ in values), default=0)
    room = WIDTH / max(1, len(values))
    drawn = []
    for n, (label, value, text) in enumerate(values):
        height = max(2.0, value / most * HEIGHT) if value and most else 0.0
        drawn.append(
            Bar(label, text, n * room + room * GAP / 2, HEIGHT - height, room * (1 - GAP), height)
        )
    top = max(values, key=lambda item: item[1], default=("", 0, ""))
    first, last = (values[0][0], values[-1][0]) if values else ("", "")
    return {"bars": drawn, "most": top[2] if top[1] else "", "first": first, "last": last}


def segments(counts: dict[str, int], labels: Any) -> list[dict[str, Any]]:
    """Return the segments of a bar: each status's share, none so small that it cannot be seen."""
    total = sum(counts.values()) or 1
    shares = {name: max(n * 1000 / total, 8) if n else 0 for name, n in counts.items()}
    scale, at, found = 1000 / (sum(shares.values()) or 1), 0.0, []
    for name, n in counts.items():
        width = shares[name] * scale
        found.append({"name": name, "label": labels(name).label, "count": n, "x": at, "width": width})
        at += width
    return found
