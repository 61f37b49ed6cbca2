"""Keeps a Django shop's catalogue in step with Neuroon, the AI product search.

Everything here can be imported anywhere, also before the apps are ready; the functions import what
they need when they are called.

"(law 5)" in a docstring refers to `docs/laws.md`, the list of what the app promises to the shop, and
"(`API.md`, …)" to Neuroon's documentation of its server-to-server API.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from neuroon_django.feeds import ConversionLine, OrderFeed, ProductFeed, register

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

__all__ = [
    "ConversionLine",
    "OrderFeed",
    "ProductFeed",
    "aget_widget_token",
    "attribute_order",
    "clicks_of",
    "forget_order",
    "get_widget_token",
    "mark_changed",
    "muted",
    "register",
    "tell_bulk_writes",
]


def mark_changed(what: Model | Iterable[Model] | QuerySet[Any]) -> None:
    """Record that something changed: a product, an order, or anything that products depend on.

    Takes an object, several, or a queryset, which costs one statement whatever its size (on MariaDB
    one to read the keys and one for each 500). It is for writes that send no signal, such as raw SQL.
    """
    from neuroon_django.recording import record

    record.mark_changed(what)


def attribute_order(order: Model, clicks: Any, shop: str = "") -> None:
    """Tie a shopper's clicks to an order: a request, the cookie's text, or `{externalId: searchLogId}`.

    Of several shops `shop` is the alias of the one in whose pages they were made; without it the
    request tells, or the active language. It is for checkouts that `ClickAttributionMiddleware`
    does not see (`API.md`, "Conversions").
    """
    from neuroon_django.recording import clicked_orders

    clicked_orders.attribute_order(order, clicks, shop)


def clicks_of(order: Model) -> dict[str, str]:
    """Return the clicks that are kept for an order, `{externalId: searchLogId}`; {} for none."""
    from neuroon_django.recording import clicked_orders

    return clicked_orders.clicks_of(order)


def forget_order(order: Model) -> None:
    """Delete all that is kept for an order, what waits to be folded included; the order stays.

    Call it before `order.delete()`. What Neuroon was told of it holds no personal data, and stays.
    """
    from neuroon_django.recording import clicked_orders

    clicked_orders.forget_order(order)


def muted() -> AbstractContextManager[None]:
    """Record no changes in this thread and task, as during an import; call `mark_changed` after it."""
    from neuroon_django.recording import record

    return record.muted()


def tell_bulk_writes(model: type[Model] | str) -> None:
    """Count `update()`, `bulk_create()` and `bulk_update()` of a model (or "app.Model") as saves.

    It may be called anywhere, as often as one likes; a feed says the same with `bulk_writes`. Raises
    `ConfigurationError` for what is no model.
    """
    from neuroon_django.feeds import registry

    registry.add_bulk_writes(model)
    if registry.closed:  # else the models are read at start-up
        from neuroon_django.recording.bulk import bulk_writes

        bulk_writes.refresh()


def get_widget_token(shop: str = "") -> str:
    """Return the widget token for a page, "" where there is none.

    Of several shops it is that of the alias `shop`, or of the one whose language is active. It waits
    for `NEUROON_WIDGET_TIMEOUT` seconds at most, once per process and failure.
    """
    from neuroon_django import widget

    return widget.get_token(shop)


async def aget_widget_token(shop: str = "") -> str:
    """Return the same for async code, without holding the event loop up."""
    from neuroon_django import widget

    return await widget.aget_token(shop)
