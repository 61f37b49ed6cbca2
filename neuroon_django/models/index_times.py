"""How long live edits take to be at Neuroon: a histogram in the shop's row, in place of samples.

A bucket holds times within a factor of √2. When there are many, all are halved, so that old ones fade.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

MOST = 1_000  # times after which all are halved
STEPS = 2  # buckets per doubling


def add_times(histogram: Mapping[str, float], seconds: Iterable[float]) -> dict[str, float]:
    """Return the histogram with further times in it."""
    added = dict(histogram)
    for time in seconds:
        bucket = str(max(0, math.ceil(STEPS * math.log2(max(time, 1.0)))))
        added[bucket] = added.get(bucket, 0) + 1
    if sum(added.values()) > MOST:
        added = {bucket: n / 2 for bucket, n in added.items() if n >= 1}
    return added


def quantile(histogram: Mapping[str, float], share: float) -> float | None:
    """Return the seconds within which that share of the edits was accepted; None where none was."""
    left = share * sum(histogram.values())
    for bucket, n in sorted((int(bucket), n) for bucket, n in histogram.items()):
        left -= n
        if left <= 0:
            return float(2 ** (bucket / STEPS))
    return None
