"""A paid order becomes a report: the lines that a search led to, as the bytes that Neuroon gets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Model

from neuroon_django import clicks
from neuroon_django.api import messages
from neuroon_django.exceptions import InvalidValue
from neuroon_django.feeds.cleaning import currency, money, text
from neuroon_django.feeds.context import payload_context
from neuroon_django.feeds.declarations import ORDER_ENTRIES, ConversionLine
from neuroon_django.feeds.source import NOT_THE_SHOPS, Invalid, M, Source, format_error

if TYPE_CHECKING:
    from neuroon_django.feeds.rendering import ProductSource

logger = logging.getLogger("neuroon_django")

ORDER = "order:"  # before the label, since products may depend on orders too
MAX_ORDER_ID = 255
UNUSABLE = (ValueError, TypeError, AttributeError, ArithmeticError)  # what a shop's value may raise


@dataclass(frozen=True, slots=True)
class Report:
    """A paid order: what is sent, or no body where no line of it came from a search."""

    order_id: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order that is not paid, has no lines yet, or is none of the feed's."""

    order_id: str = ""


ReportResult = Report | Waiting | Invalid


class OrderSource(Source[M]):
    """An order feed bound to its model and one shop; `products` finds a line's product's source."""

    entries = ORDER_ENTRIES
    products: Callable[[Model], ProductSource[Any] | None]

    @property
    def topic(self) -> str:
        return ORDER + self.label

    def report_many(self, clicked: Mapping[str, str]) -> dict[str, ReportResult]:
        """Load orders and report them: `clicked` maps primary keys to cookies, both as text."""
        with payload_context(self.shop):
            orders = self.load(self.pks(clicked).values())
            return {pk: self.report(orders.get(pk), clicks.parse(text)) for pk, text in clicked.items()}

    def shop_aliases(self, texts: Iterable[str]) -> dict[str, str]:
        """Return the alias of the shop that each order names, by primary key; {} where it fails."""
        try:
            with payload_context(self.shop), transaction.atomic(self.db_alias):
                orders = self.load(self.pks(texts).values())
                loaded = {pk: o for pk, o in orders.items() if not isinstance(o, Invalid)}
                return {pk: str(self.value("shop_alias", order)) for pk, order in loaded.items()}
        except NOT_THE_SHOPS:
            raise
        except Exception as error:
            reason = messages.text_of(format_error(error))
            logger.warning("shop_alias_failed feed=%s error=%s", self.label, reason)
        return {}

    def report(self, order: M | Invalid | None, clicked: Mapping[str, str]) -> ReportResult:
        """Return what an order is for Neuroon now, `clicked` being `{externalId: searchLogId}`."""
        if order is None:  # a cart that the feed leaves out, or deleted meanwhile
            return Waiting()
        if isinstance(order, Invalid):
            return order
        order_id = ""
        try:
            order_id = self._order_id(order)
            if not self.value("is_paid", order):
                return Waiting(order_id)
            if not clicked:
                return Report(order_id, None)
            lines = self.lines(order)
            if not lines:  # they may be written after the order
                return Waiting(order_id)
            return Report(order_id, self._body(order, lines, clicked))
        except InvalidValue as invalid:
            return Invalid(str(invalid), order_id)

    def lines(self, order: M) -> list[ConversionLine]:
        """Return what was bought, as the feed says it."""
        feed: Any = self.feed
        lines: list[ConversionLine] = self.call_shop_code(
            "lines", lambda order: list(feed.lines(order)), order
        )
        return lines

    def _order_id(self, order: M) -> str:
        value = self.call_shop_code("order_id", text, self.value("order_id", order) or "")
        cut: str = value.encode(errors="replace").decode()[:MAX_ORDER_ID]
        return cut

    def _body(
        self, order: M, lines: Iterable[ConversionLine], clicked: Mapping[str, str]
    ) -> bytes | None:
        try:
            items = [item for line in lines if (item := self._item(line, clicked))]
            if not items:
                return None
            code = self.value("currency", order) or self.shop.CURRENCY
            report = messages.ConversionReport(
                order_id=self._required(order, "order_id", text),
                order_value=self._required(order, "order_value", money),
                currency=self.call_shop_code("currency", currency, code),
                conversions=items,
            )
            return messages.encode(report)
        except UNUSABLE as error:
            reason = messages.text_of(str(error))
        raise InvalidValue(reason)

    def _required(self, order: M, name: str, clean: Callable[[Any], Any]) -> Any:
        value = self.value(name, order)
        if value is None or not text(value):
            raise InvalidValue(f"no {name.replace('_', ' ')}")
        return self.call_shop_code(name, clean, value)

    def _item(self, line: ConversionLine, clicked: Mapping[str, str]) -> messages.ConversionItem | None:
        product_id = self._external_id(line.product)
        search = clicked.get(product_id)
        if not search or line.quantity <= 0:
            return None
        return messages.ConversionItem(
            product_id=product_id,
            search_log_id=search,
            quantity=max(1, int(line.quantity)),  # half a kilo is one
            line_total=self.call_shop_code("line_total", money, line.line_total),
        )

    def _external_id(self, product: Any) -> str:
        """Return the external id of a line's product: its feed's, or the text that was given."""
        if not isinstance(product, Model):
            return str(product or "")
        source = self.products(product)
        if source is None:
            logger.warning("line_without_feed model=%s: yield what has one", product._meta.label)
            return ""
        return source.external_id_of(product)
