"""A rehearsal: what a run would report, without a request and without a claim."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Model

from neuroon_django.delivery.order_fold import PAGE, fold_orders, load
from neuroon_django.delivery.order_run import look
from neuroon_django.exceptions import InvalidProduct
from neuroon_django.feeds import payload_context, registry
from neuroon_django.models import Conversion, ShopState
from neuroon_django.querysets import ConversionStatus

Step = tuple[str, str, str]  # "send" or "keep", the order id, the payload or the reason


def preview_orders(shop: ShopState, *, scan: bool, retry: bool) -> Iterator[Step]:
    """What is due; with `scan` what was paid without a signal, with `retry` what was rejected."""
    while fold_orders(shop):
        pass
    rows = Conversion.objects.of(shop)
    due = rows.waiting()
    if scan:
        due |= rows.filter(status=ConversionStatus.WAITING).exclude(clicks="")
    if retry:
        due |= rows.filter(status=ConversionStatus.REJECTED)
    last = 0
    while page := list(due.filter(pk__gt=last).order_by("pk")[:PAGE]):
        last = page[-1].pk
        orders = load(page)
        with payload_context():
            steps = [_step(row, orders.get((row.model, row.object_pk))) for row in page]
        yield from filter(None, steps)


def _step(row: Conversion, order: Model | None) -> Step | None:
    try:
        _, body = look(registry.order_feed(row.model), order, row)
    except InvalidProduct as invalid:
        return "keep", row.order_id or row.object_pk, str(invalid)
    return ("send", row.order_id, body.decode()) if body else None
