"""A product becomes a payload: the one place where product feeds are asked and their values encoded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import DatabaseError, connections, transaction
from django.db.models import QuerySet

from neuroon_django.api import messages
from neuroon_django.conf import VERSION
from neuroon_django.exceptions import InvalidValue
from neuroon_django.feeds import cleaning
from neuroon_django.feeds.context import payload_context
from neuroon_django.feeds.declarations import PRODUCT_ENTRIES
from neuroon_django.feeds.keys import pks_of
from neuroon_django.feeds.paths import ANYTHING, Path, Reads, is_column, walk
from neuroon_django.feeds.source import NOT_THE_SHOPS, Invalid, M, Source

logger = logging.getLogger("neuroon_django")

MAX_ID = 255
MAX_FAILED_QUERIES = 30  # of the shop's code, before it is no single product's fault
REQUIRED = ("external_id", "name", "price", "url")

Cleaner = Callable[[Any], Any]


@dataclass(slots=True)
class Rendered:
    """A product as it goes to Neuroon: its external id, canonical bytes, and what is kept of them."""

    external_id: str
    payload: bytes
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        self.digest = messages.digest(self.payload)

    @property
    def refused_digest(self) -> str:
        """What a row keeps of a payload that Neuroon refused; another version may try it again."""
        return messages.digest(b"refused " + VERSION.encode() + b" " + self.payload)


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A product that the shop has and does not list."""


RenderResult = Rendered | Unlisted | Invalid
UNLISTED = Unlisted()


class ProductSource(Source[M]):
    """A product feed bound to its model and one shop."""

    entries = PRODUCT_ENTRIES

    def _reads(self) -> Reads:
        return ANYTHING if self.overrides("extra") else super()._reads()

    # Payloads

    def render_many(self, texts: Iterable[str]) -> dict[str, RenderResult]:
        """Load and render products by their primary keys as text; those that are gone are left out."""
        with payload_context(self.shop):
            loaded = self.load(self.pks(texts).values())
            return {pk: self.render(product) for pk, product in loaded.items()}

    def render(self, product: M | Invalid) -> RenderResult:
        """Return what a loaded product is for Neuroon now; inside `payload_context`."""
        if isinstance(product, Invalid):
            return product
        try:
            if not self.value("is_listed", product):
                return UNLISTED
            return self._rendered(product)
        except InvalidValue as invalid:
            return Invalid(str(invalid))

    def external_id_of(self, product: M) -> str:
        """Return the external id, or "" where it cannot be used; `render` tells the reason."""
        try:
            value = self.value("external_id", product)
            return _external_id(value) if value is not None else ""
        except (InvalidValue, ValueError):
            return ""

    @cached_property
    def columns(self) -> list[tuple[str, Callable[[Any], Any], Cleaner]]:
        """The wire fields in use: where each comes from, and how it is cleaned."""
        clean = CLEANERS | {"url": self._address, "image_url": self._address}
        return [(n, e.get, clean[n]) for n, e in self.compiled.items() if n in clean]

    def _address(self, value: Any) -> str:
        return cleaning.address(value, self.shop.STOREFRONT_URL)

    def _rendered(self, product: M) -> Rendered:
        fields = self._fields(product)
        for name in REQUIRED:
            if fields.get(name) in (None, ""):
                raise InvalidValue(f"no {name.replace('_', ' ')}")
        fields = {name: value for name, value in fields.items() if value not in (None, "", [])}
        if "currency" not in fields:
            default = self.shop.CURRENCY
            fields["currency"] = self.call_shop_code("currency", cleaning.currency, default)
        if "brand" in fields:
            fields["brands"] = [fields["brand"]]
        wired = messages.Product(**fields)
        return Rendered(wired.external_id, self._encode(wired, product))

    def _fields(self, product: M) -> dict[str, Any]:
        """Clean all fields at once; where that fails, one by one, so that the reason names the one."""
        with suppress(Exception):
            return {
                name: clean(value)
                for name, get, clean in self.columns
                if (value := get(product)) is not None
            }
        return {name: self._clean(name, clean, product) for name, _, clean in self.columns}

    def _clean(self, name: str, clean: Cleaner, product: M) -> Any:
        value = self.value(name, product)
        return None if value is None else self.call_shop_code(name, clean, value)

    def _encode(self, wired: messages.Product, product: M) -> bytes:
        extra = None
        if self.overrides("extra"):
            further = self.call_shop_code("extra", self.feed.extra, product)  # type: ignore[attr-defined]
            extra = self.call_shop_code("extra", _further, further)
        try:
            return messages.encode_product(wired, extra)
        except (TypeError, ValueError) as error:  # a lone surrogate is a ValueError
            reason = messages.text_of(str(error).encode("ascii", "replace").decode())
        raise InvalidValue(f"cannot be written as JSON: {reason}")

    # External ids

    def names(self, pks: Iterable[Any]) -> dict[str, str | None]:
        """Return external ids by primary key as text, of those that exist for Neuroon.

        "" where it has none that can be used, None where that cannot be said: it keeps what it has.
        """
        wanted = list(pks)
        if not wanted:
            return {}
        with payload_context(self.shop):
            try:
                queryset = self.live_queryset().filter(pk__in=wanted)
                column = self._in_sql(queryset, self.compiled["external_id"].path)
                if column:
                    pairs = queryset.values_list("pk", column)
                    return {str(pk): _usable(value) for pk, value in pairs}
            except NOT_THE_SHOPS:
                raise
            except Exception as error:
                failed = type(error).__name__
                logger.warning("ids_one_by_one feed=%s error=%s", self.label, failed)
            return self._names_by_code(wanted)

    def _names_by_code(self, pks: list[Any]) -> dict[str, str | None]:
        """Return the same by the shop's code, in a savepoint: a query of its own that fails would
        end the fold's transaction. Where one does, halves are asked, until one stands alone."""
        named: dict[str, str | None] = {}
        todo, failures = [pks], 0
        while todo:
            some = todo.pop()
            try:
                with transaction.atomic(self.db_alias):
                    named |= {pk: self._id_of(product) for pk, product in self.load(some).items()}
            except DatabaseError:
                failures += 1
                # The savepoint is gone, as a deadlock's victim's is; or it is no product's trouble.
                lost = connections[self.db_alias].needs_rollback
                if lost or failures > MAX_FAILED_QUERIES:
                    raise
                middle = len(some) // 2
                if middle:
                    todo += [some[middle:], some[:middle]]
                else:
                    named[str(some[0])] = None
        return named

    def _id_of(self, product: M | Invalid) -> str | None:
        if isinstance(product, Invalid):
            return None
        try:
            return _usable(self.compiled["external_id"].get(product))
        except (DatabaseError, *NOT_THE_SHOPS):
            raise
        except Exception:
            return None

    def _in_sql(self, queryset: QuerySet[M], path: str) -> str:
        """Return the same lookup for the database; "" where only Python can follow it."""
        hops, rest = walk(self.model, path)
        end = hops[-1].target if hops else self.model
        if any(hop.to_many for hop in hops) or len(rest) != 1:
            return ""
        annotated = not hops and path in queryset.query.annotations
        known = annotated or is_column(end, rest[0])
        return "__".join([*(hop.query for hop in hops), *rest]) if known else ""

    def dependents(self, path: Path, texts: Iterable[str], after: str, limit: int) -> list[Any]:
        """Return keys of products along a path, in order, from after `after` on, given as text."""
        pks = list(pks_of(path.target, texts).values())
        rows = self.model._base_manager.using(self.db_alias)
        found = rows.filter(**{f"{path.query}__pk__in": pks})
        return list(self.after_cursor(found, after).values_list("pk", flat=True).distinct()[:limit])


def _further(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    if taken := sorted(messages.SHOPS_FIELDS.intersection(fields)):
        raise ValueError(f"{', '.join(taken)}: the feed has an entry for that")
    further: Mapping[str, Any] = cleaning.plain(fields)
    return further


def _external_id(value: Any) -> str:
    text = cleaning.text(value)
    if len(text) > MAX_ID:
        raise ValueError(f"longer than {MAX_ID} characters")
    if text in (".", ".."):  # no address can name it: HTTP takes these for steps up
        raise ValueError(f"{text!r} cannot stand in an address")
    text.encode()  # a lone surrogate is a ValueError
    return text


def _usable(value: Any) -> str:
    try:
        return "" if value is None else _external_id(value)
    except ValueError:
        return ""


CLEANERS: dict[str, Cleaner] = {
    "external_id": _external_id,
    "name": cleaning.name,
    "description": cleaning.description,
    "price": cleaning.money,
    "sale_price": cleaning.money,
    "currency": cleaning.currency,
    "categories": cleaning.texts,
    "brand": cleaning.line,
    "tags": cleaning.texts,
    "in_stock": cleaning.flag,
    "stock_quantity": cleaning.quantity,
}
