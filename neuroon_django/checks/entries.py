"""Checks of single entries: several values where one is expected, constants, signed addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from django.core.checks import CheckMessage
from django.core.exceptions import FieldDoesNotExist
from django.db.models import FileField

from neuroon_django.checks.names import error, warning
from neuroon_django.feeds import Source, cleaning
from neuroon_django.feeds.paths import walk
from neuroon_django.feeds.rendering import CLEANERS

LISTS = ("categories", "tags", "attributes", "changes_at")  # entries that may have several values
FLAGS = ("is_listed", "in_stock", "is_paid", "is_cancelled")
ADDRESSES = ("url", "image_url")
ORDER_CLEANERS = {"order_id": cleaning.text, "order_value": cleaning.money}


def entries(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report entries that can never give what is expected of them, or always something new."""
    yield from _several(source)
    yield from _constants(source)
    yield from _signed(source)


def _several(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report lookups over a relation to many, whose values are a list."""
    for name, entry in source.compiled.items():
        hops, _ = walk(source.model, entry.path)
        if name not in LISTS and any(hop.to_many for hop in hops):
            message = f'{name} = "{entry.path}" leads to several values where one is expected'
            hint = f"Write a method def {name}(self, …) that picks one."
            yield error(source, "neuroon.E016", message, hint)


def _constants(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report constants that are no value for their entry."""
    for name, entry in source.compiled.items():
        value = entry.get(None) if entry.kind == "constant" else None
        if name in FLAGS and isinstance(value, str):
            message = f"{name} is the text {value!r}, which counts as true"
            yield error(source, "neuroon.E016", message, f"Write {name} = True or {name} = False.")
        elif value is not None and (reason := _refusal(_cleaner(name), value)):
            hint = f"Write another constant, a lookup, or a method def {name}(self, …)."
            yield error(source, "neuroon.E016", f"{name}: {reason}", hint)


def _cleaner(name: str) -> Callable[[Any], Any]:
    return (CLEANERS | ORDER_CLEANERS).get(name, lambda value: value)


def _refusal(clean: Callable[[Any], Any], value: Any) -> str:
    """Return why a value is refused, "" where it is not."""
    try:
        clean(value)
    except Exception as refused:
        return str(refused)
    return ""


def _signed(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report files whose storage signs their addresses, which are others each time."""
    for name in ADDRESSES:
        entry = source.compiled.get(name)
        field = _field_of(source, entry.path) if entry else None
        if isinstance(field, FileField) and _signs(field.storage):
            storage = type(field.storage).__name__
            yield warning(
                source,
                "neuroon.W020",
                f'{name} = "{field.name}": {storage} signs addresses, which are others each time',
                "Images would end to show, and all products be sent again by each scan. Set "
                "querystring_auth = False, or write a method that returns a public address.",
            )


def _field_of(source: Source[Any], path: str) -> Any:
    """Return the model's field at a lookup's end, None where there is none."""
    hops, rest = walk(source.model, path)
    end = hops[-1].target if hops else source.model
    with suppress(FieldDoesNotExist, IndexError):
        return end._meta.get_field(rest[0])
    return None


def may_be_null(source: Source[Any], path: str) -> bool:
    """Return whether a lookup may end at nothing: in a column, or on the way to it."""
    hops, _ = walk(source.model, path)
    fields = [*(hop.field for hop in hops), _field_of(source, path)]
    return any(getattr(field, "null", False) for field in fields)


def _signs(storage: Any) -> bool:
    """Return whether a storage signs addresses, as those of django-storages say it."""
    try:
        if getattr(storage, "expiration_secs", None):  # Azure's
            return True
        by_query = getattr(storage, "querystring_auth", False)  # Amazon's and Google's
        public = getattr(storage, "custom_domain", None) or getattr(storage, "custom_endpoint", None)
        return bool(by_query and not (public and not getattr(storage, "cloudfront_signer", None)))
    except Exception:  # a storage that cannot be set up here
        return False
