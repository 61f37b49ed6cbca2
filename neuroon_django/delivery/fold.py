"""Fold: change rows become due rows of the mirror, in the order of first sight, none left behind.

A fold is one transaction that begins by holding the shop's row, so folds happen one after the other
and each reads the shop's objects after the one before it was committed. It takes the change rows off
the outbox and makes their products due in that same transaction: both happen, or neither.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from django.db import transaction

from neuroon_django.feeds import payload_context, registry
from neuroon_django.models import Change, ShopState, SyncedProduct
from neuroon_django.querysets import Lane, Placement
from neuroon_django.querysets.clock import retry_on_deadlock

CHANGES = 1000  # change rows folded at once
PAGE = 500  # products found at once through relations


def fold_all(shop: ShopState) -> bool:
    """Fold until the outbox has no product's change left; whether there was one."""
    found = False
    while fold(shop):
        found = True
    return found


@retry_on_deadlock
def fold(shop: ShopState) -> bool:
    """Fold one handful of changes; False where there are none."""
    orders = [feed.topic for feed in registry.orders()]
    changes = list(Change.objects.exclude(model__in=orders).order_by("pk")[:CHANGES])
    if not changes:
        return False
    related = {label for label in {change.model for change in changes} if registry.hanging(label)}
    simple = [change for change in changes if change.model not in related]
    if simple:
        _fold_objects(shop, simple)
    else:
        _fold_related(shop, changes)
    return True


def place(shop: ShopState, label: str, texts: Iterable[str], lane: Lane) -> None:
    """Make products due under the ids they have now; inside a transaction that holds the shop.

    Objects of a model that has no feed (any more) do not exist for Neuroon.
    """
    names: dict[str, str | None] = {}
    asked = dict.fromkeys(texts)
    if feed := registry.product_feed(label):
        found = feed.pks(asked)
        asked |= dict.fromkeys(found)
        with payload_context():
            named = feed.names(found.values())
        names = {pk: named[pk] for pk in [*found, *named] if pk in named}
    gone = asked.keys() - names.keys()
    again = SyncedProduct.objects.place(shop, Placement(label, names, gone), lane)
    Change.objects.append(again)


def _fold_objects(shop: ShopState, changes: Sequence[Change]) -> None:
    """Changes that name the products themselves."""
    with transaction.atomic(Change.objects.db):
        if _take(shop, changes):
            for label in dict.fromkeys(change.model for change in changes):
                pks = dict.fromkeys(c.object_pk for c in changes if c.model == label)
                place(shop, label, pks, Lane.CHANGES)


def _fold_related(shop: ShopState, changes: Sequence[Change]) -> None:
    """Changes of one model that products hang on, one page of these products.

    The page's end is written on the change rows, so a worker that dies here loses nothing and the
    next one goes on from there.
    """
    label, after = changes[0].model, changes[0].after_pk
    group = [change for change in changes if (change.model, change.after_pk) == (label, after)]
    pks = list(dict.fromkeys(change.object_pk for change in group))
    with transaction.atomic(Change.objects.db):
        if not _take(shop, group):
            return
        if not after and registry.product_feed(label):
            place(shop, label, pks, Lane.CHANGES)
        if following := _place_hanging(shop, label, pks, after):
            names = [(label, pk) for pk in pks]
            Change.objects.append(names, after=following)


def _take(shop: ShopState, changes: Sequence[Change]) -> bool:
    """Hold the shop's row and consume the changes; False (and undone) where another was faster."""
    ShopState.objects.hold(shop.pk)
    if not Change.objects.consume(changes):
        transaction.set_rollback(True, using=Change.objects.db)
        return False
    ShopState.objects.others_scan(shop.pk)
    return True


def _place_hanging(shop: ShopState, label: str, pks: Sequence[str], after: str) -> str:
    """One page of products, path by path; returns where the next page begins, "" after the last."""
    paths = {_mark(feed.label, path.query): (feed, path) for feed, path in registry.hanging(label)}
    at, _, last = after.partition(":")
    marks = list(paths)
    room = PAGE
    for mark in marks[marks.index(at) :] if at in paths else marks:
        feed, path = paths[mark]
        page = feed.hanging_on(path, pks, last if mark == at else "", room)
        place(shop, feed.label, map(str, page), Lane.CHANGES)
        room -= len(page)
        if not room:
            last = feed.mark(page[-1])
            return f"{mark}:{last}" if last else ""
    return ""


def _mark(*path: str) -> str:
    """A short name of a path for a change row; one that is not known any more begins anew."""
    return hashlib.sha256(":".join(path).encode()).hexdigest()[:8]
