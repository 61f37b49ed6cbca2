"""Checks of all feeds together: who is registered, and where."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error
from django.db import router
from django.db.models import Model

from neuroon_django.feeds import registry
from neuroon_django.feeds.keys import is_composite
from neuroon_django.models import Change


def together() -> Iterator[CheckMessage]:
    """Check what no feed can say alone."""
    yield from _second_feeds()
    yield from _unusable()
    yield from _databases()


def _second_feeds() -> Iterator[CheckMessage]:
    for model, second in registry.duplicates:
        first = registry.feeds[model._meta.label_lower].feed.__name__
        yield Error(
            f"{model.__name__} has two feeds, {first} and {second.__name__}.",
            hint="Remove one of them; only the first is used.",
            obj=model,
            id="neuroon.E008",
        )


def _unusable() -> Iterator[CheckMessage]:
    for model, feed in registry.unusable:
        if not is_composite(model):
            yield Error(
                f"{feed.__name__}: __init__ takes arguments, and the app gives none.",
                hint="Remove them: self.model and self.shop are set when it is called.",
                obj=model,
                id="neuroon.E011",
            )
            continue
        yield Error(
            f"{feed.__name__}: {model.__name__} has a composite primary key.",
            hint="Register a model with a primary key of one column; this one is left out.",
            obj=model,
            id="neuroon.E009",
        )


def _databases() -> Iterator[CheckMessage]:
    """Report models outside the database of our tables: one transaction covers both (law 16)."""
    models: list[type[Model]] = [Change, *(source.model for source in registry.sources().values())]
    aliases = {model._meta.label: router.db_for_write(model) for model in models}
    if len(set(aliases.values())) > 1:
        places = ", ".join(f"{label} in {alias}" for label, alias in aliases.items())
        yield Error(
            f"The models live in several databases: {places}.",
            hint="Route neuroon_django to the database of the shop's models.",
            id="neuroon.E003",
        )
