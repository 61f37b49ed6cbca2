"""How a shop's values become wire values: cleaned text, whole cents, absolute addresses.

`rendering` and `reporting` clean each value of a feed here before they encode it. Each function takes
what the shop gave (never None) and returns the wire's type, or raises ValueError with the reason.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.db.models import Model
from django.utils import timezone
from django.utils.encoding import iri_to_uri
from django.utils.functional import Promise
from django.utils.html import strip_tags

from neuroon_django.api import messages

CENT = Decimal("0.01")
ROUNDING = Context(prec=40, rounding=ROUND_HALF_UP)  # not the thread's own, which a shop may set
MAX_MONEY = Decimal("1e15")
MAX_RATING = 5
# ASCII controls only: U+0080 to U+009F are often a ™ or quote of a wrongly decoded Windows text.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PLAIN_PATH = re.compile(r"/[\w/%=&?;:,.~+-]*", re.ASCII)
_NEEDS_JOIN = re.compile(r"//|/\.")
_LINE_BREAKS = re.compile(r"\s*[\t\n\r\u2028\u2029]\s*")
_MARKUP = re.compile(r"</?[a-zA-Z][^>]*>|<!--|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]+);")
_INVISIBLE = re.compile(r"<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_BREAKS = re.compile(r"<(?:br|/p|/div|/li|/ul|/ol|/h[1-6]|/tr|/td|/th)\b[^>]*>", re.IGNORECASE)


def text(value: Any) -> str:
    """Return a single value as text, without control characters and outer white space."""
    if type(value) is not str:
        value = str.__str__(str(_single(value)))  # of a safe text, `str` returns that again
    if value.isprintable() and value[:1] != " " != value[-1:]:
        return value  # type: ignore[no-any-return]
    return _CONTROLS.sub("", value).strip()


def _single(value: Any) -> Any:
    """Return the value; raise ValueError for a list, a manager and the like."""
    several = hasattr(value, "all") or isinstance(value, Iterable)
    if several and not isinstance(value, str | Promise):
        raise ValueError("several values where one is expected; write a method that picks one")
    return value


def line(value: Any) -> str:
    """Return text on one line: line breaks become spaces, and nothing else is changed."""
    plain = text(value)
    return plain if plain.isprintable() else _LINE_BREAKS.sub(" ", plain)


def name(value: Any) -> str:
    """Return a product's name, cut to the length that Neuroon takes."""
    return line(value)[: messages.NAME_LENGTH].rstrip()


def description(value: Any) -> str:
    """Return a description as plain text: markup is removed, line breaks are kept, and it is cut."""
    plain = text(value)
    if ("<" in plain or "&" in plain) and _MARKUP.search(plain):
        plain = _BREAKS.sub("\n", _INVISIBLE.sub(" ", plain))
        plain = html.unescape(strip_tags(plain)).replace("\xa0", " ")
        plain = text(re.sub(r"[ \t]*\n\s*", "\n", re.sub(r"[ \t]+", " ", plain)))
    return plain[: messages.DESCRIPTION_LENGTH].rstrip()


class Money(Decimal):
    """An amount that knows its currency, as an ISO 4217 code."""

    currency = ""


def money(value: Any) -> Decimal:
    """Return an amount of 0 or more, rounded to the cent, of a number or of an object with `amount`.

    It is a `Money` where that object has a currency as well, as those of django-money and prices do.
    """
    inner = getattr(value, "amount", None)
    amount = number(value if inner is None else inner)
    if amount < 0:
        raise ValueError(f"{amount} is negative")
    amount, code = cents(amount), getattr(value, "currency", None)
    if inner is None or not code:
        return amount
    amount = Money(amount)
    amount.currency = currency(getattr(code, "code", code))
    return amount


def one_currency(amounts: Iterable[tuple[str, Any]], code: str) -> str:
    """Return the currency of some amounts, given with what each is: their own, else `code`.

    Raise ValueError where one is in another currency; `code` is "" where the feed names none.
    """
    own = [(name, amount.currency) for name, amount in amounts if type(amount) is Money]
    for name, other in own:
        code = code or other
        if other != code:
            raise ValueError(f"{name.replace('_', ' ')} is in {other}, and the currency is {code}")
    return code


def cents(amount: Decimal) -> Decimal:
    """Return an amount rounded to the cent; minus zero becomes zero."""
    rounded = amount.quantize(CENT, context=ROUNDING)
    return rounded or rounded.copy_abs()  # `abs` rounds as the thread does


def flag(value: Any) -> bool:
    """Return whether a single value is true."""
    return bool(_single(value))


def quantity(value: Any) -> int:
    """Return a whole number of pieces, rounded down; a negative one becomes 0."""
    return int(max(number(value), Decimal(0)))


def number(value: Any) -> Decimal:
    """Return a finite number as an exact Decimal: a float as it is printed."""
    try:
        exact = value if type(value) is Decimal else Decimal(text(value))
    except InvalidOperation:
        raise ValueError(f"{text(value)[:50]!r} is not a number") from None
    if not exact.is_finite() or exact.copy_abs() >= MAX_MONEY:
        raise ValueError(f"{text(value)[:50]} is not an amount")
    return exact


def address(value: Any, base: str) -> str:
    """Return an absolute http(s) address, a relative one joined to `base`; "" for a missing file."""
    if hasattr(value, "storage"):  # a FieldFile: its address exists only with a file
        value = value.url if value else ""
    plain = text(value)
    if not plain:
        return ""
    if base.count("/") == 2 and _PLAIN_PATH.fullmatch(plain) and not _NEEDS_JOIN.search(plain):
        return base + plain  # what nearly every address is; the rest takes ten times as long
    joined = iri_to_uri(urljoin(f"{base}/" if base else "", plain))
    parts = urlsplit(joined)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        hint = "" if base else ", and NEUROON_STOREFRONT_URL is not set"
        raise ValueError(f"{plain[:100]!r} is not an absolute address{hint}")
    return joined


def members(many: Any) -> Iterable[Any]:
    """Return the objects of a manager or queryset, by primary key where they have no ordering.

    A database gives such rows in any order, and a payload is a function of the product (law 12).
    """
    found = many.all()
    # `QuerySet.ordered`, without building the query of what was prefetched: that takes 100 us.
    query = getattr(found, "_query", None)
    if query is None or query.order_by or query.extra_order_by:
        return found  # type: ignore[no-any-return]
    if query.default_ordering and query.get_meta().ordering:
        return found  # type: ignore[no-any-return]
    rows = list(found)
    return sorted(rows, key=lambda row: row.pk) if rows and isinstance(rows[0], Model) else rows


def _ordered(value: Any) -> Any:
    """Return a set as a sorted list, since its own order differs between processes."""
    return sorted(value, key=str) if isinstance(value, set | frozenset) else value


def texts(value: Any) -> list[str]:
    """Return names, each once, of a manager, a queryset, a list or comma-separated text."""
    if isinstance(value, str | Promise):
        value = str(value).split(",")
    elif hasattr(value, "all"):
        value = members(value)
    value = _ordered(value)
    items: Iterable[Any] = value if isinstance(value, Iterable) else [value]
    return list(dict.fromkeys(t for item in items if item is not None and (t := line(item))))


def currency(value: Any) -> str:
    """Return an ISO 4217 code in upper case."""
    code = text(value).upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise ValueError(f"{code[:20]!r} is not an ISO 4217 code")
    return code


def rating(value: Any) -> Decimal:
    """Return a number from 0 to 5, rounded to the hundredth."""
    stars = number(value)
    if not 0 <= stars <= MAX_RATING:
        raise ValueError(f"{stars} is not between 0 and {MAX_RATING}")
    return cents(stars)


def attributes(value: Any) -> dict[str, str]:
    """Return texts by name of a mapping or of pairs; several values of a name are joined by commas."""
    if isinstance(value, str | Promise) or not isinstance(value, Iterable):
        raise ValueError("names and values are expected, such as {'colour': 'red'}")
    pairs = value.items() if isinstance(value, Mapping) else value
    named = {line(name): _attribute(inner) for name, inner in pairs if inner is not None}
    return {name: inner for name, inner in named.items() if name and inner}


def _attribute(value: Any) -> str:
    several = isinstance(value, list | tuple | set | frozenset) or hasattr(value, "all")
    return ", ".join(texts(value)) if several else line(value)


def next_moment(value: Any) -> datetime | None:
    """Return the next of one or several moments; None where all are past.

    A date is its midnight, and what is naive is in the active time zone.
    """
    several = isinstance(value, list | tuple | set | frozenset)
    moments = [_moment(one) for one in (value if several else [value]) if one is not None]
    return min((moment for moment in moments if moment > timezone.now()), default=None)


def _moment(value: Any) -> datetime:
    """Return a datetime as the project has them: aware, or naive where `USE_TZ` is off."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    if not isinstance(value, datetime):
        raise ValueError(f"{text(value)[:50]!r} is no datetime")
    if timezone.is_naive(value) != settings.USE_TZ:
        return value
    return timezone.make_aware(value) if settings.USE_TZ else timezone.make_naive(value)


def plain(value: Any) -> Any:
    """Return the value of a field of `extra()` without nulls, its numbers rounded to the cent."""
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items() if inner is not None}
    value = _ordered(value)
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value if inner is not None]
    return cents(number(value)) if isinstance(value, float | Decimal) else value
