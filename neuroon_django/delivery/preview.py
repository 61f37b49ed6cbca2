"""A preview: what a run would send, delete and reject, without a request and without a claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from neuroon_django.delivery.building import build, render_rows
from neuroon_django.delivery.fold import fold_all, fold_orders
from neuroon_django.delivery.orders import report_rows
from neuroon_django.feeds import Invalid, ProductSource, Report, registry
from neuroon_django.models import (
    Conversion,
    ConversionStatus,
    Lane,
    ProductStatus,
    ShopState,
    SyncedProduct,
)

PAGE = 500


class Planned(NamedTuple):
    """One thing that a run would do, with the payload that is sent or the reason of a rejection."""

    verb: Literal["send", "delete", "reject"]
    name: str
    text: str = ""


def preview_products(shop: ShopState, *, scan: bool, full: bool, retry: bool) -> Iterator[Planned]:
    """Yield what a run with these options would do, in the order of the mirror or the catalogue."""
    fold_all(shop)
    rows = SyncedProduct.objects.of(shop)
    if scan or full:
        for source in registry.products(shop.config):
            yield from _catalogue(shop, source, forget=full)
        yield from _deletes(shop)
        return
    due = rows.waiting()
    if retry:
        due |= rows.filter(status=ProductStatus.REJECTED, id_conflict=False)
    yield from _pending(shop, due, forget=retry)


def preview_orders(shop: ShopState, *, scan: bool, retry: bool) -> Iterator[Planned]:
    """Yield what is due; with `scan` what was paid without a signal, with `retry` what was rejected."""
    while fold_orders(shop):
        pass
    rows = Conversion.objects.of(shop)
    due = rows.waiting()
    if scan:
        due |= rows.filter(status=ConversionStatus.WAITING).exclude(clicks="")
    if retry:
        due |= rows.filter(status=ConversionStatus.REJECTED)
    for page in _pages(due):
        results = report_rows(shop, page)
        for row in page:
            result = results[row.pk]
            if isinstance(result, Invalid):
                order_id = result.order_id or row.order_id or row.object_pk
                yield Planned("reject", f"Order {order_id}:", result.reason)
            elif isinstance(result, Report) and result.body:
                yield Planned("send", f"Order {result.order_id}:", result.body.decode())


def _pages(rows: Any) -> Iterator[list[Any]]:
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:PAGE]):
        yield page
        last = page[-1].pk


def _pending(shop: ShopState, rows: Any, *, forget: bool) -> Iterator[Planned]:
    for page in _pages(rows):
        yield from preview_rows(shop, page, forget=forget)


def preview_rows(
    shop: ShopState, rows: Sequence[SyncedProduct], *, forget: bool = True
) -> Iterator[Planned]:
    """Yield what a run would do with these rows; with `forget` whatever Neuroon is known to hold."""
    yield from _steps(shop, [row for row in rows if row.lane != Lane.DELETES], forget)
    deletes = (row for row in rows if row.lane == Lane.DELETES and row.in_neuroon)
    yield from (Planned("delete", row.external_id) for row in deletes)


def _catalogue(shop: ShopState, source: ProductSource[Any], *, forget: bool) -> Iterator[Planned]:
    """Yield a step per product of a feed, as its row stands or as a new row would."""
    last = ""
    while pks := source.keys_after(last, PAGE):
        last = source.encode_cursor(pks[-1])
        external_ids = source.external_ids(pks)
        owned = SyncedProduct.objects.of(shop).filter(model=source.label, object_pk__in=external_ids)
        rows = {row.object_pk: row for row in owned}
        for pk, external_id in external_ids.items():
            if pk not in rows or external_id not in (None, rows[pk].external_id):
                row = SyncedProduct(model=source.label, object_pk=pk, external_id=external_id or "")
                rows[pk] = row
        yield from _steps(shop, [rows[pk] for pk in external_ids], forget)
        if not last:
            return


def _deletes(shop: ShopState) -> Iterator[Planned]:
    """Yield the deletes of what Neuroon has and the shop does not have any more."""
    known = SyncedProduct.objects.of(shop).of_labels(registry.product_labels(shop.config))
    for page in _pages(known.filter(in_neuroon=True)):
        alive = set()
        for source in registry.products(shop.config):
            pks = [row.object_pk for row in page if row.model == source.label]
            alive |= {(source.label, pk) for pk in source.existing(pks)} if pks else set()
        gone = [row for row in page if (row.model, row.object_pk) not in alive]
        yield from (Planned("delete", row.external_id) for row in gone)


def _steps(shop: ShopState, rows: Sequence[SyncedProduct], forget: bool) -> Iterator[Planned]:
    if forget:
        for row in rows:
            row.digest = ""
    built = build(rows, render_rows(shop, rows))
    for row, one in zip(built.rows, built.rendered, strict=True):
        yield Planned("send", row.external_id, one.payload.decode())
    for row, reason in built.rejected:
        yield Planned("reject", row.external_id or row.object_pk, reason)
    yield from (Planned("delete", row.external_id) for row in built.unlisted if row.in_neuroon)
