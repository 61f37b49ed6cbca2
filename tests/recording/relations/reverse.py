"""Rows that point to the product: one, many, generic, and over several hops."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType

from tests.recording.relations.forward import Forward, Relation
from tests.shop import models as shop


class Reverse(Relation):
    """`one` is A's, `two` is C's."""

    changes = ("create", "save", "delete", "bulk_delete", "re_point", "re_point_blind", "let_go")
    row_model: Any
    owner = "item"

    def row(self, owner: Any, name: str, **values: Any) -> Any:
        return self.row_model(name=name, **{self.owner: owner}, **values)

    def arrange(self) -> None:
        self.one, self.two = self.row(self.a, "one"), self.row(self.c, "two")
        self.one.save()
        self.two.save()

    def create(self) -> str:
        self.row(self.b, "three").save()
        return "B"

    def save(self) -> str:
        self.rename(self.row_model.objects.get(pk=self.one.pk))
        return "A"

    def delete(self) -> str:
        self.one.delete()
        return "A"

    def bulk_delete(self) -> str:
        self.row_model.objects.all().delete()
        return "AC"

    def re_point(self) -> str:
        setattr(self.one, self.owner, self.b)
        self.one.save(update_fields=[self.owner])
        return "AB"

    def re_point_blind(self) -> str:
        """By an instance that was never read from the database."""
        self.row(self.b, "one", pk=self.one.pk).save()
        return "AB"

    def let_go(self) -> str:
        raise NotImplementedError


class ReverseForeignKey(Reverse):
    path, row_model = "offers__name", shop.Offer

    def let_go(self) -> str:
        self.one.item = None
        self.one.save()
        return "A"


class NotNull(Reverse):
    changes = tuple(name for name in Reverse.changes if name != "let_go")


class ReverseOneToOne(NotNull):
    path, row_model = "detail__name", shop.Detail


class ReverseToField(NotNull):
    path, row_model = "price__name", shop.Price


class ReverseParentByTable(NotNull):
    """The row's name stands in the table of its parent, as which it is saved and deleted."""

    path, row_model = "stocks__name", shop.Stock

    def save(self) -> str:
        self.rename(shop.Holding.objects.get(pk=self.one.pk))
        return "A"

    def delete(self) -> str:
        shop.Holding.objects.get(pk=self.one.pk).delete()
        return "A"


class Generic(NotNull):
    """Rows of another content type with the same object ids must not count."""

    changes = (*NotNull.changes, "of_another_model", "to_another_model")
    path, row_model, owner = "notes__name", shop.Note, "subject"

    def re_point(self) -> str:
        self.one.subject = self.b
        self.one.save()
        return "AB"

    def of_another_model(self) -> str:
        maker = shop.Maker.objects.create(pk=self.a.pk, name="m")
        note = self.row(maker, "x")
        note.save()
        note.delete()
        return ""

    def to_another_model(self) -> str:
        self.one.content_type = ContentType.objects.get_for_model(shop.Maker)
        self.one.save()
        return "A"


class ReverseSelf(NotNull):
    """The rows are products, E of A and F of C."""

    path, row_model, owner = "variants__title", shop.Item, "parent"

    def row(self, owner: Any, name: str, **values: Any) -> Any:
        code = {"one": "E", "two": "F", "three": "G"}[name]
        return shop.Item(code=code, title=code, parent=owner, **values)

    def create(self) -> str:
        return super().create() + "G"

    def save(self) -> str:
        self.one.title = "changed"
        self.one.save()
        return "AE"

    def bulk_delete(self) -> str:
        self.row_model.objects.filter(parent__isnull=False).delete()
        return "AC"

    def re_point(self) -> str:
        self.one.title = "changed"
        self.one.parent = self.b
        self.one.save()
        return "ABE"

    def re_point_blind(self) -> str:
        row = self.row(self.b, "one", pk=self.one.pk)
        row.title = "changed"
        row.save()
        return "ABE"


class ReverseChildTable(Reverse):
    """The parts of A and C that stand in the table of a child."""

    path = "tool__power"
    changes = ("create", "save", "delete")

    def arrange(self) -> None:
        self.one, self.two = self.tool(self.a), self.tool(self.c)

    @staticmethod
    def tool(item: Any) -> Any:
        tool = shop.Tool(item_ptr=item, code=item.code, title=item.title)
        tool.save()
        return tool

    def create(self) -> str:
        self.tool(self.b)
        return "B"

    def save(self) -> str:
        self.one.power = 9
        self.one.save(update_fields=["power"])
        return "A"

    def delete(self) -> str:
        self.one.delete(keep_parents=True)
        return "A"


class ReverseReverse(NotNull):
    """The batches of the offers: `one` is of A's offer, `two` of C's; B's offer has none."""

    path, row_model, owner = "offers__batches__name", shop.Batch, "offer"
    changes = (*NotNull.changes, "middle_delete", "middle_re_point")

    def row(self, owner: Any, name: str, **values: Any) -> Any:
        return super().row(owner.offers.get(), name, **values)

    def arrange(self) -> None:
        for item in (self.a, self.b, self.c):
            item.offers.create(name="offer")
        super().arrange()

    def re_point(self) -> str:
        self.one.offer = self.b.offers.get()
        self.one.save()
        return "AB"

    def middle_delete(self) -> str:
        self.one.offer.delete()
        return "A"

    def middle_re_point(self) -> str:
        self.one.offer.item = self.b
        self.one.offer.save()
        return "AB"


class ReverseForward(Forward):
    """The seller of the offers."""

    path, target_model = "offers__seller__name", shop.Seller

    def attach(self, item: Any, target: Any) -> None:
        offer = item.offers.first() or shop.Offer(item=item, name="offer")
        offer.seller = target
        offer.save()


class ReverseThrough(ReverseForward):
    """By the rows of a many-to-many's own table."""

    path, target_model = "placement__shelf__name", shop.Shelf
    changes = ("create", "save", "delete", "bulk_delete", "re_point")

    def attach(self, item: Any, target: Any) -> None:
        row = item.placement_set.first() or shop.Placement(item=item)
        row.shelf = target
        row.save()
