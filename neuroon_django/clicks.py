"""The shopper's clicks: the widget's cookie as text, and the pairs of product and search in it.

A request only keeps the text (in `current`, set by the middleware), and an order that is saved in it
takes the text along; a worker parses it, as the hostile input it is (`API.md`, "Conversions"; law 13).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

from django.db import DatabaseError
from django.utils.functional import Promise

logger = logging.getLogger("neuroon_django")

COOKIE_NAME = "neuroon_clicks"
MAX_TEXT = 3 * 4_096  # a full cookie, percent-encoded
MAX_PAIRS = 500
MAX_ID = 255
TEXTS = (str, int, UUID, Promise)  # what a shop's own mapping may hold as an id; `bool` does no harm

# The cookie's text of the shopper's request that this thread or task serves; "" outside of one.
current: ContextVar[str] = ContextVar("neuroon_clicks", default="")
_serving: ContextVar[Serving | None] = ContextVar("neuroon_serving", default=None)
# The fingerprint of the shop that this request is for, where there are several; "": not known.
current_shop: ContextVar[str] = ContextVar("neuroon_shop", default="")

Name = tuple[str, str]  # an object of the shop: model label, primary key as text

_decoder = json.JSONDecoder(strict=False)  # control characters may stand in a text as they are


@dataclass
class Serving:
    """A request that is served; tasks that it began keep this object when it is over."""

    request: Any
    is_over: bool = False


@contextmanager
def serving(request: Any, text: str) -> Iterator[None]:
    """Keep a shopper's text while a request is served."""
    mine = Serving(request)
    kept, served, shop = current.set(text), _serving.set(mine), current_shop.set("")
    try:
        yield
    finally:
        mine.is_over = True
        current.reset(kept)
        _serving.reset(served)
        current_shop.reset(shop)


def is_refused(request: Any) -> bool:
    """Return whether another middleware around this one has refused to keep a request's clicks."""
    served = _serving.get()
    return served is not None and served.request is request and not current.get()


def to_record() -> str:
    """Return the text that an order takes along which is saved now.

    It is "" where staff saves it, and in a task that has outlived the shopper's request: one that
    works on for all shoppers, as a consumer that the first request started, must not give them his.
    """
    text, served = current.get(), _serving.get()
    if not text or (served and served.is_over):
        return ""
    return "" if is_staff(served and served.request) else text


def is_staff(request: Any) -> bool:
    """Return whether staff makes a request; one whose user cannot be found out counts as theirs.

    It may cost the queries for session and user, so it is asked only where there is something to keep.
    """
    try:
        return bool(getattr(getattr(request, "user", None), "is_staff", False))
    except DatabaseError:
        raise  # the shop's to handle, as all errors of its database
    except Exception as error:
        logger.warning("clicks_not_kept error=%s: %s", type(error).__name__, error)
        return True


def text_of(given: Any) -> str:
    """Return the cookie's text of a request, of a mapping, or of the text itself."""
    cookies = getattr(given, "COOKIES", None)
    if cookies is not None:
        given = "" if is_staff(given) else cookies.get(COOKIE_NAME, "")
    return dump(given) if isinstance(given, Mapping) else str(given or "")


@dataclass(frozen=True)
class Clicked:
    """What a shopper clicked: searchLogIds by external id, and which objects had these ids then."""

    searches: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, Name] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str, owners: str = "") -> Clicked:
        """Return what a row keeps: a cookie's text, and what `dump_owners` made of the owners."""
        names = json.loads(owners) if owners else {}
        return cls(parse(text), {clicked: (label, pk) for clicked, (label, pk) in names.items()})

    @property
    def ids_by_owner(self) -> dict[Name, str]:
        """Return which id was clicked of each object, the latest where it was more than one."""
        return {self.owners[clicked]: clicked for clicked in self.searches if clicked in self.owners}

    def find(self, external_id: str, name: Name | None = None) -> tuple[str, str] | None:
        """Return the id under which a product was clicked, and the search; None where it was not.

        A product that was renamed since is found by its name; another one of its model that has the
        id now was not clicked.
        """
        clicked = self.ids_by_owner.get(name) if name else None
        if clicked is None:
            owner = self.owners.get(external_id)
            is_others = bool(name and owner and owner[0] == name[0])
            clicked = external_id if external_id in self.searches and not is_others else None
        return None if clicked is None else (clicked, self.searches[clicked])

    def dump_owners(self, owners_now: Mapping[str, Name], before: Clicked) -> str:
        """Return as text whose ids were clicked: as known before, and else who has them now."""
        found = {
            clicked: before.owners.get(clicked) if before.searches.get(clicked) == search else None
            for clicked, search in self.searches.items()
        }
        owners = {clicked: name or owners_now.get(clicked) for clicked, name in found.items()}
        known = {clicked: name for clicked, name in owners.items() if name}
        return json.dumps(known) if known else ""


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
