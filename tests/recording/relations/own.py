"""The product's own row, and products registered by a proxy or a child by table."""

from __future__ import annotations

from tests.recording.relations.forward import ForwardForeignKey, Relation
from tests.recording.relations.many import ManyToMany
from tests.recording.relations.reverse import ReverseForeignKey
from tests.shop import models as shop


class Itself(Relation):
    """No relation at all: the product's own row."""

    path = "title"
    changes = ("create", "save", "as_proxy", "as_child", "delete_as_proxy", "delete_as_child", "bulk")

    def arrange(self) -> None:
        shop.Tool(item_ptr=self.b, code="B", title="B").save()

    def create(self) -> str:
        self.item("E")
        return "E"

    def save(self) -> str:
        self.a.title = "changed"
        self.a.save()
        return "A"

    def as_proxy(self) -> str:
        proxy = shop.ItemProxy.objects.get(code="A")
        proxy.title = "changed"
        proxy.save()
        return "A"

    def as_child(self) -> str:
        tool = shop.Tool.objects.get(code="B")
        tool.title = "changed"
        tool.save()
        return "B"

    def delete_as_proxy(self) -> str:
        shop.ItemProxy.objects.get(code="A").delete()
        return ""

    def delete_as_child(self) -> str:
        shop.Tool.objects.get(code="B").delete()
        return ""

    def bulk(self) -> str:
        self.model.objects.filter(code__in="AB").delete()
        return ""


class ItselfProxy(Itself):
    """Registered by a proxy, saved as the real model."""

    model = shop.ItemProxy

    def save(self) -> str:
        item = shop.Item.objects.get(code="A")
        item.title = "changed"
        item.save()
        return "A"


class ItselfChild(Itself):
    """Registered by a child by table, saved and deleted as its parent."""

    model = shop.Tool
    changes = ("create", "save", "as_child", "delete_as_parent", "delete_as_child", "not_a_child")

    def arrange(self) -> None:
        pass

    def save(self) -> str:
        item = shop.Item.objects.get(code="A")
        item.title = "changed"
        item.save()
        return "A"

    def delete_as_parent(self) -> str:
        shop.Item.objects.get(code="A").delete()
        return ""

    def not_a_child(self) -> str:
        shop.Item.objects.create(code="X", title="X")
        return ""


class ChildsForeignKey(ForwardForeignKey):
    """Registered by a child by table, related by its parent's columns."""

    model = shop.Tool


class ChildsManyToMany(ManyToMany):
    model = shop.Tool

    def create_back(self) -> str:
        self.one.items.create(code="E", title="not a tool")
        return ""


class ChildsReverse(ReverseForeignKey):
    model = shop.Tool


class ProxysForeignKey(ForwardForeignKey):
    model = shop.ItemProxy


class ProxysManyToMany(ManyToMany):
    model = shop.ItemProxy
