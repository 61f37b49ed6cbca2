"""Parents before children: what names a parent is sent once Neuroon has that one (API.md).

The channel of products asks here before it makes a batch, and again when it knows what became of one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from neuroon_django.delivery.building import BuildResult
from neuroon_django.delivery.scan import Scan
from neuroon_django.feeds import Rendered, registry
from neuroon_django.models import ProductStatus, ShopState, SyncedProduct, WaitingChild
from neuroon_django.models.assignment import key_of

NOT_COMING = (ProductStatus.REJECTED, ProductStatus.UNLISTED, ProductStatus.DELETING)


class ParentOrder:
    """Keeps the children of one run back until Neuroon has their parents.

    It costs nothing where no feed says what a product's parent is, nor on the shops route, which has
    no field for it.
    """

    def __init__(self, shop: ShopState, scan: Scan | None) -> None:
        self.shop = shop
        self.scan = scan
        self.looked_again = scan is None
        feeds = registry.products(shop.config)
        self.in_use = any("parent" in source.compiled for source in feeds)

    def put_off(self, built: BuildResult) -> None:
        """Take out of what is to be sent the children whose parent Neuroon does not have.

        They wait for it; where it is not on its way, they are rejected until it is. While the
        catalogue is being scanned, a parent that nobody knows may still be found.
        """
        children = _children(built) if self.in_use and self.shop.known_route != "shops" else []
        parents = self._rows_of({one.parent for _, one in children})
        late = [(row, one) for row, one in children if not _is_in_neuroon(parents.get(one.parent))]
        if not late:
            return
        _leave_out(built, {row.pk for row, _ in late})
        waiting = [((row.model, row.object_pk), one.parent) for row, one in late]
        WaitingChild.objects.note(self.shop, waiting)
        for row, one in late:
            built.put_off[row.pk] = one.parent
            if reason := self._why_not_coming(one.parent, parents.get(one.parent)):
                built.reject(row, reason)
            else:
                built.outcomes.stale(row, f"waits until Neuroon has its parent {one.parent!r}")

    def _why_not_coming(self, parent: str, row: SyncedProduct | None) -> str:
        """Return why a parent is not on its way, "" where it is or may be."""
        if row is None:
            found = self.scan is not None and bool(self.scan.position.walk)
            return "" if found else f"its parent {parent!r} is no product of the shop's feeds"
        settled = row.status in NOT_COMING and row.due_at is None
        return f"its parent {parent!r} is {row.status}" if settled else ""

    def built(self, built: BuildResult) -> None:
        """Wake children whose parent is kept back, or came while they were put off.

        A child that was put off wakes none itself: two products may name each other as their parent.
        """
        if not self.in_use:
            return
        kept_back = [row for row, _ in built.rejected if row.pk not in built.put_off]
        parents = self._rows_of(set(built.put_off.values()))
        came = [external_id for external_id, row in parents.items() if _is_in_neuroon(row)]
        self._wake([row.external_id for row in kept_back + built.unlisted] + came)

    def settled(self, rows: Sequence[SyncedProduct]) -> None:
        """Wake the children of products that were accepted or refused."""
        if self.in_use:
            self._wake([row.external_id for row in rows])

    def wake_all(self) -> bool:
        """Wake all that wait when the scan has seen everything; return whether there were any."""
        first, self.looked_again = not self.looked_again, True
        return first and self.in_use and WaitingChild.objects.wake(self.shop)

    def _wake(self, parents: Collection[str]) -> None:
        if parents:
            WaitingChild.objects.wake(self.shop, parents)

    def _rows_of(self, parents: Collection[str]) -> dict[str, SyncedProduct]:
        """Return the rows of external ids, by these."""
        if not parents:
            return {}
        keys = [key_of(parent) for parent in parents]
        return {
            row.external_id: row for row in SyncedProduct.objects.of(self.shop).filter(key__in=keys)
        }


def _children(built: BuildResult) -> list[tuple[SyncedProduct, Rendered]]:
    pairs = zip(built.rows, built.rendered, strict=True)
    return [(row, one) for row, one in pairs if one.parent]


def _leave_out(built: BuildResult, pks: set[int]) -> None:
    pairs = zip(built.rows, built.rendered, strict=True)
    kept = [(row, one) for row, one in pairs if row.pk not in pks]
    built.rows, built.rendered = [row for row, _ in kept], [one for _, one in kept]


def _is_in_neuroon(row: SyncedProduct | None) -> bool:
    """Return whether Neuroon is known to have a product, in its present version or an earlier one."""
    if row is None or not row.in_neuroon:
        return False
    return bool(row.digest) or row.status == ProductStatus.REJECTED
