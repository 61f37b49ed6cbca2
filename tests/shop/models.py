"""A shop with every kind of relation that a feed may read."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import ClassVar

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


# What rarer shops have


class Gross(models.Model):
    """A price that the database works out."""

    code = models.CharField(max_length=50)
    net = models.IntegerField(default=1)
    gross = models.GeneratedField(
        expression=models.F("net") * 2, output_field=models.IntegerField(), db_persist=True
    )


class NotDeleted(models.Manager[models.Model]):
    """Rows that were not deleted softly."""

    def get_queryset(self) -> models.QuerySet[models.Model]:
        return super().get_queryset().filter(deleted=False)


class SoftTag(models.Model):
    name = models.CharField(max_length=50)
    deleted = models.BooleanField(default=False)

    objects = NotDeleted()
    everything: ClassVar[models.Manager[SoftTag]] = models.Manager()


class RankedTag(models.Model):
    name = models.CharField(max_length=50)
    position = models.IntegerField(default=0)

    class Meta:
        ordering = ["position"]


class Soft(models.Model):
    """A product that is deleted softly."""

    code = models.CharField(max_length=50)
    title = models.CharField(max_length=50)
    deleted = models.BooleanField(default=False)
    tags = models.ManyToManyField(SoftTag)
    ranked = models.ManyToManyField(RankedTag)

    objects = NotDeleted()
    everything: ClassVar[models.Manager[Soft]] = models.Manager()


class SoftOffer(models.Model):
    soft = models.ForeignKey(Soft, models.CASCADE, related_name="offers")
    tag = models.ForeignKey(SoftTag, models.CASCADE)


class Rated(models.Model):
    """What hangs on a product by a key of two columns."""

    pk = models.CompositePrimaryKey("soft", "source")
    soft = models.ForeignKey(Soft, models.CASCADE, related_name="ratings")
    source = models.IntegerField()
    stars = models.IntegerField(default=1)


class Tenanted(models.Model):
    """A product with a key of two columns."""

    pk = models.CompositePrimaryKey("tenant", "number")
    tenant = models.IntegerField()
    number = models.IntegerField()
    code = models.CharField(max_length=50)
    title = models.CharField(max_length=50)


class Ebook(Product):
    """A child with a key of its own."""

    isbn = models.CharField(max_length=20, primary_key=True)
    product_ptr = models.OneToOneField(Product, models.CASCADE, parent_link=True)


class Attached(models.Model):
    """A product whose text stands on whatever it is attached to."""

    code = models.CharField(max_length=50)
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    subject = GenericForeignKey()


class StrictField(models.CharField):  # type: ignore[type-arg]
    """As enum and encrypted fields do: a stored value that it cannot read is an error."""

    def from_db_value(self, value: str, expression: object, connection: object) -> str:
        if value == "broken":
            raise ValueError("'broken' is not a valid grade")
        return value


class Coded(models.Model):
    code = models.CharField(max_length=50)
    title = models.CharField(max_length=50)
    grade = StrictField(max_length=20, default="a")


class Heading(models.Model):
    a = models.IntegerField()
    b = models.IntegerField()
    name = models.CharField(max_length=20)

    class Meta:
        unique_together = [("a", "b")]


class Pointing(models.Model):
    """A relation without a column of its own."""

    code = models.CharField(max_length=50)
    title = models.CharField(max_length=50)
    a = models.IntegerField()
    b = models.IntegerField()
    heading = models.ForeignObject(
        Heading,
        models.DO_NOTHING,
        from_fields=["a", "b"],
        to_fields=["a", "b"],
        related_name="pointing",
    )


# Django 6.1's cascades by the database, which send no signal; before it the usual ones.
BY_DATABASE = getattr(models, "DB_CASCADE", models.CASCADE)


class Ware(models.Model):
    code = models.CharField(max_length=50)
    title = models.CharField(max_length=50)


class Depot(models.Model):
    name = models.CharField(max_length=50)


class Pallet(models.Model):
    ware = models.ForeignKey(Ware, BY_DATABASE, related_name="pallets")
    depot = models.ForeignKey(Depot, BY_DATABASE)


class Layer(models.Model):
    pallet = models.ForeignKey(Pallet, BY_DATABASE, related_name="layers")
