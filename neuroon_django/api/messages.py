"""What travels: the request bodies of `API.md` as msgspec structs, their bytes and digests.

A product is encoded once. Its bytes are joined into a batch, and their digest is what the mirror
remembers, so "has it changed?" and "what was sent?" can never disagree. PROD and S2S are Neuroon's two
primary documents, docs is its other public documentation (`API.md`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import msgspec

from .answers import ListedProduct as ListedProduct
from .answers import Page as Page
from .answers import SyncResult as SyncResult
from .answers import decode as decode
from .answers import fits_path as fits_path
from .answers import is_storable as is_storable
from .answers import read_page as read_page
from .answers import read_sync_result as read_sync_result
from .refusals import read_refusals as read_refusals
from .refusals import without_name as without_name
from .text import text_of as text_of

Route = Literal["plugin", "shops"]
Form = Literal["object", "array"]


class Way(NamedTuple):
    """How a batch is sent: by which path, and as an object or as a bare array; as text for people."""

    route: Route
    body: Form

    def __str__(self) -> str:
        return "plugin, as a bare array" if self == WAYS[1] else self.route


# In this order they are tried with the first product (`API.md`, "Products").
WAYS = (Way("plugin", "object"), Way("plugin", "array"), Way("shops", "array"))

MAX_BATCH = 100  # PROD, "Limits"
NAME_LENGTH = 512
DESCRIPTION_LENGTH = 5_000

_encoder = msgspec.json.Encoder(decimal_format="number", order="deterministic")


class ShopsProduct(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """One product as PROD, "Sync products" lists its fields; what is None is left out.

    `price` and `sale_price` are Decimals of whole cents in `currency` (ISO 4217); `url` and
    `image_url` are absolute.
    """

    external_id: str
    name: str
    description: str | None = None
    price: Decimal
    sale_price: Decimal | None = None
    currency: str | None = None
    url: str
    image_url: str | None = None
    categories: list[str] | None = None
    brand: str | None = None
    tags: list[str] | None = None
    in_stock: bool | None = None
    stock_quantity: int | None = None


class Product(ShopsProduct, kw_only=True, omit_defaults=True, rename="camel"):
    """One product with the further fields of the plugin route (docs); `parent` is an external id."""

    brands: list[str] | None = None  # with the same value as `brand`: which is read is not settled
    sku: str | None = None
    rating: Decimal | None = None
    review_count: int | None = None
    attributes: dict[str, str] | None = None
    parent: str | None = msgspec.field(default=None, name="parentExternalId")


SHOPS_FIELDS = frozenset(ShopsProduct.__struct_encode_fields__)
WIRE_NAMES = dict(zip(Product.__struct_fields__, Product.__struct_encode_fields__, strict=True))


class ConversionItem(msgspec.Struct, kw_only=True, rename="camel"):
    """One attributed line: `quantity` pieces for `line_total`, found by search `search_log_id`."""

    product_id: str
    search_log_id: str
    quantity: int
    line_total: Decimal


class ConversionReport(msgspec.Struct, kw_only=True, rename="camel"):
    """The body of `track/conversion` (S2S; fields: docs). It has no room for personal data."""

    order_id: str
    order_value: Decimal
    currency: str
    conversions: list[ConversionItem]


def encode_product(product: Product, extra: Mapping[str, Any] | None = None) -> bytes:
    """Return the canonical JSON of one product, as the plugin route takes it.

    `extra` adds fields of that route by their wire names. Raises UnicodeEncodeError for a lone
    surrogate and TypeError for what JSON cannot hold.
    """
    if not extra:
        return _encoder.encode(product)
    return _encoder.encode(msgspec.to_builtins(product, builtin_types=(Decimal,)) | dict(extra))


def encode_batch(products: Iterable[bytes], route: Route, body: Form = "object") -> bytes:
    """Return a sync body out of canonical products; the shops route takes an array only."""
    if route == "plugin" and body == "object":
        return b'{"syncType":"INCREMENTAL","products":[' + b",".join(products) + b"]}"
    return b"[" + b",".join(map(_for_array, products)) + b"]"


def _for_array(payload: bytes) -> bytes:
    """Return a product with the fields of PROD alone, to which the bare array belongs."""
    return _encoder.encode({k: v for k, v in decode(payload).items() if k in SHOPS_FIELDS})


def decode_report(body: bytes) -> ConversionReport:
    """Return the report that was encoded."""
    return msgspec.json.decode(body, type=ConversionReport)


def encode(body: Any) -> bytes:
    """Return any other request body."""
    return _encoder.encode(body)


def digest(payload: bytes) -> str:
    """Return what the mirror remembers of a payload: the SHA-256 of its bytes, in hex."""
    return hashlib.sha256(payload).hexdigest()
