"""The feeds of the test shop: the README's example."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.db.models import Value

from neuroon_django import ConversionLine, OrderFeed, ProductFeed, register
from tests.shop.models import Order, Product


@register(Product)
class CatalogueFeed(ProductFeed[Product]):
    external_id = "sku"
    name = "title"
    description = "description"
    brand = "brand__name"
    categories = "categories__title"
    currency = Value("EUR")
    is_listed = "is_published"
    depends_on = ["stockrecords"]
    ignores = ["views"]

    def price(self, product: Product) -> Decimal | None:
        record = next(iter(product.stockrecords.all()), None)
        return record.price if record else None


@register(Order)
class CheckoutFeed(OrderFeed[Order]):
    order_id = "number"
    order_value = "total"
    currency = "currency"
    depends_on = ["lines__product"]

    def is_paid(self, order: Order) -> bool:
        return order.status == "paid"

    def lines(self, order: Order) -> Iterator[ConversionLine]:
        for line in order.lines.all():
            yield ConversionLine(product=line.product, quantity=line.quantity, line_total=line.total)
