"""Which orders are to be looked at: those that changed, and those paid without a signal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction
from django.db.models import Model

from neuroon_django.exceptions import InvalidProduct
from neuroon_django.feeds import payload_context, registry
from neuroon_django.models import Change, Conversion, ShopState
from neuroon_django.querysets.clock import retry_on_deadlock

CHANGES = 500
PAGE = 500

Orders = Mapping[tuple[str, str], Model]  # by model label, and primary key as text


@retry_on_deadlock
def fold_orders(shop: ShopState) -> bool:
    """Fold one handful of order changes into due rows; False where there are none."""
    feeds = {feed.topic: feed for feed in registry.orders()}
    changes = list(Change.objects.filter(model__in=feeds).order_by("pk")[:CHANGES])
    if not changes:
        return False
    orders: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        feed = feeds[change.model]
        pk = next(iter(feed.pks([change.object_pk])), change.object_pk)  # one spelling of each key
        orders.setdefault((feed.label, pk), []).append(change)
    with transaction.atomic(Change.objects.db):
        ShopState.objects.hold(shop.pk)
        if Change.objects.consume(changes):
            Conversion.objects.note(shop, orders)
        else:
            transaction.set_rollback(True, using=Change.objects.db)
    return True


def find_paid(shop: ShopState) -> int:
    """Orders with clicks that were paid without a signal become due; what a scan does for orders.

    A page at a time, by primary key. Clicks are wiped with age, so the walk does not grow for ever.
    """
    found, after = 0, 0
    while rows := Conversion.objects.unpaid(shop, after, PAGE):
        after = rows[-1].pk
        orders = load(rows)
        with payload_context():
            paid = [row.pk for row in rows if _is_paid(row, orders)]
        Conversion.objects.look_again(paid)
        found += len(paid)
    return found


def _is_paid(row: Conversion, orders: Orders) -> bool:
    feed, order = registry.order_feed(row.model), orders.get((row.model, row.object_pk))
    try:
        return bool(feed and order and feed.value("is_paid", order))
    except InvalidProduct:
        return True  # its run tells the reason on the row


def load(rows: Sequence[Conversion]) -> dict[tuple[str, str], Model]:
    """The orders of these rows, with what their feed reads, in a fixed number of queries."""
    orders: dict[tuple[str, str], Model] = {}
    for label in dict.fromkeys(row.model for row in rows):
        feed = registry.order_feed(label)
        if feed is not None:
            pks = feed.pks(row.object_pk for row in rows if row.model == label)
            orders |= {(label, pk): order for pk, order in feed.load(pks.values()).items()}
    return orders
