"""What keeps the app's own errors out of the shop: they are logged, and the shop goes on (law 1).

Receivers, deletes and bulk writes run in the shop's statements; each puts its work into `reporting`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import (
    FieldError,
    ObjectDoesNotExist,
    SynchronousOnlyOperation,
    ValidationError,
)
from django.db.models import Model

logger = logging.getLogger("neuroon_django")

# What odd arguments, values or fields of the shop make recording raise. An error of the database is
# the shop's to handle, and so is what interrupts its thread, such as Celery's SoftTimeLimitExceeded.
MISTAKES = (
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    FieldError,
    ObjectDoesNotExist,
    SynchronousOnlyOperation,
    ValidationError,
)

_reported: set[tuple[str, type[Exception]]] = set()


@contextmanager
def reporting(model: type[Model]) -> Iterator[None]:
    """Log what is raised inside, but for errors of the database, once per model and kind of error."""
    try:
        yield
    except MISTAKES as error:
        report(model, error)


def report(model: type[Model], error: Exception) -> None:
    """Log why a change was not recorded, once per process for each model and kind of error."""
    # Who sends signals by hand may name anything as their sender.
    label = model._meta.label_lower if hasattr(model, "_meta") else repr(model)
    cause = (label, type(error))
    if cause in _reported:
        return
    _reported.add(cause)
    logger.error(
        "change_not_recorded model=%s error=%s; the next scan finds it",
        label,
        type(error).__name__,
        exc_info=error,
    )


def forget() -> None:
    """Begin anew, as where other feeds are registered: what was reported is reported again."""
    _reported.clear()
