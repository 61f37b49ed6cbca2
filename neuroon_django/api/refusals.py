"""Which product a refusal names: elements of `errors` and `details`, in whatever shape they come.

Their shape is documented nowhere (`API.md`, "Products"), so everything is read and nothing required.
A product is named by its external id, by an index, or by a path such as `products[1].price`; text
names one where its id stands as a word that can hardly be another. What names nobody is no loss: such
products are looked for by halves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .text import text_of

REFUSED = "refused"  # what a refusal without a word says
MAX_LENGTH = 200_000  # characters of one text in which names are looked for

ID_KEYS = ("externalId", "external_id", "productId", "product_id", "id", "sku", "product", "key")
INDEX_KEYS = ("index", "position", "row")
PATH_KEYS = ("field", "path", "property", "propertyPath", "pointer", "loc")
MESSAGE_KEYS = ("message", "error", "reason", "detail", "defaultMessage", "description", "msg", "title")
KNOWN_KEYS = {*ID_KEYS, *INDEX_KEYS, *PATH_KEYS, *MESSAGE_KEYS}

_PATH = re.compile(
    r"(?:\b(?:products?|items?|body|root)|^\W{0,2})(?:\[(\d{1,4})\]|[./](\d{1,4})(?=[./\s:]|$))"
)
_INDEX = re.compile(r"^[\s'\"#/$]*(?:products?|items?)?(?:\[\d{1,4}\]|[./]\d{1,4}(?=[./]))[./]?\s*")
_INTRODUCED = re.compile(
    r"(?:\b(?:product|item|sku|id|external_?id|product_?id)s?\b[\s:=#]*['\"`(\[]?|['\"`(\[])$",
    re.IGNORECASE,
)
_PIECES = re.compile(r"\s*[,;\n]\s+|[,;\n](?=\S)")


def read_refusals(errors: object, sent: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the refusals by external id, and the messages that name no product sent.

    `errors` is a list, an object by external id, or a text that may join several refusals.
    """
    named: dict[str, list[str]] = {}
    unnamed: list[str] = []
    for subject, item in _elements(errors):
        for external_id, message in _read(subject, item, sent):
            if external_id is None:
                unnamed.append(message)
            else:
                named.setdefault(external_id, []).append(without_name(message, external_id))
    return {key: text_of("; ".join(dict.fromkeys(texts))) for key, texts in named.items()}, unnamed


def without_name(reason: str, external_id: str) -> str:
    """Return a reason without the product's own id or index, so that equal reasons are equal text."""
    text = _INDEX.sub("", reason, count=1)
    for found in reversed(list(_mentions(external_id, text))):
        before, after = text[: found.start()], text[found.end() :]
        heading = re.match(r"['\"`)\]]*\s*:\s*", after)
        at_head = heading and not re.search(r"\w", before)
        text = after[heading.end() :] if heading and at_head else f"{before}…{after}"
    return _INDEX.sub("", text, count=1) or reason


def words_of(value: object) -> str:
    """Return every word of a value out of an error body as one text, whatever its shape."""
    if isinstance(value, list):
        return "; ".join(filter(None, map(words_of, value[:100])))
    if not isinstance(value, Mapping):
        return text_of(value)
    subject, text = words_of(_first(value, (*ID_KEYS, *PATH_KEYS))), _words_about(value)
    return ": ".join(filter(None, [subject, text]))


def _words_about(item: Mapping[Any, Any]) -> str:
    """Return what an object says, without what it says it of."""
    message = words_of(_first(item, MESSAGE_KEYS))
    others = [
        words_of(value) if key == "code" else f"{text_of(key)}: {words_of(value)}"
        for key, value in item.items()
        if key not in KNOWN_KEYS and value not in (None, "", [], {})
    ]
    return f"{message} ({', '.join(others)})" if message and others else message or ", ".join(others)


def _elements(errors: object) -> Iterator[tuple[str, Any]]:
    """Yield the elements, each with the key that it stands under in an object."""
    if isinstance(errors, list):
        yield from (("", item) for item in errors)
    elif isinstance(errors, Mapping):
        if _first(errors, MESSAGE_KEYS) is not None:
            yield "", errors
        else:
            yield from errors.items()
    elif isinstance(errors, str) and errors.strip():
        yield "", errors


def _read(subject: str, item: object, sent: list[str]) -> Iterator[tuple[str | None, str]]:
    """Yield what one element says of which product."""
    if subject:
        external_id = subject if subject in sent else _in_path(subject, sent)
        message = words_of(item) or REFUSED
        yield external_id, message if external_id else f"{text_of(subject)}: {message}"
    elif isinstance(item, Mapping):
        external_id = _in_object(item, sent)
        yield external_id, (_words_about(item) if external_id else words_of(item)) or REFUSED
    else:
        text = item if isinstance(item, str) else words_of(item)
        yield from _in_text(text[:MAX_LENGTH], sent)


def _in_object(item: Mapping[Any, Any], sent: list[str]) -> str | None:
    """Return which product an object names: by id, else by index, by a path, or in its words."""
    for key in ID_KEYS:
        value = item.get(key)
        if isinstance(value, Mapping):
            value = _first(value, ID_KEYS)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value) in sent:
            return str(value)
    for key in INDEX_KEYS:
        index = item.get(key)
        if isinstance(index, int) and not isinstance(index, bool):
            return _at(index, sent)
    for key in PATH_KEYS:
        path = item.get(key)
        text = "/".join(map(str, path)) if isinstance(path, list) else path
        if isinstance(text, str) and (found := _in_path(text, sent)):
            return found
    message = _first(item, MESSAGE_KEYS)
    names = {name for name, _ in _in_text(message, sent)} if isinstance(message, str) else {None}
    return names.pop() if len(names) == 1 else None


def _in_text(text: str, sent: list[str]) -> Iterator[tuple[str | None, str]]:
    """Yield the products that a text names with what it says of each; joined texts are taken apart."""
    pieces: list[tuple[str | None, str]] = []
    for piece in filter(None, map(text_of, _PIECES.split(text))):
        name = _word(piece, sent) or _in_path(piece, sent)
        if pieces and (name is None or name == pieces[-1][0]):  # it goes on
            pieces[-1] = pieces[-1][0], text_of(f"{pieces[-1][1]}, {piece}")
        elif pieces and pieces[-1][0] is None:
            pieces[-1] = name, text_of(f"{pieces[-1][1]}, {piece}")
        else:
            pieces.append((name, piece))
    if len(pieces) == 1:
        pieces = [(pieces[0][0], text_of(text))]
    yield from pieces or [(None, REFUSED)]


def _in_path(text: str, sent: list[str]) -> str | None:
    """Return the product at the index that a path such as `products[1].price` or `/1/name` has."""
    found = _PATH.search(text)
    return _at(int(found[1] or found[2]), sent) if found else None


def _word(text: str, sent: list[str]) -> str | None:
    """Return the one product sent whose id stands in the text as a word that is hardly another."""
    found = {one for one in sent if one in text and next(_mentions(one, text), None)}
    longest = max(found, key=len, default="")
    return longest if longest and all(name in longest for name in found) else None


def _mentions(external_id: str, text: str) -> Iterator[re.Match[str]]:
    """Yield where an id stands in a text as a word that is hardly another.

    `1` or `A` has to be quoted, introduced by a word such as "product", or to open the text.
    """
    if not external_id:
        return
    letters, digits = re.search(r"[^\W\d]", external_id), re.search(r"\d", external_id)
    distinctive = bool(letters and digits) or len(external_id) > 5
    for found in re.finditer(rf"(?<![\w.-]){re.escape(external_id)}(?![\w-]|\.\w)", text):
        before, after = text[: found.start()], text[found.end() : found.end() + 9]
        opens = not re.search(r"\w", before) and re.match(r"['\"`)\]]*\s*:", after)
        if distinctive or opens or _INTRODUCED.search(before[-40:]):
            yield found


def _at(index: int, sent: list[str]) -> str | None:
    return sent[index] if 0 <= index < len(sent) else None


def _first(source: Mapping[Any, Any], keys: tuple[str, ...]) -> Any:
    """Return the first value under one of the keys that says anything."""
    return next((source[key] for key in keys if source.get(key) not in (None, "", [], {})), None)
