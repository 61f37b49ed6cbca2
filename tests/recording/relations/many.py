"""Many-to-many relations, changed from either side and by the rows of their own tables."""

from __future__ import annotations

from typing import Any

from tests.recording.relations.forward import Forward
from tests.shop import models as shop


class Many(Forward):
    """Many-to-many: A and B are linked to `one`, C to `two`, D to nothing."""

    links: str
    back: str
    changes = (
        *("create", "save", "delete", "bulk_delete", "add", "remove", "set", "clear"),
        *("set_cleared", "create_back", "add_back", "remove_back", "set_back", "clear_back"),
    )

    def to(self, item: Any) -> Any:
        return getattr(item, self.links)

    def back_from(self, target: Any) -> Any:
        return getattr(target, self.back)

    def attach(self, item: Any, target: Any) -> None:
        self.to(item).add(target)

    def add(self) -> str:
        self.to(self.a).add(self.two)
        return "A"

    def remove(self) -> str:
        self.to(self.a).remove(self.one)
        return "A"

    def set(self) -> str:
        self.to(self.a).set([self.two])
        return "A"

    def set_cleared(self) -> str:
        self.to(self.a).set([self.two], clear=True)
        return "A"

    def clear(self) -> str:
        self.to(self.a).clear()
        return "A"

    def create_back(self) -> str:
        raise NotImplementedError

    def add_back(self) -> str:
        self.back_from(self.two).add(self.a, self.d)
        return "AD"

    def remove_back(self) -> str:
        self.back_from(self.one).remove(self.a)
        return "A"

    def set_back(self) -> str:
        self.back_from(self.one).set([self.b, self.c])
        return "AC"

    def clear_back(self) -> str:
        self.back_from(self.one).clear()
        return "AB"


class ManyToMany(Many):
    path, links, back, target_model = "labels__name", "labels", "items", shop.Label

    def create_back(self) -> str:
        self.one.items.create(code="E", title="E")
        return "E"


class ManyToManyForward(ManyToMany):
    """The groups of the labels: a label of its own for each item."""

    path, target_model = "labels__group__name", shop.Group
    changes = (*Forward.changes, "middle_clear")

    def attach(self, item: Any, target: Any) -> None:
        label = item.labels.first() or item.labels.create(name="label")
        label.group = target
        label.save()

    def middle_clear(self) -> str:
        self.a.labels.get().items.clear()
        return "A"


class ManyToManyThrough(Many):
    path, links, back, target_model = "shelves__name", "shelves", "item_set", shop.Shelf
    changes = (
        *(name for name in Many.changes if name != "create_back"),
        *("row_create", "row_delete", "row_bulk_delete", "row_to_item", "row_to_target"),
    )

    def link(self) -> Any:
        return shop.Placement.objects.get(item=self.a)

    def row_create(self) -> str:
        shop.Placement.objects.create(item=self.d, shelf=self.one)
        return "D"

    def row_delete(self) -> str:
        self.link().delete()
        return "A"

    def row_bulk_delete(self) -> str:
        shop.Placement.objects.filter(shelf=self.one).delete()
        return "AB"

    def row_to_item(self) -> str:
        link = self.link()
        link.item = self.d
        link.save()
        return "AD"

    def row_to_target(self) -> str:
        link = self.link()
        link.shelf = self.two
        link.save()
        return "A"


class ToProducts(Many):
    """Many-to-many with itself: the targets are products, E and F."""

    changes = tuple(name for name in Many.changes if name != "create_back")

    def target(self, name: str) -> Any:
        return self.item({"one": "E", "two": "F", "three": "G"}[name])

    def create(self) -> str:
        super().create()
        return "DG"

    def save(self) -> str:
        self.one.title = "changed"
        self.one.save()
        return "ABE"

    def bulk_delete(self) -> str:
        self.model.objects.filter(pk__in=[self.one.pk, self.two.pk]).delete()
        return "ABC"


class SelfManyToMany(ToProducts):
    path, links, back = "extras__title", "extras", "fits"


class SelfManyToManyBackwards(ToProducts):
    """The same relation, read from its other side."""

    path, links, back = "fits__title", "fits", "extras"


class SelfManyToManyThrough(ToProducts):
    path, links, back = "successors__title", "successors", "predecessors"
    changes = (*ToProducts.changes, "row_create", "row_delete", "row_to_target")

    def row_create(self) -> str:
        shop.Succession.objects.create(older=self.d, newer=self.one)
        return "D"

    def row_delete(self) -> str:
        shop.Succession.objects.get(older=self.a).delete()
        return "A"

    def row_to_target(self) -> str:
        link = shop.Succession.objects.get(older=self.a)
        link.newer = self.two
        link.save()
        return "A"


class SelfManyToManyThroughBackwards(ToProducts):
    path, links, back = "predecessors__title", "predecessors", "successors"
    changes = (*ToProducts.changes, "row_create", "row_delete")

    def row_create(self) -> str:
        shop.Succession.objects.create(older=self.one, newer=self.d)
        return "D"

    def row_delete(self) -> str:
        shop.Succession.objects.get(newer=self.a).delete()
        return "A"


class Symmetrical(ToProducts):
    """Both sides see the other."""

    path, links, back = "twins__title", "twins", "twins"
    also_looked_at = "BCEF"

    def create(self) -> str:
        super().create()
        return "DG"

    def add(self) -> str:
        return super().add() + "F"

    def remove(self) -> str:
        return super().remove() + "E"

    def set(self) -> str:
        return super().set() + "EF"

    def set_cleared(self) -> str:
        return super().set_cleared() + "EF"

    def clear(self) -> str:
        return super().clear() + "E"

    def add_back(self) -> str:
        return super().add_back() + "F"

    def remove_back(self) -> str:
        return super().remove_back() + "E"

    def set_back(self) -> str:
        return super().set_back() + "E"

    def clear_back(self) -> str:
        return super().clear_back() + "E"


class ReverseManyToMany(Many):
    """The colours of the offers."""

    path, links, back, target_model = "offers__colours__name", "colours", "offers", shop.Colour
    changes = tuple(name for name in Many.changes if name != "create_back")

    def arrange(self) -> None:
        for item in (self.a, self.b, self.c, self.d):
            item.offers.create(name="offer")
        super().arrange()

    def to(self, item: Any) -> Any:
        return item.offers.get().colours

    def add_back(self) -> str:
        self.two.offers.add(self.a.offers.get(), self.d.offers.get())
        return "AD"

    def remove_back(self) -> str:
        self.one.offers.remove(self.a.offers.get())
        return "A"

    def set_back(self) -> str:
        self.one.offers.set([self.b.offers.get(), self.c.offers.get()])
        return "AC"
