"""Checks of lookups: each leads from the model to a column or an attribute, or says what was meant."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from django.core.checks import CheckMessage
from django.db.models import Model

from neuroon_django.checks.entries import FLAGS
from neuroon_django.checks.names import (
    error,
    how_to_write,
    own_names,
)
from neuroon_django.feeds import Source
from neuroon_django.feeds.paths import walk

USUAL_FIELDS = {"name": ("title", "label"), "url": ("url", "link")}  # what shops call their fields


def lookups(source: Source[Any], annotations: set[str]) -> Iterator[CheckMessage]:
    """Report lookups that lead nowhere."""
    for name, entry in source.compiled.items():
        dead_end = _dead_end(source.model, entry.path, annotations) if entry.kind == "lookup" else None
        if dead_end is None:
            continue
        model, part = dead_end
        names = names_of(model) + ([*annotations] if model is source.model else [])
        yield error(
            source,
            "neuroon.E005",
            f'{name} = "{entry.path}": {model.__name__} has no "{part}"',
            _correction(name, entry.path, get_close_matches(part, names, 1))
            if name in own_names(source)
            else _instead_of_default(source, name),
        )


def _correction(name: str, path: str, near: list[str]) -> str:
    """Return what to type for an entry that the shop wrote."""
    constant = f"For a constant, type {name} = {_constant(name, path)}."
    return f"Did you mean {near[0]}? {constant}" if near else constant


def _constant(name: str, text: str) -> str:
    """Return a text as the constant that was meant: a flag is no text."""
    if name not in FLAGS:
        return f'Value("{text}")'
    return str(text.lower() not in ("false", "no", "0", "off", "n"))


def _instead_of_default(source: Source[Any], name: str) -> str:
    """Return what to type where a default, which the shop did not write, is not on the model."""
    field = _likely_field(source.model, name)
    if not field:
        return how_to_write(name)
    return f'Say what {name} is, such as {name} = "{field}", or a method def {name}(self, …).'


def _likely_field(model: type[Model], name: str) -> str:
    """Return a field that people call so, or one of a similar name, or ""."""
    fields = [f.name for f in model._meta.get_fields() if f.concrete and not f.is_relation]
    likely = [field for field in USUAL_FIELDS.get(name, ()) if field in fields]
    if name != "url":  # an image has one, too
        likely += [field for field in fields if name in field.split("_")]
        likely += get_close_matches(name, fields, 1)
    return next(iter(likely), "")


def _dead_end(model: type[Model], path: str, annotations: set[str]) -> tuple[type[Model], str] | None:
    """Return the model where a path cannot go on, and the part that it has not; None if it can."""
    hops, rest = walk(model, path)
    if not rest or (not hops and rest[0] in annotations):
        return None
    end = hops[-1].target if hops else model
    return None if rest[0] in names_of(end) or hasattr(end, rest[0]) else (end, rest[0])


def names_of(model: type[Model]) -> list[str]:
    own = [name for name in vars(model) if not name.startswith("_")]
    return list(dict.fromkeys(["pk", *(field.name for field in model._meta.get_fields()), *own]))


def relations_of(model: type[Model]) -> list[str]:
    return [field.name for field in model._meta.get_fields() if field.is_relation]
