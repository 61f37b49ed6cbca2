"""Keeps a Django shop's catalogue in step with Neuroon, the AI product search.

Everything here can be imported anywhere, also before the apps are ready; the functions import what
they need when they are called.
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
    "get_widget_token",
    "mark_changed",
    "muted",
    "register",
]


def mark_changed(what: Model | Iterable[Model] | QuerySet[Any]) -> None:
    """Look at it again: a product, an order, or anything that products hang on.

    Takes an object, several, or a queryset, which costs one statement whatever its size. For writes
    that send no signal, such as `update()` and `bulk_create`.
    """
    from neuroon_django.recording import record

    record.mark_changed(what)


def attribute_order(order: Model, clicks: Any) -> None:
    """Tie a shopper's clicks to an order: a request, the cookie's text, or `{externalId: searchLogId}`.

    For checkouts that `ClickAttributionMiddleware` does not see (`API.md`, "Conversions").
    """
    from neuroon_django.recording import record

    record.attribute_order(order, clicks)


def muted() -> AbstractContextManager[None]:
    """Record no changes in this thread and task; nestable. For imports: `mark_changed` afterwards."""
    from neuroon_django.recording import record

    return record.muted()


def get_widget_token() -> str:
    """The widget token for a page, "" where there is none; waits at most `NEUROON_WIDGET_TIMEOUT`."""
    from neuroon_django import widget

    return widget.get_token()


async def aget_widget_token() -> str:
    """`get_widget_token` for async code."""
    from neuroon_django import widget

    return await widget.aget_token()
