"""Names of parametrized cases that are the same in each process, as pytest-xdist needs them."""

from __future__ import annotations

import re


def case(value: object) -> str:
    """Return a value's text without addresses of objects."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
