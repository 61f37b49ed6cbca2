"""A paid order becomes a report: the lines that a search led to, as the bytes that Neuroon gets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from django.db.models import Model

from neuroon_django import clicks
from neuroon_django.api import messages
from neuroon_django.clicks import Clicked, Name
from neuroon_django.exceptions import InvalidValue
from neuroon_django.feeds.cleaning import currency, money, one_currency, text
from neuroon_django.feeds.context import payload_context
from neuroon_django.feeds.declarations import ORDER_ENTRIES, ConversionLine
from neuroon_django.feeds.keys import keys_of
from neuroon_django.feeds.savepoints import ask_each
from neuroon_django.feeds.source import NOT_THE_SHOPS, Invalid, M, Source, format_error

if TYPE_CHECKING:
    from neuroon_django.feeds.rendering import ProductSource

logger = logging.getLogger("neuroon_django")

ORDER = "order:"  # before the label, since products may depend on orders too
MAX_ORDER_ID = 255
UNUSABLE = (ValueError, TypeError, AttributeError, ArithmeticError)  # what a shop's value may raise


@dataclass(frozen=True, slots=True)
class Report:
    """A paid order: what is sent, or no body where nothing of it is reported.

    `note` tells a person what was left out, and why.
    """

    order_id: str
    body: bytes | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order that is not paid, has no lines yet, or is none of the feed's.

    `clicks` are those that the shop keeps with it and the row does not have yet.
    """

    order_id: str = ""
    clicks: str = ""


ReportResult = Report | Waiting | Invalid


class OrderSource(Source[M]):
    """An order feed bound to its model and one shop; `products` finds a line's product's source."""

    entries = ORDER_ENTRIES
    products: Callable[[Model], ProductSource[Any] | None]

    @property
    def topic(self) -> str:
        return ORDER + self.label

    def report_many(self, clicked: Mapping[str, Clicked]) -> dict[str, ReportResult]:
        """Load orders and report them: `clicked` maps primary keys, as text, to what was clicked."""
        with payload_context(self.shop):
            orders = self.load(self.pks(clicked).values())
            return {pk: self.report(orders.get(pk), known) for pk, known in clicked.items()}

    def shop_aliases(self, texts: Iterable[str]) -> dict[str, str]:
        """Return the alias of the shop that each order names, by primary key; "" where it fails."""
        try:
            with payload_context(self.shop):
                pks = list(self.pks(texts).values())
                return ask_each(self, pks, self._alias_of, failed="")
        except NOT_THE_SHOPS:
            raise
        except Exception as error:
            self._tell_no_alias(messages.text_of(format_error(error)))
        return {}

    def _alias_of(self, order: M | Invalid) -> str:
        try:
            return "" if isinstance(order, Invalid) else str(self.value("shop_alias", order) or "")
        except InvalidValue as invalid:
            self._tell_no_alias(str(invalid))
            return ""

    def _tell_no_alias(self, reason: str) -> None:
        logger.warning("shop_alias_failed feed=%s error=%s", self.label, reason)

    def report(self, order: M | Invalid | None, clicked: Clicked) -> ReportResult:
        """Return what an order is for Neuroon now, with the clicks that were kept for it."""
        if order is None:  # a cart that the feed leaves out, or deleted meanwhile
            return Waiting()
        if isinstance(order, Invalid):
            return order
        order_id = ""
        try:
            order_id = self._order_id(order)
            kept = clicks.dump(clicked.searches)
            text = self._with_own_clicks(order, kept)
            waiting = Waiting(order_id, text if text != kept else "")
            if not self.value("is_paid", order):
                return waiting
            if self.value("is_cancelled", order):
                return Report(order_id, None, "the order is cancelled")
            if text != kept:
                clicked = replace(clicked, searches=clicks.parse(text))
            if not clicked.searches:
                return Report(order_id, None)
            lines = self.lines(order)
            if not lines:  # they may be written after the order
                return waiting
            return Report(order_id, self._body(order, lines, clicked), self._left_out(lines))
        except InvalidValue as invalid:
            return Invalid(str(invalid), order_id)

    def _with_own_clicks(self, order: M, kept: str) -> str:
        """Return the kept clicks, with those that the shop keeps with the order as the latest."""
        value = self.value("clicks", order)
        own = self.call_shop_code("clicks", clicks.text_of, value)
        return clicks.merge([kept, own]) if own else kept

    def lines(self, order: M) -> list[ConversionLine]:
        """Return what was bought, as the feed says it."""
        feed: Any = self.feed
        lines = self.call_shop_code("lines", lambda order: list(feed.lines(order)), order)
        others = {type(line).__name__ for line in lines if not isinstance(line, ConversionLine)}
        if others:
            names = ", ".join(sorted(others))
            written = "ConversionLine(product=…, quantity=…, line_total=…)"
            raise InvalidValue(f"lines: yields {names} where {written} is expected")
        return cast("list[ConversionLine]", lines)

    def _order_id(self, order: M) -> str:
        value = self.call_shop_code("order_id", text, self.value("order_id", order) or "")
        cut: str = value.encode(errors="replace").decode()[:MAX_ORDER_ID]
        return cut

    def _body(self, order: M, lines: Iterable[ConversionLine], clicked: Clicked) -> bytes | None:
        try:
            items = [item for line in lines if (item := self._item(line, clicked))]
            if not items:
                return None
            order_id = self._required(order, "order_id", text)
            order_value = self._required(order, "order_value", money)
            code = self.value("currency", order)
            code = self.call_shop_code("currency", currency, code) if code else ""
            totals = [("line_total", item.line_total) for item in items]
            code = one_currency([("order_value", order_value), *totals], code)
            for item in items:
                item.line_total = Decimal(item.line_total)
            report = messages.ConversionReport(
                order_id=order_id,
                order_value=Decimal(order_value),
                currency=code or self.call_shop_code("currency", currency, self.shop.CURRENCY),
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

    def _item(self, line: ConversionLine, clicked: Clicked) -> messages.ConversionItem | None:
        found = clicked.find(*self._identity(line.product))
        if found is None or line.quantity <= 0:
            return None
        product_id, search = found
        return messages.ConversionItem(
            product_id=product_id,
            search_log_id=search,
            quantity=max(1, int(line.quantity)),  # half a kilo is one
            line_total=self.call_shop_code("line_total", money, line.line_total),
        )

    def _identity(self, product: Any) -> tuple[str, Name | None]:
        """Return the external id of a line's product, and which object it is; a text is the id."""
        if not isinstance(product, Model):
            return str(product or ""), None
        source = self.products(product)
        if source is None:
            return "", None
        key = next(iter(keys_of(source.model, product, source.db_alias)), "")
        return source.external_id_of(product), (source.label, str(key))

    def _left_out(self, lines: Iterable[ConversionLine]) -> str:
        """Return which lines cannot be reported since their products have no feed, "" where all can."""
        products = [line.product for line in lines if isinstance(line.product, Model)]
        strangers = {p._meta.label for p in products if self.products(p) is None}
        if not strangers:
            return ""
        labels = ", ".join(sorted(strangers))
        logger.warning("line_without_feed model=%s: yield what has one", labels)
        return f"lines of {labels} are left out: yield a product that has a feed"
