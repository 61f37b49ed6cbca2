"""Fold: change rows become due rows, in the order of first sight, none left behind.

A fold is one transaction that begins by taking the fold locks, so folds happen one after the other and
each reads the shop's objects after the one before it was committed. It takes the change rows off the
outbox and makes their rows due in that same transaction, for every shop of the project, as `fan_out`
says: all of it happens, or nothing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any

from django.db import transaction

from neuroon_django.delivery.fan_out import assignment_of, assignments_of, by_shop
from neuroon_django.delivery.planning import record_planned
from neuroon_django.feeds import ProductSource, registry
from neuroon_django.feeds.keys import MAX_KEY
from neuroon_django.models import (
    Assignment,
    Change,
    Conversion,
    FoldLock,
    Lane,
    ShopState,
    SyncedProduct,
)
from neuroon_django.models.sql import retry_on_deadlock


class Folded(IntEnum):
    """What a handful of changes came to; `SOME` says that another look is worth while."""

    NOTHING = 0
    ALL = 1
    SOME = 2


MAX_CHANGES = 1000  # change rows folded at once
MAX_ORDER_CHANGES = 500
PAGE = 500  # products found at once through relations


def fold_all(shop: ShopState) -> bool:
    """Fold until no change of a product is left; return whether there was one."""
    record_planned(shop)
    return _repeat(fold, shop, until=float("inf"))


def fold_for(shop: ShopState, seconds: float, until: float) -> bool:
    """Fold changes of products for so long, and not beyond the monotonic second `until`."""
    record_planned(shop)
    return _repeat(fold, shop, until=min(time.monotonic() + seconds, until))


def fold_orders_for(shop: ShopState, seconds: float, until: float) -> bool:
    """Fold changes of orders for so long, and not beyond the monotonic second `until`."""
    return _repeat(fold_orders, shop, until=min(time.monotonic() + seconds, until))


def _repeat(step: Callable[[ShopState], Folded], shop: ShopState, *, until: float) -> bool:
    """Fold handful by handful until all is folded; return whether anything was."""
    result, folded = Folded.SOME, False
    while result == Folded.SOME and time.monotonic() < until:
        result = step(shop)
        folded = folded or bool(result)
    return folded


@retry_on_deadlock
def fold(shop: ShopState) -> Folded:
    """Fold one handful of changes of products; those of models unknown here are left alone.

    Changes of orders among them come first: what was clicked for an order is some product's, which
    one of the others may rename.
    """
    orders = registry.order_topics()
    known = registry.product_topics() | orders
    changes = list(Change.objects.filter(model__in=known).order_by("pk")[:MAX_CHANGES])
    if not changes:
        return Folded.NOTHING
    if any(change.model in orders for change in changes):
        fold_orders(shop)
        return Folded.SOME
    shops = ShopState.objects.folded_with(shop)
    labels = {change.model for change in changes}
    related = {label for label in labels if registry.dependents(label)}
    simple = [change for change in changes if change.model not in related]
    recorded = _fold_objects(shops, simple) if simple else _fold_related(shops, changes)
    all_folded = not recorded and simple == changes and len(changes) < MAX_CHANGES
    return Folded.ALL if all_folded else Folded.SOME


@retry_on_deadlock
def fold_orders(shop: ShopState) -> Folded:
    """Fold one handful of changes of orders, each for the one shop that it belongs to."""
    sources = {source.topic: source for source in registry.orders()}
    changes = list(Change.objects.filter(model__in=sources).order_by("pk")[:MAX_ORDER_CHANGES])
    if not changes:
        return Folded.NOTHING
    orders: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        source = sources[change.model]
        pk = next(iter(source.pks([change.object_pk])), change.object_pk)  # one spelling of each key
        if len(pk) <= MAX_KEY:
            orders.setdefault((source.label, pk), []).append(change)
    shops = ShopState.objects.folded_with(shop)
    with transaction.atomic(Change.objects.db):
        FoldLock.objects.hold_all(shops)
        if Change.objects.consume(changes):
            for owner, own in by_shop(shops, orders).items():
                Conversion.objects.record_orders(owner, own)
        else:
            transaction.set_rollback(True, using=Change.objects.db)
    return Folded.SOME if len(changes) == MAX_ORDER_CHANGES else Folded.ALL


def make_due(
    shop: ShopState,
    source: ProductSource[Any],
    texts: Iterable[str],
    lane: Lane,
    since: datetime | None = None,
) -> bool:
    """Make products due under the ids they have now; inside a transaction that holds the fold lock.

    `texts` are primary keys as text, `since` is when the first of their changes was made. Returns
    whether objects were recorded that have to be folded again.
    """
    return _assign(shop, assignment_of(source, texts, since), lane)


def _assign(shop: ShopState, assignment: Assignment, lane: Lane) -> bool:
    again = SyncedProduct.objects.assign(shop, assignment, lane)
    Change.objects.append(again)
    return bool(again)


def _fold_objects(shops: Sequence[ShopState], changes: Sequence[Change]) -> bool:
    """Fold changes that name the products themselves; return whether there is more to fold now."""
    named: dict[str, dict[str, None]] = {}
    for change in changes:
        named.setdefault(change.model, {})[change.object_pk] = None
    with transaction.atomic(Change.objects.db):
        return not _take(shops, changes) or _make_due(shops, named, _since(changes))


def _fold_related(shops: Sequence[ShopState], changes: Sequence[Change]) -> bool:
    """Fold changes of one model that products depend on, one page of these products.

    The page's end is written on the change rows, so a worker that dies here loses nothing and the
    next one goes on from there.
    """
    label, after = changes[0].model, changes[0].after_pk
    group = [change for change in changes if (change.model, change.after_pk) == (label, after)]
    pks = list(dict.fromkeys(change.object_pk for change in group))
    with transaction.atomic(Change.objects.db):
        if not _take(shops, group):
            return True
        named = {label: dict.fromkeys(pks)} if not after else {}
        following = _add_dependents(named, label, pks, after)
        _make_due(shops, named, _since(group))
        if following:
            Change.objects.append([(label, pk) for pk in pks], after=following)
    return True


def _take(shops: Sequence[ShopState], changes: Sequence[Change]) -> bool:
    """Take the fold locks and consume changes; False (and undone) where another was faster."""
    FoldLock.objects.hold_all(shops)
    if not Change.objects.consume(changes):
        transaction.set_rollback(True, using=Change.objects.db)
        return False
    ShopState.objects.request_other_scans([shop.pk for shop in shops])
    return True


def _since(changes: Iterable[Change]) -> datetime:
    """Return when the first of these changes was made."""
    return min(change.created_at for change in changes)


def _make_due(shops: Sequence[ShopState], named: Mapping[str, Iterable[str]], since: datetime) -> bool:
    """Make products due at every shop that has their feed, by model label and key as text.

    Returns whether objects were recorded that have to be folded again.
    """
    found = [(shop, assignment) for shop in shops for assignment in assignments_of(shop, named, since)]
    recorded = [_assign(shop, assignment, Lane.LIVE) for shop, assignment in found]
    return any(recorded)


def _add_dependents(
    named: dict[str, dict[str, None]], label: str, pks: Sequence[str], after: str
) -> str:
    """Add one page of products, path by path; return where the next begins, "" after the last.

    Which products read an object is the same for all shops.
    """
    paths = {
        _path_mark(source.label, path.query): (source, path)
        for source, path in registry.dependents(label)
    }
    at, _, last = after.partition(":")
    marks = list(paths)
    room = PAGE
    for mark in marks[marks.index(at) :] if at in paths else marks:
        source, path = paths[mark]
        page = source.dependents(path, pks, last if mark == at else "", room)
        named.setdefault(source.label, {}).update(dict.fromkeys(map(str, page)))
        room -= len(page)
        if not room:
            last = source.encode_cursor(page[-1])
            return f"{mark}:{last}" if last else ""
    return ""


def _path_mark(*path: str) -> str:
    """Return a short name of a path for a change row; one that is not known any more begins anew."""
    return hashlib.sha256(":".join(path).encode()).hexdigest()[:8]
