"""What travels: the request bodies of `API.md` as msgspec structs, their bytes, digests and answers.

A product is encoded once. Its bytes are joined into a batch, and their digest is what the mirror
remembers, so "has it changed?" and "what was sent?" can never disagree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

Route = Literal["plugin", "shops"]

MAX_BATCH = 100  # PROD, "Limits"
NAME_LENGTH = 512
DESCRIPTION_LENGTH = 5_000

_encoder = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


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


class SyncResult(msgspec.Struct, kw_only=True):
    """Neuroon's answer to a batch: its counts, and the refusals by external id where it names them."""

    synced: int = 0
    created: int = 0
    updated: int = 0
    failed: int = 0
    named: dict[str, str] = {}
    messages: list[str] = []


class ListedProduct(msgspec.Struct, kw_only=True, rename="camel"):
    """One row of Neuroon's own list (PROD, "List products")."""

    id: str
    external_id: str
    name: str = ""
    price: Decimal | None = None
    in_stock: bool | None = None


class Page(msgspec.Struct, kw_only=True, rename="camel"):
    """One page of Neuroon's list; `page` counts from 0."""

    content: list[ListedProduct]
    items: int  # with those that have no external id, which were not sent from a shop
    total_elements: int = 0
    total_pages: int = 0


def encode_product(product: Product, extra: Mapping[str, Any] | None = None) -> bytes:
    """The canonical JSON of one product, as the plugin route takes it.

    `extra` adds fields of that route by their wire names. Raises UnicodeEncodeError for a lone
    surrogate and TypeError for what JSON cannot hold.
    """
    if not extra:
        return _encoder.encode(product)
    return _encoder.encode(msgspec.to_builtins(product, builtin_types=(Decimal,)) | dict(extra))


def encode_batch(products: Iterable[bytes], route: Route) -> bytes:
    """A sync body out of canonical products (`API.md`, "Products")."""
    if route == "plugin":
        return b'{"syncType":"INCREMENTAL","products":[' + b",".join(products) + b"]}"
    return b"[" + b",".join(map(_for_shops_route, products)) + b"]"


def _for_shops_route(payload: bytes) -> bytes:
    return _encoder.encode({k: v for k, v in decode(payload).items() if k in SHOPS_FIELDS})


def encode(body: Any) -> bytes:
    """Any other request body."""
    return _encoder.encode(body)


def digest(payload: bytes) -> str:
    """What the mirror remembers of a payload: the SHA-256 of its bytes, in hex."""
    return hashlib.sha256(payload).hexdigest()


def decode(body: bytes) -> Any:
    """An answer's JSON with exact decimals, or ValueError."""
    return _decoder.decode(body)


def text_of(value: object) -> str:
    """One line for people out of whatever an error body holds."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return " ".join(text.replace("\0", " ").split())[:500].encode(errors="replace").decode()


def read_error(body: bytes) -> tuple[str, float | None, Any]:
    """(message, seconds to wait, details) of any of the four error bodies, or of HTML (`API.md`)."""
    try:
        data = decode(body)
    except (ValueError, RecursionError):
        return "", None, None
    if not isinstance(data, Mapping):
        return "", None, None
    inner = data.get("error")
    source = inner if isinstance(inner, Mapping) else data
    message = text_of(source.get("message")) or text_of(source.get("code"))
    message = message or (text_of(inner) if isinstance(inner, str) else "")
    wait = source.get("retryAfter")
    if isinstance(wait, str) and wait.isdecimal():
        wait = Decimal(wait)
    if isinstance(wait, bool) or not isinstance(wait, int | Decimal):
        return message, None, source.get("details")
    return message, float(min(wait, 10**9)), source.get("details")


def read_refusals(errors: object, sent: list[str]) -> tuple[dict[str, str], list[str]]:
    """Refusals by external id, and the messages that name no product sent.

    An element of `errors` is a string, or an object with `externalId` or `index` and a `message`:
    its shape is not documented (`API.md`, "Products"), so everything is read and nothing required.
    """
    named: dict[str, str] = {}
    messages: list[str] = []
    for item in errors if isinstance(errors, list) else []:
        key, message = _refusal(item, sent)
        if key is None:
            messages.append(message)
        else:
            named[key] = message
    return named, messages


def _refusal(item: object, sent: list[str]) -> tuple[str | None, str]:
    if not isinstance(item, Mapping):
        text = text_of(item)
        return _named_in(text, sent), text or "refused"
    message = text_of(item.get("message")) or text_of(item.get("error")) or "refused"
    external_id, index = item.get("externalId"), item.get("index")
    if isinstance(external_id, str) and external_id in sent:
        return external_id, message
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(sent):
        return sent[index], message
    return None, message


def _named_in(text: str, sent: list[str]) -> str | None:
    """The one product whose id opens the text, as in `SKU-1: no price`."""
    head = text.partition(":")[0].strip().strip("'\"")
    return head if head in sent else None


def read_sync_result(body: bytes, sent: list[str]) -> SyncResult:
    """The answer to a batch (PROD, "Response"), or ValueError where it is something else."""
    data = decode(body)
    if not isinstance(data, Mapping) or not ({"synced", "failed"} & data.keys()):
        raise ValueError("not a sync answer")
    counts = {name: data.get(name, 0) for name in ("synced", "created", "updated", "failed")}
    if any(type(n) is not int or n < 0 for n in counts.values()):
        raise ValueError("counts that are no numbers")
    if "synced" not in data:
        counts["synced"] = max(0, len(sent) - counts["failed"])
    named, messages = read_refusals(data.get("errors"), sent)
    return SyncResult(named=named, messages=messages, **counts)


def read_page(body: bytes) -> Page:
    """One page of the list, or ValueError."""
    data = decode(body)
    if not isinstance(data, dict) or not isinstance(data.get("content"), list):
        raise ValueError("not a page of the list")
    content = [
        {"id": ""}
        | {name: value for name, value in item.items() if value is not None}
        | {name: str(item[name]) for name in ("id", "externalId") if item.get(name) is not None}
        for item in data["content"]
        if isinstance(item, dict) and item.get("externalId") not in (None, "")
    ]
    values = {name: value for name, value in data.items() if value is not None}
    page = {**values, "content": content, "items": len(data["content"])}
    return msgspec.convert(page, Page, strict=False)
