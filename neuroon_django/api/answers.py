"""What Neuroon's answers say: to a batch of products, and the pages of its list.

Nothing was checked against the live service, so answers are read leniently: whatever is no such value
counts as not said. PROD is one of Neuroon's two primary documents (`API.md`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from .refusals import read_refusals
from .text import text_of

MAX_PAGES = 100_000  # of a list that does not say how many it has
MAX_ID = 255  # characters of an id, as its column has them

_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass
class SyncResult:
    """What Neuroon's answer to a batch says of it.

    `refused` are reasons by external id where the answer names the products, `unnamed` is how many
    more were refused and `messages` what is said of those. `warnings` hinder nothing, those under ""
    name no product. `synced`, `created`, `updated` and `failed` are Neuroon's own counts.
    """

    synced: int = 0
    created: int = 0
    updated: int = 0
    failed: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    unnamed: int = 0
    messages: list[str] = field(default_factory=list)
    warnings: dict[str, str] = field(default_factory=dict)


@dataclass
class ListedProduct:
    """One row of Neuroon's own list (PROD, "List products"); what is no such value there is None.

    `id` is Neuroon's own, "" where it shows none that can be kept and asked for.
    """

    id: str
    external_id: str
    name: str = ""
    price: Decimal | None = None
    in_stock: bool | None = None


@dataclass
class Page:
    """One page of Neuroon's list."""

    content: list[ListedProduct]
    items: int  # with those that have no external id, which were not sent from a shop
    total_elements: int = 0
    total_pages: int = 0

    def is_last(self, number: int) -> bool:
        """Return whether the list ends with this page, which was the one of that number, from 0."""
        return not self.items or number + 1 >= min(self.total_pages or MAX_PAGES, MAX_PAGES)


def decode(body: bytes) -> Any:
    """Return an answer's JSON with exact decimals, or raise ValueError."""
    return _decoder.decode(body)


def read_object(body: bytes) -> dict[str, Any]:
    """Return an answer's object, also where it is wrapped in `data`; ValueError where it is none."""
    data = decode(body)
    if not isinstance(data, dict):
        raise ValueError("not an object")
    inner = data.get("data")
    if not isinstance(inner, dict):
        return data
    return inner | {key: value for key, value in data.items() if value not in (None, [], {}, inner)}


def read_sync_result(body: bytes, sent: list[str]) -> SyncResult:
    """Return what a 2xx says of a batch, or raise ValueError where it is no answer to one.

    Everything was accepted unless the answer says otherwise: by `failed`, by `success: false`, or by
    `errors` that its counts do not contradict (`API.md`, "Answer").
    """
    facts = read_object(body) if body.strip() else {}
    counts = {name: count_of(facts.get(name)) for name in ("synced", "created", "updated", "failed")}
    failed, success = counts["failed"], facts.get("success")
    named, texts = read_refusals(facts.get("errors") or facts.get("error"), sent)
    included = [n for name, n in counts.items() if name != "failed" and n is not None]
    counted = max(counts["synced"] or 0, (counts["created"] or 0) + (counts["updated"] or 0))
    denies = success in (False, 0) or str(success).lower() == "false"
    clears = counted >= len(sent) if included else failed == 0
    result = SyncResult(counted, counts["created"] or 0, counts["updated"] or 0, failed or 0)
    if failed or denies or ((named or texts) and not clears):
        doubtful = failed or (len(sent) if denies else len(named) + len(texts))
        result.refused, result.messages = named, texts
        result.unnamed = max(0, min(doubtful, len(sent)) - len(named))
    else:
        if included and counted < len(sent):
            texts.append(f"Neuroon counted {counted} of {len(sent)} products")
        result.warnings = named | ({"": text_of("; ".join(texts))} if texts else {})
    if not included:
        result.synced = len(sent) - len(result.refused) - result.unnamed
    return result


def read_page(body: bytes) -> Page:
    """Return one page of the list, or raise ValueError."""
    data = read_object(body)
    inner = data.get("page")
    totals = data | inner if isinstance(inner, dict) else data
    if not isinstance(data.get("content"), list):
        raise ValueError("not a page of the list")
    items = [item for item in data["content"] if isinstance(item, dict)]
    return Page(
        content=[_listed(item) for item in items if item.get("externalId") not in (None, "")],
        items=len(data["content"]),
        total_elements=count_of(totals.get("totalElements")) or 0,
        total_pages=count_of(totals.get("totalPages")) or 0,
    )


def _listed(item: Mapping[str, Any]) -> ListedProduct:
    name, in_stock = item.get("name"), item.get("inStock")
    own_id = str(item["id"]) if item.get("id") is not None else ""
    return ListedProduct(
        id=own_id if is_storable(own_id) and fits_path(own_id) else "",
        external_id=str(item["externalId"]),
        name=name if isinstance(name, str) else "",
        price=number_of(item.get("price")),
        in_stock=in_stock if isinstance(in_stock, bool) else None,
    )


def is_storable(text: str) -> bool:
    """Return whether an id fits its column on every database."""
    return len(text) <= MAX_ID and "\0" not in text


def fits_path(product_id: str) -> bool:
    """Return whether an id can be in a path, whose meaning some ids would change."""
    return product_id not in ("", ".", "..")


def count_of(value: object) -> int | None:
    """Return a count that may come as a number of any kind or as text, None where it is none."""
    number = number_of(value)
    return int(number) if number is not None and 0 <= number < 10**9 else None


def number_of(value: object) -> Decimal | None:
    """Return a finite number that may come as text, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str) or len(str(value)) > 40:
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() else None
