"""Foreign keys and one-to-one relations whose column stands on the side that reads."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from tests.shop import models as shop


class Relation:
    path: str  # what the feed reads
    changes: tuple[str, ...]  # what can happen to it
    model: type[Model] = shop.Item
    also_looked_at = ""  # products that hang on a changed one, though not on what changed of it

    def prepare(self) -> None:
        self.a, self.b, self.c, self.d = (self.item(code) for code in "ABCD")
        self.arrange()

    def item(self, code: str) -> Any:
        return self.model.objects.create(code=code, title=code)

    def arrange(self) -> None:
        raise NotImplementedError

    @staticmethod
    def rename(thing: Any) -> None:
        thing.name = "changed"
        thing.save()


class Forward(Relation):
    """A and B point to `one`, C to `two`, D to nothing."""

    near: str  # the field of the item
    target_model: Any
    changes = ("create", "save", "delete", "bulk_delete", "re_point", "let_go")

    def target(self, name: str) -> Any:
        return self.target_model.objects.create(name=name)

    def attach(self, item: Any, target: Any) -> None:
        setattr(item, self.near, target)
        item.save()

    def arrange(self) -> None:
        self.one, self.two = self.target("one"), self.target("two")
        for item, target in ((self.a, self.one), (self.b, self.one), (self.c, self.two)):
            self.attach(item, target)

    def create(self) -> str:
        self.attach(self.d, self.target("three"))
        return "D"

    def save(self) -> str:
        self.rename(self.one)
        return "AB"

    def delete(self) -> str:
        self.one.delete()
        return "AB"

    def bulk_delete(self) -> str:
        self.target_model.objects.filter(pk__in=[self.one.pk, self.two.pk]).delete()
        return "ABC"

    def re_point(self) -> str:
        self.attach(self.a, self.two)
        return "A"

    def let_go(self) -> str:
        self.attach(self.a, None)
        return "A"


class ForwardForeignKey(Forward):
    path, near, target_model = "maker__name", "maker", shop.Maker


class ForwardToField(Forward):
    path, near = "origin__name", "origin"
    target_model = shop.Country

    def target(self, name: str) -> Any:
        return shop.Country.objects.create(name=name, iso=name[:2])


class ForwardToProxy(Forward):
    """Pointing to a proxy, whose objects are saved and deleted as the real model."""

    path, near, target_model = "agent__name", "agent", shop.MakerProxy

    def save(self) -> str:
        self.rename(shop.Maker.objects.get(pk=self.one.pk))
        return "AB"

    def delete(self) -> str:
        shop.Maker.objects.get(pk=self.one.pk).delete()
        return "AB"


class ForwardToReal(ForwardForeignKey):
    """Pointing to the real model, whose objects are saved and deleted by a proxy."""

    def save(self) -> str:
        self.rename(shop.MakerProxy.objects.get(pk=self.one.pk))
        return "AB"

    def delete(self) -> str:
        shop.MakerProxy.objects.get(pk=self.one.pk).delete()
        return "AB"


class ForwardToChild(Forward):
    """Pointing to a child by table, which is saved and deleted as its parent."""

    path, near, target_model = "house__name", "house", shop.House

    def save(self) -> str:
        self.rename(shop.Maker.objects.get(pk=self.one.pk))
        return "AB"

    def delete(self) -> str:
        shop.Maker.objects.get(pk=self.one.pk).delete()
        return "AB"


class ForwardToParent(ForwardForeignKey):
    """Pointing to a parent by table, which is saved and deleted as its child."""

    target_model = shop.House

    def attach(self, item: Any, target: Any) -> None:
        item.maker = target and target.maker_ptr
        item.save()


class ForwardOneToOne(Forward):
    """`one` is A's, `two` is C's."""

    path, near, target_model = "seo__name", "seo", shop.Seo

    def arrange(self) -> None:
        self.one, self.two = self.target("one"), self.target("two")
        self.attach(self.a, self.one)
        self.attach(self.c, self.two)

    def save(self) -> str:
        self.rename(self.one)
        return "A"

    def delete(self) -> str:
        self.one.delete()
        return "A"

    def bulk_delete(self) -> str:
        super().bulk_delete()
        return "AC"

    def re_point(self) -> str:
        self.attach(self.c, None)
        self.attach(self.a, self.two)
        return "AC"


class ForwardSelf(Forward):
    """The targets are products, E and F."""

    path, near = "parent__title", "parent"

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


class ForwardForward(Forward):
    """The country of the maker."""

    path, target_model = "maker__country__name", shop.Country

    def target(self, name: str) -> Any:
        return shop.Country.objects.create(name=name, iso=name[:2])

    def attach(self, item: Any, target: Any) -> None:
        item.maker = shop.Maker.objects.create(name="m", country=target)
        item.save()

    def re_point(self) -> str:
        self.a.maker.country = self.two
        self.a.maker.save()
        return "A"

    def let_go(self) -> str:
        self.a.maker.delete()
        return "A"
