"""The clicks that are kept for one order: tied to it by hand, shown, and forgotten.

`attribute_order` is for checkouts that the middleware does not see, `clicks_of` and `forget_order`
for what a shop owes its customers (`docs/conversions.md`).
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.db.models import Model

from neuroon_django import clicks
from neuroon_django.conf import conf
from neuroon_django.feeds import OrderSource, registry
from neuroon_django.feeds.keys import keys_of
from neuroon_django.models import Change, Conversion
from neuroon_django.recording.record import record, recording
from neuroon_django.request_shop import shop_for_request

logger = logging.getLogger("neuroon_django")


def attribute_order(order: Model, clicked: Any, shop: str = "") -> None:
    """Tie a shopper's clicks to an order that was saved: a request, the cookie's text, or a mapping.

    `shop` is the alias of the shop in whose pages they were made; without it the request tells, or
    the active language. For checkouts whose requests the middleware does not see, such as a
    browser-rendered shop that posts the cookie's text (`API.md`, "Conversions").
    """
    if not recording():
        return
    if order.pk is None:
        logger.warning("clicks_without_order: attribute_order() was given an order that is not saved")
        return
    refs = [(source.topic, key) for source, key in _names(order)]
    text = clicks.storable(clicks.text_of(clicked))
    record(refs, clicked=text, shop=_fingerprint_of(shop, clicked))


def _fingerprint_of(alias: str, clicked: Any) -> str:
    """Return the fingerprint of the shop that clicks were made in, "" where that is not known."""
    request = clicked if hasattr(clicked, "COOKIES") else None
    shop = conf.shops().get(alias) if alias else shop_for_request(request)
    if alias and shop is None:
        logger.warning("clicks_of_no_shop: attribute_order() was given shop=%r", alias[:100])
    return shop.fingerprint if shop else clicks.current_shop.get()


def clicks_of(order: Model) -> dict[str, str]:
    """Return what is kept for an order: searchLogIds by external id, {} where there are none."""
    kept = [row.clicks for row in _conversions(order).order_by("pk")]
    waiting = [change.clicks for change in _changes(order).order_by("pk")]
    return clicks.parse(clicks.merge([*kept, *waiting]))


def forget_order(order: Model) -> None:
    """Delete what is kept for an order: its row, and what was recorded of it and waits."""
    with transaction.atomic(Change.objects.db):
        _changes(order).delete()
        _conversions(order).delete()


def _names(order: Model) -> list[tuple[OrderSource[Any], Any]]:
    """Return the sources that an order is an object of, with the key that it has there."""
    using = Change.objects.db
    sources = [s for s in registry.sources_of(order._meta.model) if isinstance(s, OrderSource)]
    keys = [(source, key) for source in sources for key in keys_of(source.model, order, using)]
    return [(source, key) for source, key in keys if key is not None]


def _changes(order: Model) -> Any:
    """Return the rows of the outbox that name an order."""
    found = Change.objects.none()
    for source, key in _names(order):
        found |= Change.objects.filter(model=source.topic, object_pk=str(key))
    return found


def _conversions(order: Model) -> Any:
    """Return the rows of an order, at whichever shop it belongs to."""
    found = Conversion.objects.none()
    for source, key in _names(order):
        found |= Conversion.objects.filter(model=source.label, object_pk=str(key))
    return found
