"""`NEUROON_SHOPS`: which shops it declares, by their aliases.

`conf` makes a `ShopConfig` of each, and `checks.shops` tells what is left out here and why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

S = TypeVar("S")

ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")
ALIAS_HINT = "letters, digits, - and _, 50 at most"


def is_alias(value: object) -> bool:
    """Return whether a value can be a shop's alias, which stands in commands, addresses and metrics."""
    return isinstance(value, str) and ALIAS.fullmatch(value) is not None


def declared_shops(value: Any) -> dict[str, Mapping[str, Any]]:
    """Return the shops' own values by alias, without whatever cannot be a shop."""
    entries = value.items() if isinstance(value, Mapping) else ()
    return {alias: own for alias, own in entries if is_alias(alias) and isinstance(own, Mapping)}


def written_entries(value: Any) -> list[tuple[Any, ...]]:
    """Return all that decides which shops a value declares, to be compared with what it was.

    That is each alias and its entry, with what identifies the shop, for an entry may be changed.
    """
    return [
        (alias, own, own.get("SHOP_ID"), own.get("API_URL")) if isinstance(own, Mapping) else (alias,)
        for alias, own in (value.items() if isinstance(value, Mapping) else ())
    ]


def first_of_each(shops: Iterable[S], identity: Callable[[S], tuple[str, str]]) -> list[S]:
    """Return the shops without those that stand for one that came before: two would share its rows.

    `identity` is a shop id with an API address; shops without an id yet are as many as there are.
    """
    seen: dict[tuple[str, str], S] = {}
    kept = []
    for shop in shops:
        key = identity(shop)
        if not key[0] or seen.setdefault(key, shop) is shop:
            kept.append(shop)
    return kept


def is_same(one: Any, other: Any) -> bool:
    """Return whether the same is written; wrong values may be such as cannot be compared."""
    try:
        return bool(one == other)
    except Exception:  # of a number that signals, or of a shop's own class
        return False
