"""The admin's own words: numbers and spans as people read them, steps and results of the services."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from neuroon_django.operations.phrases import Phrase

STEPS = {
    "settings": _("settings"),
    "feeds": _("feeds"),
    "tables": _("tables"),
    "celery": _("celery"),
    "api": _("api"),
    "route": _("route"),
    "domain": _("domain"),
    "token": _("token"),
    "pace": _("pace"),
}

RESULTS = {"ok": _("ok"), "warning": _("warning"), "failed": _("failed")}


def number(n: int | float | Decimal, decimals: int = 0) -> str:
    """Return a number with its thousands separated, as the person's language has it."""
    return str(formats.number_format(n, decimals, use_l10n=True, force_grouping=True))


def counted(phrase: Any, n: int, **values: str) -> str:
    """Return a lazy plural phrase about that many."""
    return str(phrase % {"n": number(n), "count": n, **values})


def moment(at: datetime, form: str = "DATETIME_FORMAT") -> str:
    """Return a moment in the person's language and the project's time zone."""
    return str(formats.date_format(timezone.localtime(at) if timezone.is_aware(at) else at, form))


def localized(text: str) -> str:
    """Return a sentence of the services in the person's language, as far as it is the app's own."""
    if not isinstance(text, Phrase):
        return gettext(text) if text else ""
    values = {
        name: number(value) if isinstance(value, int) else localized(value)
        for name, value in text.values.items()
    }
    return text.then(gettext(text.template).format(**values))


def span(length: timedelta) -> str:
    """Return "4 min" for a length of time: its largest unit, and the next one where it is near."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 60:
        return gettext("%(n)s s") % {"n": seconds}
    if seconds < 3_600:
        return gettext("%(n)s min") % {"n": seconds // 60}
    if seconds < 86_400:
        values = {"n": seconds // 3_600, "min": seconds % 3_600 // 60}
        return gettext("%(n)s h %(min)s min") % values
    days = seconds // 86_400
    return ngettext("%(n)s day", "%(n)s days", days) % {"n": number(days)}
