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

_reported: set[tuple[str, str]] = set()


@contextmanager
def reporting(model: type[Model]) -> Iterator[None]:
    """Log what is raised inside, but for errors of the database, once per model and kind of error."""
    try:
        yield
    except MISTAKES as error:
        # Who sends signals by hand may name anything as their sender.
        label = model._meta.label_lower if hasattr(model, "_meta") else repr(model)
        name = type(error).__name__
        if (label, name) not in _reported:
            _reported.add((label, name))
            logger.error(
                "change_not_recorded model=%s error=%s; the next scan finds it",
                label,
                name,
                exc_info=error,
            )


def forget() -> None:
    """Begin anew, as where other feeds are registered: what was reported is reported again."""
    _reported.clear()
