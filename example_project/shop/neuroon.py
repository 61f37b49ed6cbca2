"""What Neuroon learns of this shop: found by autodiscovery, as `admin.py` is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from neuroon_django import ConversionLine, OrderFeed, ProductFeed, register
from shop.markets import in_currency
from shop.models import Order, Product


@register(Product)
class CatalogueFeed(ProductFeed[Product]):
    external_id = "sku"
    name = "local_title"  # in the language of the shop at Neuroon that it is asked for
    description = "description"
    brand = "brand__name"
    categories = "categories__name"
    image_url = "image"
    is_listed = "is_published"
    depends_on = ["stockrecords"]

    def price(self, product: Product) -> Decimal | None:
        record = next(iter(product.stockrecords.all()), None)
        return in_currency(record.price, self.shop.CURRENCY) if record else None

    def stock_quantity(self, product: Product) -> int | None:
        record = next(iter(product.stockrecords.all()), None)
        return record.quantity if record else None

    def in_stock(self, product: Product) -> bool:
        return bool(self.stock_quantity(product))


@register(Order)
class CheckoutFeed(OrderFeed[Order]):
    order_id = "number"
    order_value = "total"
    currency = "currency"

    def is_paid(self, order: Order) -> bool:
        return order.status == "paid"

    def lines(self, order: Order) -> Iterator[ConversionLine]:
        for line in order.lines.select_related("product"):
            yield ConversionLine(product=line.product, quantity=line.quantity, line_total=line.total)
