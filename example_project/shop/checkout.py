"""From basket to order, in one transaction: the stock is taken and the lines are written."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from django.db import transaction

from shop.markets import currency
from shop.models import Order, OrderLine, StockRecord

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that is misread over the telephone


class OutOfStock(Exception):
    """The shop has fewer of a product than were ordered."""


def place_order(email: str, quantities: Mapping[int, int]) -> Order:
    """An order of product pk → quantity; raises `OutOfStock` and then leaves no trace."""
    with transaction.atomic():
        taken = [(_take(pk, quantity), quantity) for pk, quantity in sorted(quantities.items())]
        order = Order.objects.create(
            number=_number(),
            email=email,
            total=sum(record.local_price * quantity for record, quantity in taken),
            currency=currency(),
        )
        OrderLine.objects.bulk_create(
            OrderLine(
                order=order,
                product=record.product,
                quantity=quantity,
                total=record.local_price * quantity,
            )
            for record, quantity in taken
        )
    return order


def _take(pk: int, quantity: int) -> StockRecord:
    """Locked in the order of their pk, so that two checkouts never wait for each other."""
    record = StockRecord.objects.select_for_update().filter(product=pk).first()
    if record is None or not record.product.is_published:
        raise OutOfStock("Something in your basket is no longer sold.")
    if record.quantity < quantity:
        raise OutOfStock(f"{record.product.local_title}: only {record.quantity} left.")
    record.quantity -= quantity
    record.save(update_fields=["quantity"])
    return record


def _number() -> str:
    return "M-" + "".join(secrets.choice(ALPHABET) for _ in range(8))
