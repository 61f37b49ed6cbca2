"""A list as a CSV file: streamed page by page, and harmless to the program that opens it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.text import slugify

PAGE = 500
# What a spreadsheet takes for the beginning of a formula.
FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "＝",
    "＋",
    "－",
    "＠",
    "\t",
    "\r",
    "\n",
)  # what a spreadsheet takes for the beginning of a formula


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, line: str) -> str:
        return line


def csv_response(
    name: str, columns: Sequence[str], rows: QuerySet[Any], complete: Callable[[list[Any]], None]
) -> StreamingHttpResponse:
    """Return the rows, the latest first, with these attributes; `complete` adds some of them."""
    response = StreamingHttpResponse(_lines(columns, rows, complete), content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="{slugify(name) or "rows"}.csv"'
    return response


def _lines(
    columns: Sequence[str], rows: QuerySet[Any], complete: Callable[[list[Any]], None]
) -> Iterator[str]:
    writer: Any = csv.writer(_Echo())
    yield writer.writerow(columns)
    ordered, last = rows.order_by("-pk"), None
    while page := list((ordered if last is None else ordered.filter(pk__lt=last))[:PAGE]):
        complete(page)
        for row in page:
            yield writer.writerow([_cell(getattr(row, column)) for column in columns])
        last = page[-1].pk


def _cell(value: Any) -> str:
    """Return a value as text that no spreadsheet takes for a formula."""
    if isinstance(value, datetime):
        local = timezone.localtime(value) if timezone.is_aware(value) else value
        return str(local.replace(tzinfo=None, microsecond=0))
    text: str = "" if value is None else str(value)
    return "'" + text if text.startswith(FORMULA) else text
