"""Checks of all feeds together: who is registered, and where."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error
from django.db import router
from django.db.models import Model
from django.utils.translation import gettext as _

from neuroon_django.feeds import registry
from neuroon_django.models import Change


def together() -> Iterator[CheckMessage]:
    """What no feed can say alone."""
    yield from _doubles()
    yield from _unusable()
    yield from _databases()


def _doubles() -> Iterator[CheckMessage]:
    for model, second in registry.doubles:
        first = type(registry.feeds[model._meta.label_lower]).__name__
        yield Error(
            _("%(model)s has two feeds, %(first)s and %(second)s.")
            % {"model": model.__name__, "first": first, "second": second.__name__},
            hint=_("Remove one of them; only the first is used."),
            obj=model,
            id="neuroon.E008",
        )


def _unusable() -> Iterator[CheckMessage]:
    for model, feed in registry.unusable:
        yield Error(
            _("%(feed)s: %(model)s has a composite primary key.")
            % {"feed": feed.__name__, "model": model.__name__},
            hint=_("Register a model with a primary key of one column; this one is left out."),
            obj=model,
            id="neuroon.E009",
        )


def _databases() -> Iterator[CheckMessage]:
    """All registered models and our tables in one, so that one transaction covers both (law 16)."""
    models: list[type[Model]] = [Change, *(feed.model for feed in registry.feeds.values())]
    used = {model._meta.label: router.db_for_write(model) for model in models}
    if len(set(used.values())) > 1:
        yield Error(
            _("The models live in several databases: %s.")
            % ", ".join(
                _("%(model)s in %(database)s") % {"model": label, "database": alias}
                for label, alias in used.items()
            ),
            hint=_("Route neuroon_django to the database of the shop's models."),
            id="neuroon.E003",
        )
