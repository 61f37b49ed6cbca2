"""Checks of `bulk_writes`: each entry is a model, or names one as "app.Model"."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage

from neuroon_django.checks.names import error
from neuroon_django.feeds import Source
from neuroon_django.feeds.registry import model_of


def bulk_writes(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report entries that are no models, and what is no list; `feeds` reports a text."""
    entries = source.feed.bulk_writes
    if isinstance(entries, str):
        return
    if not isinstance(entries, list | tuple | set | frozenset):
        message = f"bulk_writes is {_shown(entries)}"
        yield error(source, "neuroon.E010", message, f"Write a list: [{_shown(entries)}].")
        return
    for entry in entries:
        if model_of(entry) is None:
            message = f"bulk_writes names {_shown(entry)}, which is no model"
            yield error(source, "neuroon.E012", message, _hint(entry))


def _shown(entry: object) -> str:
    return entry.__name__ if isinstance(entry, type) else repr(entry)[:100]


def _hint(entry: object) -> str:
    """Return what to type: the label of a model that is called alike, or the two ways to name one."""
    name = str(entry).rpartition(".")[2].lower() if isinstance(entry, str) else ""
    labels = {model._meta.model_name or "": model._meta.label for model in apps.get_models()}
    near = get_close_matches(name, labels, 1)
    return f'Did you mean "{labels[near[0]]}"?' if near else 'Write the model, or "app.Model".'
