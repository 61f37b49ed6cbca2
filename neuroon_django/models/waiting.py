"""Products that wait until Neuroon has their parent: API.md wants the parent to be sent before.

What is put off is settled, and noted here by its parent's key. Whatever becomes of the parent records
a change of its children, which a fold makes due again. An entry too many costs one look at a product.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import models, transaction
from django.db.models import QuerySet

from neuroon_django.models.assignment import Name, key_of
from neuroon_django.models.change import Change
from neuroon_django.models.sql import PrimaryManager, retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models.shop import ShopState

MOST = 500  # children woken at once


class WaitingChildQuerySet(QuerySet["WaitingChild"]):
    """Children by the parent that they wait for."""

    def note(self, shop: ShopState, children: Iterable[tuple[Name, str]]) -> None:
        """Note objects, by model label and key, each with its parent's external id."""
        self.bulk_create(
            self.model(shop=shop, parent_key=key_of(parent), model=model, object_pk=pk)
            for (model, pk), parent in children
        )

    @retry_on_deadlock
    def wake(self, shop: ShopState, parents: Iterable[str] | None = None) -> bool:
        """Record a change of the children of these external ids, or of all that wait."""
        waiting = self.filter(shop=shop)
        if parents is not None:
            waiting = waiting.filter(parent_key__in=[key_of(parent) for parent in parents])
        woken = False
        while children := list(waiting.order_by("pk")[:MOST]):
            with transaction.atomic(self.db):
                Change.objects.append(dict.fromkeys((c.model, c.object_pk) for c in children))
                self.filter(pk__in=[child.pk for child in children]).delete()
            woken = True
        return woken


class WaitingChild(models.Model):
    """An object whose parent is not in Neuroon yet."""

    id = models.BigAutoField(primary_key=True)
    shop = models.ForeignKey(
        "neuroon_django.ShopState", models.CASCADE, related_name="+", db_index=False
    )
    parent_key = models.CharField(max_length=64)
    model = models.CharField(max_length=200)
    object_pk = models.CharField(max_length=255)

    objects = PrimaryManager.from_queryset(WaitingChildQuerySet)()

    class Meta:
        base_manager_name = "objects"
        indexes = [models.Index(fields=["parent_key", "shop"], name="neuroon_waiting_child")]

    def __str__(self) -> str:
        return f"{self.model} {self.object_pk}"
