"""What a paid order says: the lines that a search led to, as the bytes that Neuroon gets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Model

from neuroon_django.api import messages
from neuroon_django.conf import conf
from neuroon_django.exceptions import InvalidProduct
from neuroon_django.feeds import ConversionLine, OrderFeed, ProductFeed, registry
from neuroon_django.feeds.values import currency, money, text

logger = logging.getLogger("neuroon_django")

UNUSABLE = (ValueError, TypeError, AttributeError, ArithmeticError)  # what a shop's value may raise


def lines_of(feed: OrderFeed[Any], order: Model) -> list[ConversionLine]:
    """What was bought, as the feed tells it."""
    lines: list[ConversionLine] = feed.ask("lines", lambda order: list(feed.lines(order)), order)
    return lines


def build(
    feed: OrderFeed[Any], order: Model, lines: Iterable[ConversionLine], clicked: dict[str, str]
) -> bytes | None:
    """The report of a paid order, or None where no line came from a search."""
    try:
        items = [item for line in lines if (item := _item(feed, line, clicked))]
        if not items:
            return None
        report = messages.ConversionReport(
            order_id=_value(feed, "order_id", text, order),
            order_value=_value(feed, "order_value", money, order),
            currency=feed.ask("currency", currency, feed.value("currency", order) or conf.CURRENCY),
            conversions=items,
        )
        return messages.encode(report)
    except UNUSABLE as error:
        reason = messages.text_of(str(error))
    raise InvalidProduct(reason)


def _value(feed: OrderFeed[Any], name: str, clean: Callable[[Any], Any], order: Model) -> Any:
    """A required value in the wire's form; InvalidProduct with its name where it has none."""
    value = feed.value(name, order)
    if value is None or not text(value):
        raise InvalidProduct(f"no {name.replace('_', ' ')}")
    return feed.ask(name, clean, value)


def _item(
    feed: OrderFeed[Any], line: ConversionLine, clicked: dict[str, str]
) -> messages.ConversionItem | None:
    product_id = _external_id(line.product)
    search = clicked.get(product_id)
    if not search or line.quantity <= 0:
        return None
    return messages.ConversionItem(
        product_id=product_id,
        search_log_id=search,
        quantity=max(1, int(line.quantity)),  # half a kilo is one
        line_total=feed.ask("line_total", money, line.line_total),
    )


def _external_id(product: Any) -> str:
    """The external id of a line's product: its feed's, or the text that was given."""
    if not isinstance(product, Model):
        return str(product or "")
    feeds = (f for f in registry.feeds_of(type(product)) if isinstance(f, ProductFeed))
    feed = next(feeds, None)
    if feed is None:
        logger.warning("line_without_feed model=%s: yield what has one", product._meta.label)
        return ""
    return feed.external_id_of(product)
