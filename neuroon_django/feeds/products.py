"""What a product is for Neuroon: the class a shop subclasses, and how its entries become a payload."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.db.models import QuerySet

from neuroon_django.api import messages
from neuroon_django.conf import conf
from neuroon_django.exceptions import InvalidProduct
from neuroon_django.feeds import values
from neuroon_django.feeds.feed import Feed, M
from neuroon_django.feeds.keys import pks_of
from neuroon_django.feeds.paths import ANYTHING, Path, Reads, is_column, walk

logger = logging.getLogger("neuroon_django")

MAX_ID = 255
MANY = 30  # queries of the shop's code that fail before it is nobody's fault


class ProductFeed(Feed[M]):
    """What a product is for Neuroon (fields: `API.md`, "Products").

    `external_id`, `name`, `price` and `url` are required. `is_listed` False takes a product out of
    Neuroon while the shop keeps it. `price` and `sale_price` are amounts in `currency`; `categories`
    and `tags` are names, as a list, a queryset or comma-separated text.
    """

    entries = (
        "external_id",
        "name",
        "price",
        "url",
        "is_listed",
        "description",
        "sale_price",
        "currency",
        "image_url",
        "categories",
        "brand",
        "tags",
        "in_stock",
        "stock_quantity",
    )

    external_id: Any = "pk"
    name: Any = "name"
    price: Any = "price"
    url: Any = "get_absolute_url"
    is_listed: Any = True
    description: Any = None
    sale_price: Any = None
    currency: Any = None
    image_url: Any = None
    categories: Any = None
    brand: Any = None
    tags: Any = None
    in_stock: Any = None
    stock_quantity: Any = None

    def extra(self, product: M) -> Mapping[str, Any]:
        """Further fields of the plugin route by their wire names, such as `{"sku": …}`."""
        return {}

    def _read(self) -> Reads:
        return super()._read() if type(self).extra is ProductFeed.extra else ANYTHING

    @cached_property
    def columns(self) -> list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
        """The wire fields in use: where each comes from, and how it is cleaned."""
        return [(n, e.get, CLEANERS[n]) for n, e in self.plan.items() if n in CLEANERS]

    def payload(self, product: M) -> tuple[str, bytes]:
        """The external id and the canonical bytes; raises InvalidProduct with the reason."""
        fields = self._fields(product)
        for name in ("external_id", "name", "price", "url"):
            if fields.get(name) in (None, ""):
                raise InvalidProduct(f"no {name.replace('_', ' ')}")
        fields = {name: value for name, value in fields.items() if value not in (None, "", [])}
        if "currency" not in fields:
            fields["currency"] = self.ask("currency", values.currency, conf.CURRENCY)
        if "brand" in fields:
            fields["brands"] = [fields["brand"]]
        wired = messages.Product(**fields)
        return wired.external_id, self._encode(wired, product)

    def _fields(self, product: M) -> dict[str, Any]:
        """All at once; where that fails, one by one, so that the reason names the one."""
        with suppress(Exception):
            return {
                name: clean(value)
                for name, get, clean in self.columns
                if (value := get(product)) is not None
            }
        return {name: self._clean(name, clean, product) for name, _, clean in self.columns}

    def external_id_of(self, product: M) -> str:
        """The external id, or "" where it cannot be used; `payload` tells the reason."""
        try:
            return self._clean("external_id", _external_id, product) or ""
        except InvalidProduct:
            return ""

    def names(self, pks: Iterable[Any]) -> dict[str, str | None]:
        """External ids by primary key as text, of those that exist for Neuroon.

        "" where it has none that can be used, None where that cannot be said: it keeps what it has.
        """
        wanted = list(pks)
        if not wanted:
            return {}
        try:
            queryset = self.present().filter(pk__in=wanted)
            if column := self._in_sql(queryset, self.plan["external_id"].path):
                return {str(pk): _usable(value) for pk, value in queryset.values_list("pk", column)}
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            logger.warning("ids_one_by_one feed=%s error=%s", self.label, type(error).__name__)
        return self._asked(wanted)

    def _asked(self, pks: list[Any]) -> dict[str, str | None]:
        """The same by the shop's code, in a savepoint: a query of its own that fails would take the
        fold with it. Where one does, halves are asked, until the one to blame stands alone."""
        named: dict[str, str | None] = {}
        todo, failures = [pks], 0
        while todo:
            some = todo.pop()
            try:
                with transaction.atomic(self.home):
                    named |= {pk: self._id_of(product) for pk, product in self.load(some).items()}
            except DatabaseError:
                failures += 1
                # The savepoint is gone, as a deadlock's victim's is; or it is no product's trouble.
                if connections[self.home].needs_rollback or failures > MANY:
                    raise
                middle = len(some) // 2
                if middle:
                    todo += [some[middle:], some[:middle]]
                else:
                    named[str(some[0])] = None
        return named

    def _id_of(self, product: M) -> str | None:
        if isinstance(product, InvalidProduct):
            return None
        try:
            return _usable(self.plan["external_id"].get(product))
        except DatabaseError:
            raise
        except Exception:
            return None

    def hanging_on(self, path: Path, texts: Iterable[str], after: str, limit: int) -> list[Any]:
        """Primary keys of products along a path, in order, from after `after` on, all as text."""
        pks = list(pks_of(path.target, texts).values())
        found = self.model._base_manager.using(self.home).filter(**{f"{path.query}__pk__in": pks})
        return list(self.beyond(found, after).values_list("pk", flat=True).distinct()[:limit])

    def _clean(self, name: str, clean: Callable[[Any], Any], product: M) -> Any:
        value = self.value(name, product)
        return None if value is None else self.ask(name, clean, value)

    def _encode(self, wired: messages.Product, product: M) -> bytes:
        extra = None
        if type(self).extra is not ProductFeed.extra:
            extra = self.ask("extra", _further, self.ask("extra", self.extra, product))
        try:
            return messages.encode_product(wired, extra)
        except (TypeError, ValueError) as error:  # a lone surrogate is a ValueError
            reason = messages.text_of(str(error).encode("ascii", "replace").decode())
        raise InvalidProduct(f"cannot be written as JSON: {reason}")

    def _in_sql(self, queryset: QuerySet[M], path: str) -> str:
        """The same lookup for the database; "" where only Python can follow it."""
        hops, rest = walk(self.model, path)
        end = hops[-1].target if hops else self.model
        if any(hop.to_many for hop in hops) or len(rest) != 1:
            return ""
        annotated = not hops and path in queryset.query.annotations
        known = annotated or is_column(end, rest[0])
        return "__".join([*(hop.query for hop in hops), *rest]) if known else ""


def _further(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    if taken := sorted(messages.SHOPS_FIELDS.intersection(fields)):
        raise ValueError(f"{', '.join(taken)}: the feed has an entry for that")
    further: Mapping[str, Any] = values.plain(fields)
    return further


def _external_id(value: Any) -> str:
    text = values.text(value)
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


def _address(value: Any) -> str:
    return values.address(value, conf.STOREFRONT_URL)


CLEANERS: dict[str, Callable[[Any], Any]] = {
    "external_id": _external_id,
    "name": values.name,
    "description": values.description,
    "price": values.money,
    "sale_price": values.money,
    "currency": values.currency,
    "url": _address,
    "image_url": _address,
    "categories": values.texts,
    "brand": values.line,
    "tags": values.texts,
    "in_stock": values.flag,
    "stock_quantity": values.quantity,
}
