"""Makers of products and orders in the test shop, and what recording has written of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from neuroon_django import clicks
from neuroon_django.conf import ShopConfig, conf
from neuroon_django.models import Change, Endpoint, ShopState
from tests.shop.models import Order, Product, StockRecord

COOKIE = '{"A":"search-1"}'


def current_shop() -> ShopState:
    """Return the row of the one shop that the settings configure."""
    return ShopState.objects.for_config(conf.shop())


def shop_called(alias: str) -> ShopState:
    """Return the row of the shop of that alias."""
    return ShopState.objects.for_config(conf.shop(alias))


def another_shop(shop_id: str, api_url: str) -> ShopState:
    """Return the row of a shop that the settings do not name."""
    return ShopState.objects.for_config(ShopConfig("another", {"SHOP_ID": shop_id, "API_URL": api_url}))


def pauses() -> dict[str, str]:
    """Return the reasons of the groups that are blocked for one."""
    return {endpoint.group: endpoint.reason for endpoint in current_shop().pauses()}


def end_blocks() -> None:
    """Let requests of every group leave at once, as when every wait is over; reasons stay."""
    Endpoint.objects.update(next_slot_at=None, blocked_until=None)


def make_product(sku: str = "A-1", price: str | None = "10.00", **values: Any) -> Product:
    """Make a product, with a stock record that holds its price unless that is None."""
    product = Product.objects.create(sku=sku, title=f"Product {sku}", **values)
    if price is not None:
        StockRecord.objects.create(product=product, price=Decimal(price))
    return product


def make_order(
    number: str,
    *products: Product | None,
    total: str = "20",
    status: str = "paid",
    searched: bool = True,
) -> Order:
    """Make an order with a line of 20 per product; `searched` says that a search led to them."""
    found = ", ".join(f'"{product.sku}": "search-1"' for product in products if product)
    token = clicks.current.set(f"{{{found}}}" if searched else "")
    try:
        order = Order.objects.create(number=number, total=Decimal(total), status=status)
    finally:
        clicks.current.reset(token)
    for product in products:
        order.lines.create(product=product, quantity=1, total=Decimal("20"))
    return order


def place(number: str = "1001", cookie: str = COOKIE, sku: str = "A", **values: Any) -> Order:
    """Make a checkout: the order in the shopper's request, its lines after it."""
    product = Product.objects.filter(sku=sku).first() or Product.objects.create(sku=sku, title=sku)
    token = clicks.current.set(cookie)
    try:
        order = Order.objects.create(number=number, **{"total": Decimal("20"), **values})
    finally:
        clicks.current.reset(token)
    order.lines.create(product=product, quantity=2, total=Decimal("20"))
    return order


def pay(order: Order) -> None:
    """Save the order as paid, as a payment provider's webhook does: without the shopper's cookie."""
    order.status = "paid"
    order.save()


def recorded() -> list[tuple[str, str]]:
    """Return the labels and keys of the change rows, oldest first, and delete the rows."""
    rows = list(Change.objects.order_by("pk").values_list("model", "object_pk"))
    Change.objects.all().delete()
    return rows
