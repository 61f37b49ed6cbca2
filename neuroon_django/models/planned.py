"""Changes that come by the clock alone, such as a sale's end: the outbox of what is not yet.

Whoever renders a product plans the moment that its feed gives; when it has come, a fold records the
change as a save would have. A plan too many costs one look at a product.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models, transaction
from django.db.models import QuerySet
from django.utils import timezone

from neuroon_django.models.assignment import Name
from neuroon_django.models.change import Change
from neuroon_django.models.sql import PrimaryManager, retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models.shop import ShopState

MOST = 500  # changes recorded at once


class PlannedChangeQuerySet(QuerySet["PlannedChange"]):
    """Plans of one shop or all."""

    def come(self, shop: ShopState) -> Self:
        """Return the plans whose moment has come, by the clock that the shop's feed gave it by."""
        return self.filter(shop=shop, at__lte=timezone.now())

    @retry_on_deadlock
    def plan(self, shop: ShopState, moments: Mapping[Name, datetime]) -> None:
        """Plan changes of objects, by model label and key, each in the place of its earlier plan."""
        known: dict[Name, datetime] = {}
        pks: dict[Name, int] = {}
        found = self.filter(shop=shop, object_pk__in={object_pk for _, object_pk in moments})
        for pk, model, object_pk, at in found.values_list("pk", "model", "object_pk", "at"):
            known[model, object_pk], pks[model, object_pk] = at, pk
        new = {name: at for name, at in moments.items() if known.get(name) != at}
        if not new:
            return
        with transaction.atomic(self.db):
            self.filter(pk__in=[pks[name] for name in new if name in pks]).delete()
            self.bulk_create(
                self.model(shop=shop, model=model, object_pk=object_pk, at=at)
                for (model, object_pk), at in new.items()
            )

    @retry_on_deadlock
    def record(self, shop: ShopState) -> None:
        """Record the changes whose moment has come."""
        come = list(self.come(shop).order_by("at")[:MOST])
        if come:
            with transaction.atomic(self.db):
                Change.objects.append((plan.model, plan.object_pk) for plan in come)
                self.filter(pk__in=[plan.pk for plan in come]).delete()


class PlannedChange(models.Model):
    """ "This object changes then": appended by workers, and recorded as a change by them."""

    id = models.BigAutoField(primary_key=True)
    shop = models.ForeignKey(
        "neuroon_django.ShopState", models.CASCADE, related_name="+", db_index=False
    )
    model = models.CharField(max_length=200)
    object_pk = models.CharField(max_length=255)
    at = models.DateTimeField()

    objects = PrimaryManager.from_queryset(PlannedChangeQuerySet)()

    class Meta:
        base_manager_name = "objects"
        indexes = [
            models.Index(fields=["at", "shop"], name="neuroon_planned_at"),
            models.Index(fields=["object_pk", "model", "shop"], name="neuroon_planned_object"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.object_pk} {self.at}"
