"""What differs between Neuroon's own list and the shop, as the reconciliation finds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from neuroon_django.api import messages


def is_deletable(external_id: str, own_id: str) -> bool:
    """Return whether there is a path by which a product of Neuroon's list can be deleted."""
    return messages.is_storable(external_id) and (messages.fits_path(external_id) or bool(own_id))


@dataclass
class Comparison:
    """What the two sides say. Rows are named by primary key, with their external id."""

    listed: int = 0
    same: int = 0
    under_way: int = 0  # on its way, or kept back: not compared
    only_remote: dict[str, str] = field(default_factory=dict)  # Neuroon's own id by external id
    lost: dict[int, str] = field(default_factory=dict)
    different: dict[int, str] = field(default_factory=dict)
    gone: dict[int, str] = field(default_factory=dict)  # the shop lists or has it no more
    id_conflicts: dict[int, str] = field(default_factory=dict)  # rejected: another product has their id
    without_feed: dict[int, str] = field(default_factory=dict)  # sent by another version, or long ago

    @property
    def undeletable(self) -> list[str]:
        """The ids that only Neuroon has and by which nothing can be deleted there."""
        return [one for one, own_id in self.only_remote.items() if not is_deletable(one, own_id)]

    @property
    def agrees(self) -> bool:
        """Return whether nothing differs."""
        return not (self.to_delete or self.lost or self.different)

    @property
    def to_delete(self) -> int:
        """Return how many products Neuroon has and this project does not."""
        return len(self.only_remote) + len(self.gone) + len(self.without_feed)


def difference(here: dict[str, Any], there: messages.ListedProduct) -> str:
    """The first of name, price and stock that differs; "" for none, or where Neuroon is silent."""
    prices = {Decimal(here[name]) for name in ("price", "salePrice") if name in here}
    if there.name and there.name != here["name"]:
        return f"name {here['name']!r} here, {there.name!r} there"
    if there.price is not None and there.price not in prices:
        return f"price {here['price']} here, {there.price} there"
    if there.in_stock is not None and there.in_stock != here.get("inStock", True):
        return f"in stock {here.get('inStock', True)} here, {there.in_stock} there"
    return ""
