"""What Neuroon holds now: one product among its list, and how many there are beside the shop's.

Each is asked for by a person who waits, so it takes a few seconds at most.
"""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any, NamedTuple

from neuroon_django.api import Client, messages
from neuroon_django.exceptions import ApiError
from neuroon_django.feeds import registry
from neuroon_django.models import Group, ShopState

TIMEOUT = 5.0  # seconds for one request
LOOK_FOR = 8.0  # seconds in which the list is read for one product

Difference = tuple[str, Any, Any]  # a field's name, what it is here, and what at Neuroon


class Found(NamedTuple):
    """One product in Neuroon's list, None where it is not; `complete`: the whole list was read."""

    product: messages.ListedProduct | None
    read: int
    complete: bool


def find_at_neuroon(shop: ShopState, external_id: str) -> Found:
    """Read Neuroon's list for one product, as far as the time allows; raise an ApiError.

    Neuroon has no request for a single product.
    """
    until, number, read = time.monotonic() + LOOK_FOR, 0, 0
    with Client(**shop.config.client_options(timeout=TIMEOUT)) as client:
        while True:
            page = client.list_products(number)
            read += len(page.content)
            for product in page.content:
                if product.external_id == external_id:
                    return Found(product, read, complete=False)
            slot = shop.endpoint(Group.PRODUCTS).slot
            if page.is_last(number) or time.monotonic() + slot > until:
                return Found(None, read, complete=page.is_last(number))
            time.sleep(slot)
            number += 1


def differences(payload: dict[str, Any], there: messages.ListedProduct) -> list[Difference]:
    """Return how a payload differs from what Neuroon's list tells of the product."""
    here = (payload.get("name"), payload.get("price"), payload.get("inStock", True))
    listed = (there.name or None, there.price, there.in_stock)
    named = zip(("name", "price", "inStock"), here, listed, strict=True)
    sale = payload.get("salePrice")
    return [
        (name, mine, theirs)
        for name, mine, theirs in named
        if theirs is not None and theirs != mine and not (name == "price" and _same(theirs, sale))
    ]


def _same(price: Any, sale: Any) -> bool:
    return sale is not None and Decimal(price) == Decimal(sale)


def compare_totals(shop: ShopState) -> str:
    """Count the shop's products, ask Neuroon for its own number and the plan's, and remember all.

    Returns why Neuroon did not say, "" where it did.
    """
    here = sum(source.count() for source in registry.products(shop.config))
    totals: dict[str, int | None] = {"shop": here, "neuroon": None, "quota": None}
    reason = ""
    with Client(**shop.config.client_options(timeout=TIMEOUT)) as client:
        try:
            totals["neuroon"] = client.list_products(0, 1).total_elements
            quota = client.me().get("maxProducts")
            totals["quota"] = quota if isinstance(quota, int) else None
        except ApiError as error:
            reason = str(error)
    shop.note_totals(**totals)
    return reason
