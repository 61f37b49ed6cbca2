"""A check of names that a test or a developer gives: kinds of faults, endpoints, settings."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Raise `ValueError` unless the text, or each text of a collection, is one of the choices."""
    for one in [value] if isinstance(value, str) else value:
        if one not in choices:
            raise ValueError(f"no {name} {one!r}; there are {', '.join(sorted(choices))}")
