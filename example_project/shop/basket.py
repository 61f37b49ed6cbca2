"""The basket: a mapping of product to quantity in the shopper's session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.http import HttpRequest

from shop.models import Product

SESSION_KEY = "basket"
MOST_OF_ONE = 99


@dataclass(frozen=True)
class BasketLine:
    product: Product
    quantity: int
    price: Decimal

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity

    @property
    def short(self) -> bool:
        """Whether the shop has fewer than that."""
        return self.product.stock is None or self.product.stock.quantity < self.quantity


class Basket:
    def __init__(self, request: HttpRequest) -> None:
        self._session: Any = getattr(request, "session", {})

    @property
    def quantities(self) -> dict[int, int]:
        return {int(pk): quantity for pk, quantity in self._session.get(SESSION_KEY, {}).items()}

    @property
    def count(self) -> int:
        return sum(self.quantities.values())

    @cached_property
    def lines(self) -> list[BasketLine]:
        """What can still be bought of what was put in."""
        quantities = self.quantities
        products = Product.objects.published().with_stock().prefetch_related("categories")
        found = products.in_bulk(list(quantities))
        return [
            BasketLine(found[pk], quantity, stock.local_price)
            for pk, quantity in quantities.items()
            if pk in found and (stock := found[pk].stock)
        ]

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.lines), Decimal(0))

    def add(self, product: Product, quantity: int) -> None:
        self.change({product.pk: self.quantities.get(product.pk, 0) + quantity})

    def change(self, quantities: Mapping[int, int]) -> None:
        """Set some quantities; none left takes the product out."""
        merged = {**self.quantities, **quantities}
        self._store({pk: min(n, MOST_OF_ONE) for pk, n in merged.items() if n > 0})

    def clear(self) -> None:
        self._store({})

    def _store(self, quantities: Mapping[int, int]) -> None:
        self._session[SESSION_KEY] = {str(pk): quantity for pk, quantity in quantities.items()}
        self.__dict__.pop("lines", None)
