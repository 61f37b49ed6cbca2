"""What concerns several shops at once: one transaction folds a change for all of them (law 20)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from django.db.models import Count, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from neuroon_django.conf import conf
from neuroon_django.models.change import unseen
from neuroon_django.models.product import SyncedProduct

if TYPE_CHECKING:
    from neuroon_django.models.shop import ShopState

SCANNED = ~Q(scanned_at=None) | ~Q(scan_cursor="")  # a scan was begun or ended


class SeveralShopsQuerySet(QuerySet["ShopState"]):
    """What happens to the rows of several shops, and what one shop's fold asks of the others."""

    def folded_with(self, shop: ShopState) -> list[ShopState]:
        """Return the shops that changes are folded for: this one and every other configured one.

        They come in the order of their locks. One that can send has a row from now on: an order
        clicked in its pages is its own before its first run.
        """
        configs = {config.identity: config for config in conf.shops().values() if config.SHOP_ID}
        configs.pop(shop.identity, None)
        if not configs:
            return [shop]
        others = []
        for other in self.filter(shop_id__in={shop_id for shop_id, _ in configs}):
            if other.identity in configs:
                other.config = configs.pop(other.identity)
                others.append(other)
        others += [self.model.objects.for_config(one) for one in configs.values() if one.can_send]
        return sorted([shop, *others], key=lambda shop: shop.pk)

    def unconfigured(self) -> Self:
        """Return the rows that no shop of the settings stands for.

        `in_neuroon` is how many of their products are still at Neuroon, as far as is known.
        """
        configured = Q(pk__in=[])
        for config in conf.shops().values():
            configured |= Q(shop_id=config.SHOP_ID, api_url=config.API_URL)
        there = SyncedProduct.objects.filter(shop=OuterRef("pk"), in_neuroon=True).order_by()
        counts = there.values("shop").annotate(n=Count("pk")).values("n")
        return self.exclude(configured).annotate(in_neuroon=Coalesce(counts, 0)).order_by("pk")

    def request_other_scans(self, folded: Iterable[int]) -> None:
        """Make every shop scan but those of these keys: what was folded for these is unknown there."""
        # Read first: at REPEATABLE READ, MariaDB locks every row that an UPDATE looks at, and pages
        # would wait for the fold.
        others = self.exclude(pk__in=folded).filter(SCANNED).values_list("pk", flat=True)
        if pks := list(others):
            self.filter(pk__in=pks)._scan_anew()

    def fold_failed(self, pk: int, reason: str) -> None:
        """Note why changes could not be folded for a shop: it scans in their stead."""
        mine = self.filter(pk=pk)
        mine._scan_anew()
        mine.update(fold_error=reason)

    def _scan_anew(self) -> None:
        """Begin a scan anew that was begun or ended; one that waits for a retry waits on."""
        self.filter(SCANNED).update(scanned_at=None, scanned_labels=[], scan_cursor="")

    def request_scans_of_unseen(self) -> bool:
        """Make every shop scan if this process saw changes that it did not record; return whether."""
        if not unseen.is_set():
            return False
        unseen.clear()
        self.update(scanned_at=None, scanned_labels=[], scan_cursor="", scan_retry_at=None)
        return True
