"""What a paid order is for Neuroon: the class a shop subclasses, and the lines it yields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from neuroon_django.feeds.feed import Feed, M
from neuroon_django.feeds.paths import ANYTHING, Reads


@dataclass(frozen=True, slots=True)
class ConversionLine:
    """One line of an order: `product` is the shop's object or an external id, `line_total` money."""

    product: Any
    quantity: int
    line_total: Decimal | float | int


ORDER = "order:"  # before the label, since products may hang on orders too


class OrderFeed(Feed[M]):
    """What a paid order is for Neuroon (`API.md`, "Conversions")."""

    entries = ("order_id", "order_value", "currency", "is_paid")

    order_id: Any = "pk"
    order_value: Any = None
    currency: Any = None
    is_paid: Any = None

    def _read(self) -> Reads:
        return super()._read() if type(self).lines is OrderFeed.lines else ANYTHING

    @property
    def topic(self) -> str:
        return ORDER + self.label

    def lines(self, order: M) -> Iterable[ConversionLine]:
        """The order's lines; only those whose product was found by a search are reported."""
        return ()
