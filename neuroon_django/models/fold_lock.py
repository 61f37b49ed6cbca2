"""The turn to fold, which folds and scans of a shop take one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from neuroon_django.models.sql import PrimaryManager

if TYPE_CHECKING:
    from neuroon_django.models.shop import ShopState


class FoldLockQuerySet(QuerySet["FoldLock"]):
    """The turn to fold."""

    def hold_all(self, shops: Iterable[ShopState]) -> None:
        """Take the turn for several shops, always in one order."""
        for shop in sorted(shops, key=lambda shop: shop.pk):
            self.hold(shop)

    def hold(self, shop: ShopState) -> None:
        """Take the turn, by the first statement of a transaction, until it ends."""
        if not self.filter(shop=shop).update(folds=F("folds") + 1):
            self.get_or_create(shop=shop)
            self.filter(shop=shop).update(folds=F("folds") + 1)

    def folds(self, shop: ShopState) -> int:
        """Return how many folds there were."""
        return self.filter(shop=shop).values_list("folds", flat=True).first() or 0


class FoldLock(models.Model):
    """Whose turn it is to fold, in a row of its own: nothing that a page reads waits for a fold."""

    shop = models.OneToOneField(
        "neuroon_django.ShopState", models.CASCADE, primary_key=True, related_name="+"
    )
    folds = models.PositiveBigIntegerField(default=0)

    objects = PrimaryManager.from_queryset(FoldLockQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("fold lock")
        verbose_name_plural = _("fold locks")

    def __str__(self) -> str:
        return str(self.folds)
