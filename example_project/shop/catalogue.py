"""A catalogue file, read line by line: JSON Lines, plain or gzipped.

Each line is an object with `sku`, `name` and `price`, and if known `description`, `brand`,
`categories` (from department to shelf), `image`, `popularity`, `stock` and `currency`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from django.conf import settings

GZIP = b"\x1f\x8b"
CENT = Decimal("0.01")
PRICE_BOUND = Decimal(10**8)
COUNT_BOUND = 2**31


class BadLine(ValueError):
    """Why a line cannot be taken, in words for whoever keeps the file."""


@dataclass(frozen=True)
class Item:
    sku: str
    name: str
    price: Decimal
    description: str = ""
    brand: str = ""
    categories: tuple[str, ...] = ()
    image: str = ""
    popularity: int = 0
    stock: int | None = None


def read(path: Path) -> Iterator[tuple[int, Item | BadLine]]:
    """Each line's number, from 1, with what it says or what is wrong with it."""
    first: dict[str, int] = {}
    with _opened(path) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                item = parse(line.removeprefix(b"\xef\xbb\xbf"))
                if (before := first.setdefault(item.sku.casefold(), number)) != number:
                    raise BadLine(f"the sku {item.sku} is that of line {before}")
            except BadLine as bad:
                yield number, bad
            else:
                yield number, item


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        zipped = stream.read(2) == GZIP
    return cast("IO[bytes]", gzip.open(path)) if zipped else path.open("rb")


def parse(line: bytes) -> Item:
    try:
        row = json.loads(line.decode(), parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadLine("not valid JSON in UTF-8") from None
    if not isinstance(row, dict):
        raise BadLine("not an object")
    if row.get("currency") not in (None, settings.SHOP_CURRENCY):
        raise BadLine(f"priced in {row['currency']}, but the shop sells in {settings.SHOP_CURRENCY}")
    return Item(
        sku=_required(row, "sku", 64),
        name=_required(row, "name", 255),
        price=_price(row.get("price")),
        description=_text(row.get("description"), "description"),
        brand=_text(row.get("brand"), "brand", 120),
        categories=_categories(row.get("categories")),
        image=_text(row.get("image"), "image", 500),
        popularity=_count(row.get("popularity"), "popularity") or 0,
        stock=_count(row.get("stock"), "stock"),
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _required(row: dict[str, Any], field: str, longest: int) -> str:
    text = _text(row.get(field), field, longest)
    if not text.strip():
        raise BadLine(f"no {field}")
    return text


def _text(value: Any, field: str, longest: int | None = None) -> str:
    """Byte for byte as it stands in the file; no database takes lone surrogates or NUL."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadLine(f"{field} is not a text")
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise BadLine(f"{field} has a character that is none")
    if longest is not None and len(value) > longest:
        raise BadLine(f"{field} is longer than {longest} characters")
    return value


def _price(value: Any) -> Decimal:
    if value is None:
        raise BadLine("no price")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BadLine("price is not a number")
    price = Decimal(value)
    if not 0 <= price < PRICE_BOUND:
        raise BadLine(f"price {value} is out of bounds")
    if price != price.quantize(CENT):
        raise BadLine(f"price {value} is not in whole cents")
    return price.quantize(CENT)


def _categories(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise BadLine("categories is not a list of names")
    return tuple(_text(name, "categories", 120) for name in value)


def _count(value: Any, field: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < COUNT_BOUND:
        raise BadLine(f"{field} is not a count")
    return value
