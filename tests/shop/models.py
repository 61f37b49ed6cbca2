"""A shop with every kind of relation that a feed may read."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Brand(models.Model):
    name = models.CharField(max_length=100)
    visits = models.IntegerField(default=0)


class Category(models.Model):
    title = models.CharField(max_length=100)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")


class Product(models.Model):
    sku = models.CharField(max_length=100)
    title = models.CharField(max_length=600)
    description = models.TextField(blank=True)
    brand = models.ForeignKey(Brand, models.SET_NULL, null=True, blank=True)
    categories = models.ManyToManyField(Category, blank=True)
    is_published = models.BooleanField(default=True)
    views = models.IntegerField(default=0)

    def get_absolute_url(self) -> str:
        return f"/p/{self.pk}/"


class StockRecord(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="stockrecords")
    price = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    quantity = models.IntegerField(default=1)

    class Meta:
        ordering = ["pk"]  # the feed takes the first; databases have no order of their own


class Order(models.Model):
    number = models.CharField(max_length=50)
    status = models.CharField(max_length=20, default="new")
    total = models.DecimalField(max_digits=10, decimal_places=2, default=Decimal("0"))
    currency = models.CharField(max_length=3, default="EUR")


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.SET_NULL, null=True)
    quantity = models.IntegerField(default=1)
    total = models.DecimalField(max_digits=10, decimal_places=2)


class Unrelated(models.Model):
    """Nothing a feed reads."""

    name = models.CharField(max_length=20)


class Country(models.Model):
    iso = models.CharField(max_length=2, unique=True)
    name = models.CharField(max_length=50)


class Maker(models.Model):
    name = models.CharField(max_length=50)
    country = models.ForeignKey(Country, models.SET_NULL, null=True)


class MakerProxy(Maker):
    class Meta:
        proxy = True


class House(Maker):
    """A maker with a table of its own beside."""

    motto = models.CharField(max_length=50, default="")


class Seo(models.Model):
    name = models.CharField(max_length=50)


class Group(models.Model):
    name = models.CharField(max_length=50)


class Label(models.Model):
    name = models.CharField(max_length=50)
    group = models.ForeignKey(Group, models.SET_NULL, null=True)


class Shelf(models.Model):
    name = models.CharField(max_length=50)


class Note(models.Model):
    name = models.CharField(max_length=50)
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    subject = GenericForeignKey()


class Item(models.Model):
    """A product by which every kind of relation is tried."""

    code = models.CharField(max_length=50, unique=True)
    title = models.CharField(max_length=50)
    seen_at = models.DateTimeField(null=True)
    maker = models.ForeignKey(Maker, models.SET_NULL, null=True, related_name="items")
    agent = models.ForeignKey(MakerProxy, models.SET_NULL, null=True, related_name="agencies")
    house = models.ForeignKey(House, models.SET_NULL, null=True, related_name="creations")
    origin = models.ForeignKey(Country, models.SET_NULL, null=True, to_field="iso")
    seo = models.OneToOneField(Seo, models.SET_NULL, null=True)
    parent = models.ForeignKey("self", models.SET_NULL, null=True, related_name="variants")
    labels = models.ManyToManyField(Label, related_name="items")
    shelves = models.ManyToManyField(Shelf, through="Placement")
    twins = models.ManyToManyField("self")
    extras = models.ManyToManyField("self", symmetrical=False, related_name="fits")
    successors = models.ManyToManyField(
        "self", symmetrical=False, through="Succession", related_name="predecessors"
    )
    notes = GenericRelation(Note)

    class Meta:
        ordering = ["-title"]


class ItemProxy(Item):
    class Meta:
        proxy = True


class Tool(Item):
    """An item with a table of its own beside."""

    power = models.IntegerField(default=0)


class Placement(models.Model):
    item = models.ForeignKey(Item, models.CASCADE)
    shelf = models.ForeignKey(Shelf, models.CASCADE)


class Succession(models.Model):
    older = models.ForeignKey(Item, models.CASCADE, related_name="+")
    newer = models.ForeignKey(Item, models.CASCADE, related_name="+")


class Detail(models.Model):
    item = models.OneToOneField(
        Item, models.CASCADE, related_name="detail", related_query_name="detailed_by"
    )
    name = models.CharField(max_length=50)


class Seller(models.Model):
    name = models.CharField(max_length=50)


class Colour(models.Model):
    name = models.CharField(max_length=50)


class Offer(models.Model):
    item = models.ForeignKey(Item, models.CASCADE, null=True, related_name="offers")
    name = models.CharField(max_length=50)
    counted_at = models.DateTimeField(null=True)
    seller = models.ForeignKey(Seller, models.SET_NULL, null=True)
    colours = models.ManyToManyField(Colour, related_name="offers")


class Batch(models.Model):
    offer = models.ForeignKey(Offer, models.CASCADE, related_name="batches")
    name = models.CharField(max_length=50)


class Price(models.Model):
    """Points to its item by the code. No related name: accessor and lookup differ."""

    item = models.ForeignKey(Item, models.CASCADE, to_field="code")
    name = models.CharField(max_length=50)


class Holding(models.Model):
    name = models.CharField(max_length=50)


class Stock(Holding):
    """The link to the item stands in the child's table, the name in the parent's."""

    item = models.ForeignKey(Item, models.CASCADE, related_name="stocks")


class Gadget(models.Model):
    """A product whose key is a UUID, with relations by which keys have to be found in SQL."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    code = models.CharField(max_length=50)
    maker = models.ForeignKey(Maker, models.SET_NULL, null=True)
    labels = models.ManyToManyField(Label)


class Part(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    gadget = models.ForeignKey(Gadget, models.CASCADE, related_name="parts")
    name = models.CharField(max_length=50)


class Voucher(models.Model):
    """A product whose key is text."""

    key = models.CharField(primary_key=True, max_length=50)
    title = models.CharField(max_length=50)
    maker = models.ForeignKey(Maker, models.SET_NULL, null=True)
