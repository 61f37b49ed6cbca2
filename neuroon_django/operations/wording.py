"""Counts, lists and times as operators read them, in English like Django's own commands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from neuroon_django.operations.phrases import changed, phrase

SHORT = 80  # characters of a reason beside others


def count(n: int, noun: str, plural: str = "") -> str:
    """Return "1 product" or "2,000 products"; `plural` is for nouns that take more than an s."""
    return phrase(f"{{n}} {noun if n == 1 else plural or noun + 's'}", n=n)


def is_or_are(n: int) -> str:
    """Return the verb that goes with that many."""
    return "is" if n == 1 else "are"


def join(items: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    *first, last = items
    return phrase("{first} and {last}", first=", ".join(first), last=last) if first else last


def sentence(text: str) -> str:
    """Return the text with a full stop at its end, where it has none."""
    return changed(text, lambda done: done if done.endswith((".", "!", "?", "…")) else f"{done}.")


def shorten(text: str, most: int = SHORT) -> str:
    """Return the text on one line, cut to 80 characters or another number."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def span(seconds: float) -> str:
    """Return "40 s", "4 min", "3 h" or "2 days", whatever says it shortest."""
    for unit, size, most in (("s", 1, 90), ("min", 60, 90 * 60), ("h", 3_600, 48 * 3_600)):
        if seconds < most:
            return phrase(f"{{n}} {unit}", n=max(0, round(seconds / size)))
    return count(round(seconds / 86_400), "day")


def ago(moment: datetime) -> float:
    """Return the seconds since a moment; below 0 where it is to come."""
    return (timezone.now() - moment).total_seconds()


def date_and_time(moment: datetime) -> str:
    """Return "14:05" of today, "2 Jan 14:05" of another day, in the project's time zone."""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    today = timezone.localdate() if timezone.is_aware(moment) else timezone.now().date()
    day = "" if local.date() == today else f"{local.day} {local:%b} "
    return f"{day}{local:%H:%M}"


def clock_time(moment: datetime) -> str:
    """Return "14:05:00", in the project's time zone."""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return f"{local:%H:%M:%S}"
