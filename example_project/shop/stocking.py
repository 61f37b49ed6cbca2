"""Puts catalogue items on the shelves: what is new is added, what is known by its SKU is changed.

In chunks, each one transaction and a constant number of statements, by SQL that all databases
speak. No signal is sent: the app hears of it by a scan, `manage.py neuroon_sync --scan`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.utils.text import slugify

from shop.catalogue import Item
from shop.models import Brand, Category, Product, StockRecord

UPDATED = ["title", "slug", "description", "brand", "image", "popularity", "updated"]
STOCK_WHERE_UNTOLD = 25


@dataclass
class Shelves:
    """The makers and categories there are; one that is missing is made when first asked for."""

    brands: dict[str, int] = field(init=False)
    categories: dict[tuple[int | None, str], int] = field(init=False)
    brand_slugs: set[str] = field(init=False)
    category_slugs: dict[int, str] = field(init=False)

    def __post_init__(self) -> None:
        # Compared here and not by the database, whose collation may take é for e and B for b.
        self.brands = dict(Brand.objects.values_list("name", "pk"))
        self.brand_slugs = set(Brand.objects.values_list("slug", flat=True))
        rows = list(Category.objects.values_list("parent_id", "name", "pk", "slug"))
        self.categories = {(parent, name): pk for parent, name, pk, _ in rows}
        self.category_slugs = {pk: slug for _, _, pk, slug in rows}

    def brand(self, name: str) -> int | None:
        if name and name not in self.brands:
            slug = _free([slugify(name) or "maker"], self.brand_slugs)
            self.brands[name] = Brand.objects.create(name=name, slug=slug).pk
            self.brand_slugs.add(slug)
        return self.brands.get(name)

    def path(self, names: Sequence[str]) -> list[int]:
        """The categories from the department to the shelf."""
        found: list[int] = []
        for name in names:
            found.append(self._category(found[-1] if found else None, name))
        return found

    def _category(self, parent: int | None, name: str) -> int:
        if (parent, name) not in self.categories:
            slug = slugify(name) or "shelf"
            above = [f"{self.category_slugs[parent]}-{slug}"] if parent is not None else []
            slug = _free([slug, *above], set(self.category_slugs.values()))
            made = Category.objects.create(name=name, slug=slug, parent_id=parent)
            self.categories[parent, name] = made.pk
            self.category_slugs[made.pk] = slug
        return self.categories[parent, name]


def _free(wishes: Sequence[str], taken: set[str]) -> str:
    """The first wish that nobody has, or the last one with a number."""
    wishes = [wish[:130] for wish in wishes]
    numbered = (f"{wishes[-1]}-{n}" for n in range(2, len(taken) + 3))
    return next(slug for slug in (*wishes, *numbered) if slug not in taken)


@transaction.atomic
def put(items: Sequence[Item], shelves: Shelves) -> int:
    """Store the items, each sku at most once among them; returns how many were new."""
    skus = [item.sku for item in items]
    known = Product.objects.filter(sku__in=skus).count()
    _write_products(items, shelves)
    pks = {
        sku.casefold(): pk for sku, pk in Product.objects.filter(sku__in=skus).values_list("sku", "pk")
    }
    owned = [(pks[item.sku.casefold()], item) for item in items]
    _write_paths({pk: set(shelves.path(item.categories)) for pk, item in owned})
    _write_stock(dict(owned))
    return len(items) - known


def _write_products(items: Iterable[Item], shelves: Shelves) -> None:
    rows = [
        Product(
            sku=item.sku,
            title=item.name,
            slug=slugify(item.name)[:255] or "product",
            description=item.description,
            brand_id=shelves.brand(item.brand),
            image=item.image,
            popularity=item.popularity,
        )
        for item in items
    ]
    named = connection.features.supports_update_conflicts_with_target
    Product.objects.bulk_create(
        rows,
        update_conflicts=True,
        update_fields=UPDATED,
        unique_fields=["sku"] if named else None,
    )


def _write_paths(wanted: dict[int, set[int]]) -> None:
    through = Product.categories.through
    there = through.objects.filter(product_id__in=wanted)
    present = {(row.product_id, row.category_id): row.pk for row in there}
    pairs = {(product, category) for product, path in wanted.items() for category in path}
    through.objects.filter(pk__in=[pk for pair, pk in present.items() if pair not in pairs]).delete()
    through.objects.bulk_create(
        through(product_id=product, category_id=category)
        for product, category in sorted(pairs - present.keys())
    )


def _write_stock(owned: dict[int, Item]) -> None:
    records: dict[int, StockRecord] = {}
    for record in StockRecord.objects.filter(product_id__in=owned):
        records.setdefault(record.product_id, record)
    fresh: list[StockRecord] = []
    changed: list[StockRecord] = []
    for pk, item in owned.items():
        record = records.get(pk) or StockRecord(product_id=pk, quantity=STOCK_WHERE_UNTOLD)
        quantity = record.quantity if item.stock is None else item.stock
        if record.pk is None:
            fresh.append(record)
        elif (record.price, record.quantity) != (item.price, quantity):
            changed.append(record)
        record.price, record.quantity = item.price, quantity
    StockRecord.objects.bulk_create(fresh)
    StockRecord.objects.bulk_update(changed, ["price", "quantity"])
