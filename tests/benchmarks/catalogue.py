"""The shop's catalogue, of any size."""

from __future__ import annotations

from decimal import Decimal

from tests.shop.models import Brand, Category, Product, StockRecord


def fill(count: int, first: int = 0) -> None:
    """Create products `first` to `count`, with brands, categories and stock records, in bulk.

    Nothing that watches the shop by signals sees them.
    """
    brands = Brand.objects.bulk_create(Brand(name=f"Brand {n}") for n in range(40))
    shelves = Category.objects.bulk_create(Category(title=f"Shelf {n}") for n in range(60))
    for start in range(first, count, 5_000):
        products = Product.objects.bulk_create(
            Product(
                sku=f"SKU-{n}",
                title=f"A product with a name of common length, number {n}",
                description="Words that say what it is and why anybody should want it. " * 6,
                brand=brands[n % 40],
            )
            for n in range(start, min(start + 5_000, count))
        )
        StockRecord.objects.bulk_create(
            StockRecord(product=p, price=Decimal(p.pk % 900) + Decimal("0.99")) for p in products
        )
        Product.categories.through.objects.bulk_create(
            Product.categories.through(product_id=p.pk, category_id=shelves[(p.pk + k) % 60].pk)
            for p in products
            for k in range(2)
        )
