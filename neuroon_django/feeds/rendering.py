"""A product becomes a payload: the one place where product feeds are asked and their values encoded.

Fold, scan, engine, preview, verification and the test helpers all come here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import Model

from neuroon_django.api import messages
from neuroon_django.conf import VERSION
from neuroon_django.exceptions import InvalidValue
from neuroon_django.feeds import cleaning
from neuroon_django.feeds.context import payload_context
from neuroon_django.feeds.declarations import PRODUCT_ENTRIES
from neuroon_django.feeds.external_ids import IdentifiedSource, clean_external_id
from neuroon_django.feeds.source import NOT_THE_SHOPS, Invalid, M

AMOUNTS = ("price", "sale_price")
REQUIRED = ("external_id", "name", "price", "url")

Cleaner = Callable[[Any], Any]


@dataclass(slots=True)
class Rendered:
    """A product as it goes to Neuroon: its external id, canonical bytes, and their digest."""

    external_id: str
    payload: bytes
    parent: str = ""  # the external id of the product that Neuroon must have before
    changes_at: datetime | None = None  # when the product changes by the clock alone
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        self.digest = messages.digest(self.payload)

    @property
    def refused_digest(self) -> str:
        """Return the digest that a row keeps of a refused payload; each version has another one."""
        return messages.digest(b"refused " + VERSION.encode() + b" " + self.payload)


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A product that the shop has and does not list, until `changes_at` if that is known."""

    changes_at: datetime | None = None


RenderResult = Rendered | Unlisted | Invalid


class ProductSource(IdentifiedSource[M]):
    """A product feed bound to its model and one shop."""

    entries = PRODUCT_ENTRIES
    # How the source of another product is found; alone, a source knows its own model's.
    products: Callable[[Model], ProductSource[Any] | None] = staticmethod(lambda product: None)

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
            changes_at = self._clean("changes_at", cleaning.next_moment, product)
            if not self.value("is_listed", product):
                return Unlisted(changes_at)
            return self._rendered(product, changes_at)
        except InvalidValue as invalid:
            return Invalid(str(invalid))

    @cached_property
    def columns(self) -> list[tuple[str, Callable[[Any], Any], Cleaner]]:
        """Return the entries in use that are sent: name, getter and cleaner of each."""
        own = {"url": self._address, "image_url": self._address, "parent": self._parent_id}
        clean = CLEANERS | own
        return [(n, e.get, clean[n]) for n, e in self.compiled.items() if n in clean]

    def _address(self, value: Any) -> str:
        return cleaning.address(value, self.shop.STOREFRONT_URL)

    def _parent_id(self, value: Any) -> str:
        """Return the external id of a parent: its feed's, or the text that was given."""
        if not isinstance(value, Model):
            return clean_external_id(value)
        own: ProductSource[Any] | None = self if isinstance(value, self.model) else None
        source = own or self.products(value)
        if source is None:
            raise ValueError(f"{value._meta.label} has no product feed")
        external_id = source.external_id_of(value)
        if not external_id:
            raise ValueError("it has no external id")
        return external_id

    def _rendered(self, product: M, changes_at: datetime | None) -> Rendered:
        fields = self._fields(product)
        for name in REQUIRED:
            if fields.get(name) in (None, ""):
                raise InvalidValue(f"no {name.replace('_', ' ')}")
        fields = {name: value for name, value in fields.items() if value not in (None, "", [], {})}
        if fields.get("parent") == fields["external_id"]:
            raise InvalidValue("parent: a product cannot be its own")
        self._set_currency(fields)
        if "brand" in fields:
            fields["brands"] = [fields["brand"]]
        wired = messages.Product(**fields)
        payload = self._encode(wired, product)
        return Rendered(wired.external_id, payload, wired.parent or "", changes_at)

    def _set_currency(self, fields: dict[str, Any]) -> None:
        """Add the currency where the feed names none: the amounts' own, else the shop's."""
        amounts = {name: fields[name] for name in AMOUNTS if type(fields.get(name)) is cleaning.Money}
        if amounts:
            code = fields.get("currency", "")
            try:
                fields["currency"] = cleaning.one_currency(amounts.items(), code)
            except ValueError as error:
                raise InvalidValue(str(error)) from None
            fields |= {name: Decimal(amount) for name, amount in amounts.items()}
        if "currency" not in fields:
            default = self.shop.CURRENCY
            fields["currency"] = self.call_shop_code("currency", cleaning.currency, default)

    def _fields(self, product: M) -> dict[str, Any]:
        """Return the cleaned values; where one fails, clean one by one, so that the reason names it."""
        try:
            return {
                name: clean(value)
                for name, get, clean in self.columns
                if (value := get(product)) is not None
            }
        except NOT_THE_SHOPS:
            raise
        except Exception:
            return {name: self._clean(name, clean, product) for name, _, clean in self.columns}

    def _clean(self, name: str, clean: Cleaner, product: M) -> Any:
        value = self.value(name, product)
        return None if value is None else self.call_shop_code(name, clean, value)

    def _encode(self, wired: messages.Product, product: M) -> bytes:
        extra = None
        if self.overrides("extra"):
            further = self.call_shop_code("extra", self.feed.extra, product)  # type: ignore[attr-defined]
            extra = self.call_shop_code("extra", self._further, further)
        try:
            return messages.encode_product(wired, extra)
        except (TypeError, ValueError) as error:  # a lone surrogate is a ValueError
            reason = messages.text_of(str(error).encode("ascii", "replace").decode())
        raise InvalidValue(f"cannot be written as JSON: {reason}")

    def _further(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what `extra()` gave, cleaned; a field of an entry is the entry's."""
        in_use = {messages.WIRE_NAMES[name] for name, _, _ in self.columns}
        taken = sorted((messages.SHOPS_FIELDS | in_use).intersection(fields))
        if taken:
            raise ValueError(f"{', '.join(taken)}: the feed has an entry for that")
        further: Mapping[str, Any] = cleaning.plain(fields)
        return further


CLEANERS: dict[str, Cleaner] = {
    "external_id": clean_external_id,
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
    "sku": cleaning.line,
    "rating": cleaning.rating,
    "review_count": cleaning.quantity,
    "attributes": cleaning.attributes,
}
