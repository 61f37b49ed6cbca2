"""What a scan did not find in the shop: marked while it walks, and taken out when all of it is known.

A walk has a brake (law 7): where everything that a feed has at Neuroon seems to be gone, or more than
half of it and more than 20, nothing of it is taken out. A table that was truncated and is being filled
again, or a filter with a mistake in it, must not empty the shop's search. The rows stay marked for the
operator, who is told, until `neuroon_sync --scan --force` takes them out or a later scan finds them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import DatabaseError, transaction

from neuroon_django.delivery.fold import make_due
from neuroon_django.feeds import ProductSource, registry
from neuroon_django.feeds.source import NOT_THE_SHOPS
from neuroon_django.models import FoldLock, Lane, ShopState, SyncedProduct

logger = logging.getLogger("neuroon_django")

MAX_UNQUESTIONED = 20  # products of a feed that go without being counted against the rest


def withdraw(shop: ShopState) -> None:
    """Take out what feeds of this project sent that are not for this shop any more.

    Nothing holds this back (law 7): the feeds say so themselves.
    """
    labels = registry.withdrawn_labels(shop.config)
    if not labels:
        return
    with transaction.atomic(ShopState.objects.db):
        FoldLock.objects.hold(shop)
        SyncedProduct.objects.of(shop).filter(model__in=labels).disown()


def mark_gone(shop: ShopState, after: int, limit: int) -> int:
    """Mark rows after that id whose object the shop has no more; return the page's last id, or 0.

    Rows of a model that has no feed in this process are left to the process that knows it.
    """
    owned = SyncedProduct.objects.of(shop).filter(pk__gt=after).exclude(model="")
    rows = list(owned.order_by("pk").only("model", "object_pk")[:limit])
    SyncedProduct.objects.of(shop).mark_absent(gone_among(shop, rows))
    return int(rows[-1].pk) if rows else 0


def gone_among(shop: ShopState, rows: Iterable[SyncedProduct]) -> list[int]:
    """Return the ids of those rows whose object the shop has no more, of the feeds known here."""
    gone: list[int] = []
    for source in registry.products(shop.config):
        own = {row.object_pk: row.pk for row in rows if row.model == source.label}
        alive = _alive(source, set(own)) if own else set()
        gone += [pk for object_pk, pk in own.items() if object_pk not in alive]
    return gone


def kept_labels(shop: ShopState, counts: Mapping[str, int], *, forced: bool) -> list[str]:
    """Return the labels of which too much is absent to be believed, and tell so, once per cause.

    `counts` is how many products of each label Neuroon had when the scan began. With `forced`
    everything is believed.
    """
    absent = SyncedProduct.objects.of(shop).filter(absent=True).count_by_model()
    warnings = {label: warning_of(label, gone, counts) for label, gone in absent.items()}
    warnings = {} if forced else {label: text for label, text in warnings.items() if text}
    text = "; ".join(warnings.values())
    if any(label not in shop.scan_warning for label in warnings):
        logger.error("scan_kept shop=%s reason=%s", shop.config.alias, text)
    if text != shop.scan_warning:
        if not text:
            logger.info("scan_kept_ended shop=%s", shop.config.alias)
        shop.scan_warning = text
        ShopState.objects.set(shop.pk, scan_warning=text)
    return list(warnings)


def warning_of(label: str, gone: int, counts: Mapping[str, int]) -> str:
    """Return why so many products of a label are not believed to be gone, "" where they are."""
    before = counts.get(label, 0)
    if not is_too_much(gone, before):
        return ""
    return f"{gone:,} of {before:,} products of {label} seem to be gone; none was taken out"


def is_too_much(gone: int, before: int) -> bool:
    """Return whether so many of a feed's products are gone that this is not believed."""
    return gone >= before or (gone > MAX_UNQUESTIONED and 2 * gone > before)


def fold_marked(shop: ShopState, after: int, limit: int, *, kept: tuple[str, ...]) -> int:
    """Fold marked rows after that id as the shop has them now; return the page's last id, or 0."""
    marked = SyncedProduct.objects.of(shop).filter(absent=True, pk__gt=after).exclude(model__in=kept)
    rows = list(marked.order_by("pk").values_list("pk", "model", "object_pk")[:limit])
    for label in dict.fromkeys(model for _, model, _ in rows):
        source = registry.product_source(label, shop.config)
        own = {pk: object_pk for pk, model, object_pk in rows if model == label}
        with transaction.atomic(ShopState.objects.db):
            FoldLock.objects.hold(shop)
            SyncedProduct.objects.filter(pk__in=own).clear_absent()
            if source is not None:
                make_due(shop, source, own.values(), Lane.BACKFILL)
    return int(rows[-1][0]) if rows else 0


def _alive(source: ProductSource[Any], texts: set[str]) -> set[str]:
    """Return those of the primary keys, as text, that the shop has; what cannot be asked is there."""
    try:
        with transaction.atomic(source.db_alias):
            return source.existing(texts)
    except NOT_THE_SHOPS:
        raise
    except DatabaseError:
        if len(texts) == 1:
            return texts
        ordered = sorted(texts)
        middle = len(ordered) // 2
        return _alive(source, set(ordered[:middle])) | _alive(source, set(ordered[middle:]))
    except Exception:
        return texts
