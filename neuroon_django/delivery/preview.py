"""A preview: what a run would send, delete and reject, without a request and without a claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from neuroon_django.delivery.absent import gone_among, warning_of
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
from neuroon_django.models.assignment import id_conflict_reason, key_of

PAGE = 500


class Planned(NamedTuple):
    """One thing that a run would do, with the payload that is sent or the reason of a rejection.

    A feed is kept of which a scan would find too much to be gone, for the reason in the text.
    """

    verb: Literal["send", "delete", "reject", "keep"]
    name: str
    text: str = ""


def preview_products(
    shop: ShopState, *, scan: bool, full: bool, retry: bool, forced: bool = False
) -> Iterator[Planned]:
    """Yield what a run with these options would do, in the order of the mirror or the catalogue."""
    fold_all(shop)
    rows = SyncedProduct.objects.of(shop)
    if scan or full:
        unlisted: set[int] = set()
        given: set[str] = set()
        for source in registry.products(shop.config):
            yield from _catalogue(shop, source, given, unlisted, forget=full)
        yield from _deletes(shop, unlisted, forced=forced)
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
    unlisted: set[int] = set()
    yield from _steps(shop, [row for row in rows if row.lane != Lane.DELETES], unlisted, forget)
    leave = (row for row in rows if row.lane == Lane.DELETES or row.pk in unlisted)
    yield from (Planned("delete", row.external_id) for row in leave if row.in_neuroon)


def _catalogue(
    shop: ShopState, source: ProductSource[Any], given: set[str], unlisted: set[int], *, forget: bool
) -> Iterator[Planned]:
    """Yield a step per product of a feed, as its row stands or as a new row would.

    `given` are the keys of the external ids that products without a row have got so far.
    """
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
        _give_ids(shop, [rows[pk] for pk in external_ids], given)
        yield from _steps(shop, [rows[pk] for pk in external_ids], unlisted, forget)
        if not last:
            return


def _give_ids(shop: ShopState, rows: Sequence[SyncedProduct], given: set[str]) -> None:
    """Mark new rows whose external id another product has, or has got before them."""
    fresh = [row for row in rows if row.pk is None and row.external_id]
    owners = SyncedProduct.objects.owners(shop, [row.external_id for row in fresh])
    for row in fresh:
        key, owner = key_of(row.external_id), owners.get(row.external_id)
        if key in given or (owner and owner != (row.model, row.object_pk)):
            row.id_conflict = True
            row.last_error = id_conflict_reason(row.external_id, owner)
        given.add(key)


def _deletes(shop: ShopState, unlisted: set[int], *, forced: bool) -> Iterator[Planned]:
    """Yield the deletes of what Neuroon has and the shop does not have, or not list, any more.

    What is not queued yet is counted as a scan counts it, and kept where that is too much.
    """
    absent: dict[str, list[str]] = {}
    known = SyncedProduct.objects.of(shop).of_labels(registry.product_labels(shop.config))
    for page in _pages(known.filter(in_neuroon=True)):
        leaving = unlisted.union(gone_among(shop, page))
        for row in page:
            if not row.model or (row.pk in leaving and row.due_at is not None):
                yield Planned("delete", row.external_id)
            elif row.pk in leaving:
                absent.setdefault(row.model, []).append(row.external_id)
    counts = SyncedProduct.objects.of(shop).count_by_model()
    for label, external_ids in absent.items():
        warning = "" if forced else warning_of(label, len(external_ids), counts)
        if warning:
            yield Planned("keep", f"{label}:", warning)
        else:
            yield from (Planned("delete", external_id) for external_id in external_ids)


def _steps(
    shop: ShopState, rows: Sequence[SyncedProduct], unlisted: set[int], forget: bool
) -> Iterator[Planned]:
    """Yield what is sent and rejected of these rows, and note which are not listed any more."""
    if forget:
        for row in rows:
            row.digest = ""
    yield from (Planned("reject", row.external_id, row.last_error) for row in rows if row.id_conflict)
    rows = [row for row in rows if not row.id_conflict]
    built = build(rows, render_rows(shop, rows))
    for row, one in zip(built.rows, built.rendered, strict=True):
        yield Planned("send", row.external_id, one.payload.decode())
    for row, reason in built.rejected:
        yield Planned("reject", row.external_id or row.object_pk, reason)
    unlisted.update(row.pk for row in built.unlisted if row.in_neuroon)
