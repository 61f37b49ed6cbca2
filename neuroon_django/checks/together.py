"""Checks of all feeds together: who is registered, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db import router
from django.db.models import IntegerField, Model, OneToOneField

from neuroon_django.checks.settings import each_shop
from neuroon_django.feeds import Source, registry
from neuroon_django.feeds.keys import is_composite
from neuroon_django.models import Change
from neuroon_django.models.sql import manual_commits


def together() -> Iterator[CheckMessage]:
    """Check what no feed can say alone."""
    yield from _second_feeds()
    yield from _unusable()
    yield from _databases()
    yield from _manual_commits()
    yield from _same_ids()


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


def _manual_commits() -> Iterator[CheckMessage]:
    """Report a database where nothing is committed unless the shop does so by hand (law 6)."""
    if reason := manual_commits(Change.objects.db):
        yield Error(
            reason,
            hint="Remove AUTOCOMMIT, and use ATOMIC_REQUESTS or transaction.atomic() instead.",
            id="neuroon.E018",
        )


def _same_ids() -> Iterator[CheckMessage]:
    """Report product feeds that count alike: by the number that each table gives its rows."""
    for shop, where in each_shop():
        counting = [source.name for source in registry.products(shop) if _counts(source)]
        if len(counting) > 1:
            yield Warning(
                f"{where}{' and '.join(counting)} have the primary key as their external_id: "
                "two products may have the same.",
                hint='Let external_id name a column that differs in all of them, such as "sku".',
                id="neuroon.W019",
            )


def _counts(source: Source[Any]) -> bool:
    """Return whether the external id of a feed is a key that the database counts up."""
    entry, key = source.compiled.get("external_id"), source.model._meta.pk
    return bool(
        entry and entry.path in ("pk", key.name) and isinstance(key, IntegerField | OneToOneField)
    )
