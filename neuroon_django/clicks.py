"""The shopper's clicks: the widget's cookie as text, and the pairs of product and search in it.

A request only keeps the text (in `current`, set by the middleware); a worker parses it, as the
hostile input it is (`API.md`, "Conversions"; law 13).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

from django.utils.functional import Promise

COOKIE_NAME = "neuroon_clicks"
MAX_TEXT = 3 * 4_096  # a full cookie, percent-encoded
MAX_PAIRS = 500
MAX_ID = 255
TEXTS = (str, int, UUID, Promise)  # what a shop's own mapping may hold as an id; `bool` does no harm

# The cookie's text of the shopper's request that this thread or task serves; "" outside of one.
current: ContextVar[str] = ContextVar("neuroon_clicks", default="")
# The fingerprint of the shop that this request is for, where there are several; "": not known.
current_shop: ContextVar[str] = ContextVar("neuroon_shop", default="")

_decoder = json.JSONDecoder(strict=False)  # control characters may stand in a text as they are


def storable(text: str) -> str:
    """Return a cookie's text as a row holds it: cut, and in characters that every database takes."""
    text = text[:MAX_TEXT]
    if text.isascii() and "\0" not in text:
        return text
    return quote(text, errors="replace")[:MAX_TEXT]


def parse(text: str) -> dict[str, str]:
    """Return `{externalId: searchLogId}` of a cookie's text, without what is not a clean pair.

    The widget cuts a cookie that grows too long, so the pairs that stand whole before a cut count.
    """
    text = text[:MAX_TEXT].strip()
    if '"' not in text:  # percent-encoded, wholly or, as by js-cookie, but for its braces
        text = unquote(text, errors="replace").strip()
    pairs: dict[str, str] = {}
    position = 1 if text.startswith("{") else len(text)
    while position < len(text) and len(pairs) < MAX_PAIRS:
        try:
            key, position = _value(text, position)
            value, position = _value(text, position, after=":")
        except (ValueError, RecursionError):
            break
        if _is_id(key) and _is_search(value):
            pairs[key] = value
        position = _skip(text, position, ",")
    return pairs


def merge(texts: Iterable[str]) -> str:
    """Return the pairs of several texts, oldest first, as one clean text.

    The latest search of a product stays, and the newest pairs where not all have room.
    """
    merged: dict[str, str] = {}
    for pairs in map(parse, texts):
        merged = {key: search for key, search in merged.items() if key not in pairs} | pairs
    newest = list(merged.items())[-MAX_PAIRS:]
    while len(text := dump(dict(newest))) > MAX_TEXT:
        newest = newest[len(newest) // 10 + 1 :]
    return text


def dump(pairs: Mapping[Any, Any]) -> str:
    """Return pairs of any types as the text that `parse` reads; "" for none."""
    clean = {k: v for k, v in pairs.items() if isinstance(k, TEXTS) and isinstance(v, TEXTS)}
    texts = {str(key): str(search) for key, search in clean.items()}
    return json.dumps(texts) if texts else ""


def _value(text: str, position: int, after: str = "") -> tuple[Any, int]:
    return _decoder.raw_decode(text, _skip(text, position, after))


def _skip(text: str, position: int, mark: str) -> int:
    """Return the position after white space and one `mark`; ValueError where a colon is missing."""
    rest = text[position:].lstrip()
    if mark and rest.startswith(mark):
        rest = rest[1:].lstrip()
    elif mark == ":":
        raise ValueError(position)
    return len(text) - len(rest)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID and value.isprintable()


def _is_search(value: object) -> bool:
    """Return whether it is a searchLogId: opaque text, as long as it can be written down again."""
    if not isinstance(value, str) or not value:
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
