"""What the shop sells and what was ordered. Nothing here knows of Neuroon: see `neuroon.py`."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import get_language

from shop import markets


class Brand(models.Model):
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=140, unique=True)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("shop:list", query={"brand": self.slug})


class Category(models.Model):
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=140, unique=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")

    class Meta:
        # A parent is there before its children: a product's categories read from root to leaf.
        ordering = ["pk"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("shop:list", query={"category": self.slug})

    def ancestors(self) -> list[Category]:
        """The categories above this one, the root first."""
        above: list[Category] = []
        parent = self.parent
        while parent is not None and parent not in above:
            above.insert(0, parent)
            parent = parent.parent
        return above


class ProductQuerySet(models.QuerySet["Product"]):
    def published(self) -> ProductQuerySet:
        return self.filter(is_published=True)

    def with_stock(self) -> ProductQuerySet:
        return self.select_related("brand").prefetch_related("stockrecords")


class Product(models.Model):
    sku = models.CharField("SKU", max_length=64, unique=True)
    title = models.CharField(max_length=255)
    title_es = models.CharField(
        "title in Spanish", max_length=255, blank=True, help_text="The title, unless it is given."
    )
    slug = models.SlugField(max_length=255, db_index=False)
    description = models.TextField(blank=True)
    brand = models.ForeignKey(Brand, models.SET_NULL, null=True, blank=True, related_name="products")
    categories = models.ManyToManyField(
        Category,
        blank=True,
        related_name="products",
        help_text="The whole path, from the department to the shelf.",
    )
    image = models.CharField(
        max_length=500, blank=True, help_text="Its address: absolute, or relative to the shop."
    )
    is_published = models.BooleanField(default=True)
    popularity = models.PositiveIntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ["-popularity", "pk"]
        indexes = [models.Index(fields=["is_published", "-popularity"], name="shop_listing")]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("shop:product", args=[self.slug, self.pk])

    @property
    def local_title(self) -> str:
        """The title in the active language, as far as there is one."""
        spanish = (get_language() or "").startswith("es")
        return (self.title_es if spanish else "") or self.title

    @property
    def stock(self) -> StockRecord | None:
        """The first stock record; no query where `stockrecords` is prefetched."""
        return next(iter(self.stockrecords.all()), None)


class StockRecord(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="stockrecords")
    price = models.DecimalField(
        max_digits=10, decimal_places=2, validators=[MinValueValidator(Decimal(0))]
    )
    quantity = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.price}"

    @property
    def local_price(self) -> Decimal:
        """The price in the currency of the active language's market."""
        return markets.in_currency(self.price, markets.currency())


class Order(models.Model):
    class Status(models.TextChoices):
        NEW = "new", "waiting for payment"
        PAID = "paid", "paid"
        SHIPPED = "shipped", "shipped"
        CANCELLED = "cancelled", "cancelled"

    number = models.CharField(max_length=20, unique=True)
    email = models.EmailField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.NEW)
    total = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "-pk"]
        indexes = [models.Index(fields=["-created"], name="shop_order_created")]

    def __str__(self) -> str:
        return self.number

    def get_absolute_url(self) -> str:
        return reverse("shop:order", args=[self.number])


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="order_lines")
    quantity = models.PositiveIntegerField()
    total = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product}"
