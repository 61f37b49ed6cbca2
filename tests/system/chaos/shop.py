"""A shop where everything happens: random edits, each through the ORM and committed or not.

What must be at Neuroon in the end is worked out from the shop's own tables, by the feed.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from django.db import OperationalError, connection, transaction

from neuroon_django import clicks, mark_changed
from neuroon_django.api import messages
from neuroon_django.conf import conf
from neuroon_django.feeds import registry
from tests.shop.models import Brand, Category, Order, Product, StockRecord

PILLARS = 5  # products that are never renamed nor deleted: orders are made of these


class RolledBack(Exception):
    """Ends a transaction that is not to happen."""


class Shop:
    """The merchandisers and the shoppers, by seed."""

    def __init__(self, seed: int, size: int = 120) -> None:
        self.random = Random(seed)
        self.size = size
        self.done: Counter[str] = Counter()
        self.numbers = 0
        self.late: list[tuple[threading.Thread, threading.Event]] = []
        self.paid: dict[str, str] = {}  # the alias of the shop that each order was clicked in
        self.clicked_in: dict[str, str] = {}
        self.saves = self.change_rows = 0
        self.unpaid: list[int] = []
        self.brands = [Brand.objects.create(name=f"Brand {n}") for n in range(4)]
        self.categories = [Category.objects.create(title=f"Category {n}") for n in range(6)]
        self.pillars = [self._make(f"pillar-{n}") for n in range(PILLARS)]
        self.actions: dict[Callable[[], None], int] = {
            self.create: 10,
            self.edit: 20,
            self.reprice: 12,
            self.rename: 8,
            self.swap: 5,
            self.duplicate: 2,
            self.delete: 5,
            self.recreate: 5,
            self.list_or_not: 8,
            self.move_stock: 4,
            self.lose_stock: 1,
            self.categorise: 6,
            self.change_brand: 2,
            self.change_category: 2,
            self.replace_brand: 1,
            self.silent_update: 3,
            self.view: 3,
            self.roll_back: 6,
            self.roll_back_part: 4,
            self.commit_late: 2,
            self.order: 4,
            self.pay: 4,
        }

    def step(self) -> None:
        """One operation."""
        action = self.random.choices(list(self.actions), list(self.actions.values()))[0]
        try:
            action()
        except OperationalError:  # SQLite's own: a transaction that read before another wrote
            if connection.vendor != "sqlite":
                raise
        self.done[action.__name__] += 1
        if self.late and self.random.random() < 0.3:
            self._commit(*self.late.pop(0))

    # Operations

    def create(self) -> None:
        if Product.objects.count() < self.size:
            with transaction.atomic():
                self._make(self._number())

    def edit(self) -> None:
        if product := self._any():
            product.title = f"Title {self._number()}"
            with connection.execute_wrapper(self._count_change_rows):
                product.save()
            self.saves += 1

    def reprice(self) -> None:
        record = StockRecord.objects.filter(product=self._any()).first()
        if record:
            record.price = Decimal(self.random.randrange(1, 99999)) / 100
            record.save()

    def rename(self) -> None:
        if product := self._movable():
            product.sku = self._number()
            product.save(update_fields=["sku"])

    def swap(self) -> None:
        one, two = self._movable(), self._movable()
        if one and two and one.pk != two.pk:
            with transaction.atomic():
                one.sku, two.sku = two.sku, one.sku
                one.save()
                two.save()

    def duplicate(self) -> None:
        one, two = self._movable(), self._movable()
        if one and two and one.pk != two.pk:
            one.sku = two.sku
            one.save()

    def delete(self) -> None:
        if product := self._movable():
            product.delete()

    def recreate(self) -> None:
        if product := self._movable():
            with transaction.atomic():
                product.delete()
                if self.random.random() < 0.5:
                    self._make(product.sku)
            if not Product.objects.filter(sku=product.sku).exists():
                self._make(product.sku)

    def list_or_not(self) -> None:
        if product := self._movable():
            product.is_published = not product.is_published
            product.save()

    def move_stock(self) -> None:
        record, product = StockRecord.objects.filter(product=self._movable()).first(), self._movable()
        if record and product:
            record.product = product
            record.save()

    def lose_stock(self) -> None:
        StockRecord.objects.filter(product=self._movable()).delete()

    def categorise(self) -> None:
        if product := self._any():
            category = self.random.choice(self.categories)
            verbs = (product.categories.add, product.categories.remove, category.product_set.add)
            target = product if self.random.random() < 0.9 else None
            verb = self.random.choice(verbs)
            if target is None:
                product.categories.clear()
            else:
                verb(product if verb is verbs[2] else category)

    def change_brand(self) -> None:
        brand = self.random.choice(self.brands)
        brand.name = f"Brand {self._number()}"
        brand.save()

    def change_category(self) -> None:
        category = self.random.choice(self.categories)
        category.title = f"Category {self._number()}"
        category.save()

    def replace_brand(self) -> None:
        place = self.random.randrange(len(self.brands))
        self.brands[place].delete()
        self.brands[place] = Brand.objects.create(name=f"Brand {self._number()}")

    def silent_update(self) -> None:
        if product := self._any():
            found = Product.objects.filter(pk=product.pk)
            found.update(title=f"Title {self._number()}")
            mark_changed(found)

    def view(self) -> None:
        if product := self._any():
            product.views += 1
            product.save(update_fields=["views"])

    def roll_back(self) -> None:
        try:
            with transaction.atomic():
                self.random.choice([self.edit, self.rename, self.delete, self.create, self.swap])()
                raise RolledBack
        except RolledBack:
            pass

    def roll_back_part(self) -> None:
        with transaction.atomic():
            self.edit()
            self.roll_back()
            self.reprice()

    def commit_late(self) -> None:
        """A transaction that other, newer ones overtake. (SQLite has one writer at a time.)"""
        if connection.vendor == "sqlite" or len(self.late) > 3:
            return
        written, go, sku = threading.Event(), threading.Event(), self._number()

        def work() -> None:
            with transaction.atomic():
                self._make(sku, brand=False)
                written.set()
                go.wait()
            connection.close()

        thread = threading.Thread(target=work)
        thread.start()
        written.wait()
        self.late.append((thread, go))

    def order(self) -> None:
        product, number = self.random.choice(self.pillars), self._number()
        alias = self.random.choice(list(conf.shops()))
        token = clicks.current.set(f'{{"{product.sku}": "search-{number}"}}')
        in_shop = clicks.current_shop.set(conf.shop(alias).fingerprint)
        try:
            with transaction.atomic():
                order = Order.objects.create(number=number, total=Decimal("20"))
                order.lines.create(product=product, quantity=2, total=Decimal("20"))
        finally:
            clicks.current_shop.reset(in_shop)
            clicks.current.reset(token)
        self.clicked_in[number] = alias
        self.unpaid.append(order.pk)

    def pay(self) -> None:
        if self.unpaid:
            order = Order.objects.get(pk=self.unpaid.pop())
            order.status = "paid"
            order.save()
            self.paid[order.number] = self.clicked_in[order.number]

    # The end

    def tidy(self) -> None:
        """What has no one right answer is mended: two products with one id, products without price."""
        for thread, go in self.late:
            self._commit(thread, go)
        self.late.clear()
        seen: set[str] = set()
        for product in Product.objects.order_by("pk"):
            if product.sku in seen:
                product.sku = self._number()
                product.save()
            seen.add(product.sku)
            if not product.stockrecords.filter(price__isnull=False).exists():
                StockRecord.objects.create(product=product, price=Decimal("1.00"))

    def expected(self, alias: str, route: str) -> dict[str, Any]:
        """The catalogue that Neuroon must hold for a shop, as that route takes it."""
        source = registry.product_source("shop.product", conf.shop(alias))
        assert source is not None
        listed = source.feed.get_queryset().filter(is_published=True).values_list("pk", flat=True)
        rendered = source.render_many(map(str, listed)).values()
        payloads = [one.payload for one in rendered]
        if route == "shops":
            payloads = [messages.encode_batch([payload], "shops")[1:-1] for payload in payloads]
        return {payload["externalId"]: payload for payload in map(messages.decode, payloads)}

    # Its parts

    def _count_change_rows(self, execute: Any, sql: str, params: Any, *rest: Any) -> Any:
        result = execute(sql, params, *rest)
        if "INSERT INTO" in sql and "neuroon_django_change" in sql:
            self.change_rows += sql.count("(%s, %s")
        return result

    def _commit(self, thread: threading.Thread, go: threading.Event) -> None:
        go.set()
        thread.join()

    def _make(self, sku: str, brand: bool = True) -> Product:
        chosen = self.random.choice(self.brands) if brand else None
        product = Product.objects.create(sku=sku, title=f"Product {sku}", brand=chosen)
        StockRecord.objects.create(product=product, price=Decimal("10.00"))
        return product

    def _number(self) -> str:
        self.numbers += 1
        return f"n{self.numbers}"

    def _any(self) -> Product | None:
        pks = list(Product.objects.order_by("pk").values_list("pk", flat=True))
        return Product.objects.get(pk=self.random.choice(pks)) if pks else None

    def _movable(self) -> Product | None:
        fixed = [product.pk for product in self.pillars]
        movable = Product.objects.exclude(pk__in=fixed).order_by("pk")
        pks = list(movable.values_list("pk", flat=True))
        return Product.objects.get(pk=self.random.choice(pks)) if pks else None
