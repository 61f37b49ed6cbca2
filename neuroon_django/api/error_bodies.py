"""What a refusal says to the person who reads it: every word of the six shapes of `API.md`, "Errors".

docs names the shapes: plain text, `application/problem+json`, `{code, message, details}`, Spring's
`{timestamp, status, error, message, path}`, and `error` as a text or an object. A proxy's HTML is
reduced to what it shows.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from .refusals import words_of
from .text import text_of

MAX_WAIT = 1e9  # seconds; who waits decides how much of it is believed
MAX_READ = 100_000  # bytes of a body that are read for people
MAX_PAGE = 16_000  # characters of a page: its tags are looked for in a time that grows with the square

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_SECONDS = re.compile(r"[+-]?\d+(?:\.\d*)?|nan", re.ASCII)
_UNSHOWN = re.compile(
    r"<!--.*?-->|<(script|style|head)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL
)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)

MESSAGES = ("message", "title", "detail", "error_description")
CODES = ("code", "errorCode", "error_code", "type")
STATUS_CODES = {"validation error", "validation failed", "unauthorized", "rate limit exceeded"}
DETAILS = ("details", "errors", "violations", "fieldErrors", "invalid-params", "invalidParams")


class ErrorBody(NamedTuple):
    """What an error body says: for people, for how many seconds to wait, and in detail.

    `details` are as they came; where there are none, they are the message, uncut.
    """

    message: str = ""
    wait: float | None = None
    details: Any = None


def read_error(body: bytes, status: int = 0) -> ErrorBody:
    """Return what the body of an answer of this status says; nothing of it is required."""
    try:
        data = _decoder.decode(body)
    except (ValueError, RecursionError):
        text = readable(body)
        return ErrorBody(text_of(text), None, text or None)
    if not isinstance(data, Mapping):
        return ErrorBody(text_of(words_of(data)), None, data)
    inner = data.get("error")
    source = {**data, **inner} if isinstance(inner, Mapping) else data
    message = ": ".join(dict.fromkeys(filter(None, (_text(source.get(key)) for key in MESSAGES))))
    details = next((source[key] for key in DETAILS if source.get(key)), None)
    text = _joined(text_of(message), _code(source, status), words_of(details))
    return ErrorBody(text, _seconds(source.get("retryAfter")), details or message or None)


def readable(body: bytes) -> str:
    """Return what a body that is no JSON shows to a reader: its text, or what a page shows."""
    text = body[:MAX_READ].decode("utf-8-sig", "replace")
    if not text.lstrip().startswith("<"):
        return text.strip()
    text = text[:MAX_PAGE]
    title = _TITLE.search(text)
    shown = text_of(html.unescape(_UNSHOWN.sub(" ", text)))
    head = text_of(html.unescape(title[1])) if title else ""
    words = shown if head in shown else f"{head}. {shown}".rstrip(". ")
    return f"an HTML page: {words}" if words else "an HTML page"


def retry_after(value: str | None, seconds: float | None = None) -> float | None:
    """Return the seconds of a `Retry-After` header, a number or an HTTP date, else `seconds`."""
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return _bounded(float(text))
    try:
        until = parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)  # HTTP knows no other
        return _bounded((until - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return seconds


def _code(source: Mapping[str, Any], status: int) -> str:
    """Return the error's code; the status's own name, which says nothing new, is none."""
    error = source.get("error")
    codes = [source.get(key) for key in CODES] + [error if isinstance(error, str) else None]
    names = {status_name(status), "about:blank", None, ""}
    return " ".join(
        dict.fromkeys(text_of(code) for code in codes if _is_name(code) and code not in names)
    )


def status_name(status: int) -> str:
    """Return what HTTP calls a status, "" where it has no name."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _is_name(code: object) -> bool:
    return isinstance(code, str | int) and not isinstance(code, bool)


def _text(message: object) -> str:
    """Return a message, also where a proxy's page was put into it; "" for what is none."""
    if not isinstance(message, str):
        return ""
    return readable(message.encode(errors="replace")) if "<" in message[:200] else message.strip()


def _joined(message: str, code: str, details: str) -> str:
    """Return message, code and details as one text; one that repeats the status needs details."""
    repeats = not details and code.lower().replace("_", " ") in STATUS_CODES
    if code and code != message and not (message and repeats):
        message = f"{message} ({code})" if message else code
    if details and details not in message:
        message = f"{message}: {details}" if message else details
    return text_of(message)


def _seconds(wait: object) -> float | None:
    if isinstance(wait, str) and _SECONDS.fullmatch(wait.strip()[:400]):
        return _bounded(float(wait))
    if isinstance(wait, bool) or not isinstance(wait, int | float | Decimal):
        return None
    return _bounded(min(max(wait, 0), 10**9))


def _bounded(seconds: float | Decimal) -> float:
    return float(min(max(seconds, 0.0), MAX_WAIT)) if seconds == seconds else 0.0
