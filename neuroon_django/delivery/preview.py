"""A rehearsal: what a run would send, delete and keep back, without a request and without a claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from neuroon_django.delivery.fold import fold_all
from neuroon_django.delivery.parcels import sort
from neuroon_django.feeds import ProductFeed, registry
from neuroon_django.models import ShopState, SyncedProduct
from neuroon_django.querysets import Lane

PAGE = 500


class Move(NamedTuple):
    """One thing that a run would do: "send" with the payload, "delete", or "keep" with the reason."""

    verb: str
    external_id: str
    told: str = ""


def rehearse(shop: ShopState, *, scan: bool, full: bool, retry: bool) -> Iterator[Move]:
    """What a run with these options would do, in the order of the mirror or of the catalogue."""
    fold_all(shop)
    if scan or full:
        for feed in registry.products():
            yield from _catalogue(shop, feed, forget=full)
        yield from _deletes(shop)
    else:
        rows = SyncedProduct.objects.of(shop)
        rejected = rows.filter(status="rejected", contested=False)
        yield from _pending(rows.waiting() | rejected if retry else rows.waiting(), forget=retry)


def _pages(rows: Any) -> Iterator[list[SyncedProduct]]:
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:PAGE]):
        yield page
        last = page[-1].pk


def _pending(rows: Any, *, forget: bool) -> Iterator[Move]:
    for page in _pages(rows):
        yield from _moves([row for row in page if row.lane != Lane.DELETES], forget)
        yield from (Move("delete", r.external_id) for r in page if r.lane == Lane.DELETES and r.held)


def _catalogue(shop: ShopState, feed: ProductFeed[Any], *, forget: bool) -> Iterator[Move]:
    """Every product of a feed, as its row stands or as a new row would."""
    queryset = feed.present().order_by("pk")
    last = None
    while pks := list(
        (queryset if last is None else queryset.filter(pk__gt=last)).values_list("pk", flat=True)[:PAGE]
    ):
        last = pks[-1]
        names = feed.names(pks)
        owned = SyncedProduct.objects.of(shop).filter(model=feed.label, object_pk__in=names)
        rows = {row.object_pk: row for row in owned}
        for pk, name in names.items():
            if pk not in rows or name not in (None, rows[pk].external_id):
                rows[pk] = SyncedProduct(model=feed.label, object_pk=pk, external_id=name or "")
        yield from _moves([rows[pk] for pk in names], forget)


def _deletes(shop: ShopState) -> Iterator[Move]:
    """What Neuroon has and the shop has no more."""
    for page in _pages(SyncedProduct.objects.of(shop).filter(held=True)):
        alive = set()
        for feed in registry.products():
            pks = feed.pks(row.object_pk for row in page if row.model == feed.label)
            alive |= {(feed.label, pk) for pk in feed.names(pks.values())} if pks else set()
        gone = [row for row in page if (row.model, row.object_pk) not in alive]
        yield from (Move("delete", row.external_id) for row in gone)


def _moves(rows: Sequence[SyncedProduct], forget: bool) -> Iterator[Move]:
    if forget:
        for row in rows:
            row.digest = ""
    found = sort(rows)
    for row, payload in zip(found.rows, found.payloads, strict=True):
        yield Move("send", row.external_id, payload.decode())
    for row, reason in found.rejected:
        yield Move("keep", row.external_id or row.object_pk, reason)
    unlisted = [row for row in found.done_rows if found.done.values[row.pk].get("lane") == Lane.DELETES]
    yield from (Move("delete", row.external_id) for row in unlisted)
