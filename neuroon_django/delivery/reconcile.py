"""Reconcile: compare Neuroon's own list with the shop, and repair what differs.

The list is read page by page, and may shift while it is read: what seems lost is looked for in a
second reading before it is believed, and what Neuroon alone seems to have is looked up again in the
transaction that gives it a tombstone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from django.db import transaction

from neuroon_django.api import Client, messages
from neuroon_django.api.retry import call_with_retries
from neuroon_django.delivery.absent import is_too_much
from neuroon_django.delivery.building import build, render_rows
from neuroon_django.delivery.differences import Comparison, difference, is_deletable
from neuroon_django.delivery.fold import fold_all, make_due
from neuroon_django.delivery.pacing import Pacing
from neuroon_django.delivery.scan import Scan
from neuroon_django.exceptions import ApiError, NeuroonError, NoProductList
from neuroon_django.feeds import registry
from neuroon_django.models import FoldLock, Group, Lane, ProductStatus, ShopState, SyncedProduct
from neuroon_django.models.assignment import key_of

CHUNK = 500
NO_ENDPOINT = (404, 405)  # statuses of a path, or a method of it, that does not exist

T = TypeVar("T")


class Reconciliation:
    """One comparison of a shop with its Neuroon. `on_page` hears how many were listed so far."""

    def __init__(
        self, shop: ShopState, client: Client, on_page: Callable[[int, int], None] = lambda n, of: None
    ) -> None:
        self.shop = shop
        self.client = client
        self.on_page = on_page
        self.pacing = Pacing(shop, foreground=True, until=float("inf"))
        self.found = Comparison()
        self.seen: set[int] = set()
        self.unknown = 0  # listed products whose feed is not here

    def compare(self) -> Comparison:
        """Read the list, and once more where something seems to be missing from it."""
        for page in self._pages():
            self._compare_page(page)
        if lost := self._unseen():
            for page in self._pages():
                keys = [key_of(item.external_id) for item in page]
                self.seen.update(self._rows.filter(key__in=keys).values_list("pk", flat=True))
            self.found.lost = {pk: name for pk, name in lost.items() if pk not in self.seen}
        conflicts = self._rows.filter(id_conflict=True, model__in=self._known_labels)
        self.found.id_conflicts = dict(conflicts.values_list("pk", "last_error"))
        owned = self._rows.filter(in_neuroon=True).exclude(model__in=self._known_labels)
        self.found.without_feed = dict(owned.values_list("pk", "external_id"))
        here = sum(source.count() for source in registry.products(self.shop.config))
        self.shop.note_totals(shop=here, neuroon=self.found.listed)
        return self.found

    def listed(self) -> Iterator[dict[str, str]]:
        """Everything that Neuroon shows, a page at a time: its own id by external id."""
        for page in self._pages():
            yield {item.external_id: item.id for item in page}

    def delete_refusal(self) -> str:
        """Return why nothing may be deleted at Neuroon, "" where it may."""
        if self.shop.scan_ended_at is None:
            return "the catalogue was never sent from here; run neuroon_sync first"
        if not any(s.keys_after("", 1) for s in registry.products(self.shop.config)):
            return "the shop's catalogue looks empty"
        had = self._rows.count_by_model()
        for label, gone in self._rows.filter(pk__in=self.found.gone).count_by_model().items():
            if is_too_much(gone, had[label]):
                return f"{gone:,} of {had[label]:,} products of {label} seem to be gone"
        gone, listed = self.found.to_delete, self.found.listed
        if 2 * gone > listed:
            return f"{gone:,} of {listed:,} would be deleted, which is more than half"
        return ""

    def repair(self, *, delete: bool, forced: bool = False) -> int:
        """Queue what has to be sent again and, with `delete`, deleted; return how many that is.

        With `forced` the scan before it believes whatever seems to be gone.
        """
        if delete and (self.found.only_remote or self.found.gone):
            self._scan_first(forced=forced)
        again = [*self.found.lost, *self.found.different]
        due: int = sum(self._rows.filter(pk__in=pks).requeue() for pks in _chunks(again))
        if delete:
            due += self.create_tombstones(self.found.only_remote)
            due += self._fold_again(self.found.gone)
            orphans = _chunks(self.found.without_feed)
            due += sum(self._rows.filter(pk__in=pks).disown() for pks in orphans)
        return due

    def _scan_first(self, *, forced: bool) -> None:
        """Fold and scan, so that the mirror knows all that the shop has before anything is deleted."""
        fold_all(self.shop)
        scan = Scan.due(self.shop, asked=True, forced=forced)
        while scan and scan.step():
            pass
        if scan and scan.failed:
            raise NeuroonError(f"{scan.failed} cannot be read; nothing was deleted.")

    def _fold_again(self, pks: Iterable[int]) -> int:
        """Make rows due as the shop has their products now, which it lists or has no more."""
        rows = [row for chunk in _chunks(pks) for row in self._rows.filter(pk__in=chunk)]
        for label in dict.fromkeys(row.model for row in rows):
            source = registry.product_source(label, self.shop.config)
            keys = [row.object_pk for row in rows if row.model == label]
            for chunk in _chunks(keys):
                with transaction.atomic(SyncedProduct.objects.db):
                    FoldLock.objects.hold(self.shop)
                    if source is not None:
                        make_due(self.shop, source, chunk, Lane.LIVE)
        return len(rows)

    def create_tombstones(self, listed: dict[str, str]) -> int:
        """Queue the deletes of what Neuroon shows and the shop does not have.

        Neuroon's own ids are used where the route asks for them, or the external id is none for a path.
        """
        by_own_id, due = self.shop.known_route == "shops", 0
        deletable = {
            external_id: own_id if by_own_id or not messages.fits_path(external_id) else ""
            for external_id, own_id in listed.items()
            if is_deletable(external_id, own_id)
        }
        for items in _chunks(deletable.items()):
            with transaction.atomic(SyncedProduct.objects.db):
                FoldLock.objects.hold(self.shop)
                due += SyncedProduct.objects.create_tombstones(self.shop, dict(items))
        return due

    @property
    def _rows(self) -> Any:
        return SyncedProduct.objects.of(self.shop)

    @property
    def _known_labels(self) -> list[str]:
        """Return the models of rows that this process answers for; "" is a row's without an object."""
        return ["", *registry.product_labels(self.shop.config)]

    def _pages(self) -> Iterator[Sequence[messages.ListedProduct]]:
        """The list, in the slots that all requests for products share."""
        number, seen = 0, 0
        while True:
            page = self._page(number)
            seen += len(page.content)
            self.on_page(seen, page.total_elements)
            yield page.content
            if page.is_last(number):
                return
            number += 1

    def _page(self, number: int) -> messages.Page:
        """Return one page of the list; raise `NoProductList` where Neuroon has no such endpoint."""
        if closed := self.pacing.wait_in_task(Group.PRODUCTS, float("inf")):
            raise NeuroonError(closed)
        reason = ""
        try:
            ask = partial(self.client.list_products, number)
            return call_with_retries(ask, self.shop.config.TIMEOUT)
        except ApiError as error:
            if error.status not in NO_ENDPOINT:
                raise
            reason = str(error)
        raise NoProductList(f"Neuroon cannot list its products here, so nothing was compared: {reason}")

    def _compare_page(self, page: Sequence[messages.ListedProduct]) -> None:
        items = {key_of(item.external_id): item for item in page}
        rows = {row.key: row for row in self._rows.filter(key__in=items)}
        settled: list[SyncedProduct] = []
        known = self._known_labels
        for key, item in items.items():
            row = rows.get(key)
            if row is None or (row.status == ProductStatus.UNLISTED and row.due_at is None):
                self.found.only_remote[item.external_id] = item.id
            elif row.pk in self.seen:
                continue  # the pages shifted
            elif row.model not in known:
                self.unknown += 1
            elif row.status == ProductStatus.SYNCED and row.due_at is None:
                settled.append(row)
            else:
                self.found.under_way += 1
            if row is not None:
                self.seen.add(row.pk)
        self._compare_rows(settled, items)
        found = self.found
        compared = found.same + found.under_way + len(found.different) + len(found.gone)
        found.listed = compared + self.unknown + len(found.only_remote)

    def _compare_rows(
        self, rows: list[SyncedProduct], items: dict[str, messages.ListedProduct]
    ) -> None:
        """Compare with what would be sent now; what cannot be sent now counts as rejected."""
        for row in rows:
            row.digest = ""
        built = build(rows, render_rows(self.shop, rows))
        for row, one in zip(built.rows, built.rendered, strict=True):
            text = difference(messages.decode(one.payload), items[row.key])
            if text:
                self.found.different[row.pk] = f"{row.external_id}: {text}"
            else:
                self.found.same += 1
        stale, unlisted = set(built.stale), {row.pk for row in built.unlisted}
        for row in rows:
            if row.pk in unlisted or (row.model, row.object_pk) in stale:
                self.found.gone[row.pk] = row.external_id
        self.found.under_way += len(built.rejected)

    def _unseen(self) -> dict[int, str]:
        """What Neuroon should have and did not show."""
        known = self._rows.filter(model__in=self._known_labels)
        settled = known.filter(status=ProductStatus.SYNCED, in_neuroon=True, due_at=None)
        rows = settled.values_list("pk", "external_id").iterator(CHUNK)
        return {pk: external_id for pk, external_id in rows if pk not in self.seen}


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
