"""Checks of feed declarations: every path, name and required entry, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from difflib import get_close_matches
from functools import lru_cache
from math import inf
from typing import Any

from django.core.checks import CheckMessage, register
from django.core.exceptions import EmptyResultSet
from django.db.models import CharField, TextField
from django.utils.connection import ConnectionDoesNotExist

from neuroon_django.checks.bulk_writes import bulk_writes
from neuroon_django.checks.entries import entries
from neuroon_django.checks.lookups import lookups, relations_of
from neuroon_django.checks.names import (
    LISTS,
    error,
    methods,
    misspelt,
    required,
    warning,
)
from neuroon_django.checks.settings import each_shop
from neuroon_django.checks.together import together
from neuroon_django.conf import ShopConfig, conf
from neuroon_django.feeds import Source, payload_context, registry
from neuroon_django.feeds.keys import MAX_KEY
from neuroon_django.feeds.paths import hop, is_column, walk
from neuroon_django.feeds.registry import Registration
from neuroon_django.rules import settings_of


@register("neuroon")
def check_feeds(**kwargs: Any) -> list[CheckMessage]:
    """Check every registered source, and all of them together."""
    return [*_each(tuple(registry.feeds.values()), _settings_in_use()), *together()]


@lru_cache(maxsize=1)
def _each(feeds: tuple[Registration, ...], settings_in_use: int) -> list[CheckMessage]:
    """Check each feed, for each shop that it is for, anew where feeds or settings have changed.

    The overview asks on each view, and a queryset is built and compiled for the answer.
    """
    return [message for label in registry.feeds for message in _of_feed(label)]


def _of_feed(label: str) -> Iterator[CheckMessage]:
    """Yield what all shops of a feed say once, and what some say with each one's alias."""
    found: dict[str, list[CheckMessage]] = {}
    for shop, where in each_shop():
        source = registry.sources(shop).get(label)
        if source is not None:
            found[where] = _in_context(source)
    for where, messages in found.items():
        for message in messages:
            if not all(message in others for others in found.values()):
                text = f"{where}{message.msg}"
                yield CheckMessage(message.level, text, message.hint, message.obj, message.id)
            elif messages is next(iter(found.values())):
                yield message


def _settings_in_use() -> int:
    """Return a number that changes with the settings of the shops, which `get_queryset()` may read."""
    declared = settings_of(ShopConfig).values()
    return hash(tuple(repr(s.written(shop)) for shop in conf.shops().values() for s in declared))


def _in_context(source: Source[Any]) -> list[CheckMessage]:
    """Check one feed inside the context that its payloads are built in."""
    with ExitStack() as stack:
        try:
            with suppress(ImportError):  # the setting's own trouble, not a feed's
                stack.enter_context(payload_context(source.shop))
        except Exception as raised:
            return [_raises(source, "NEUROON_CONTEXT", raised)]
        return list(_feed(source))


def _raises(source: Source[Any], what: str, raised: Exception) -> CheckMessage:
    message = f"{what} raises {type(raised).__name__}: {raised}"
    return error(source, "neuroon.E004", message, "It must work at start-up, without a query.")


def _feed(source: Source[Any]) -> Iterator[CheckMessage]:
    """Check one feed; its queryset is only compiled where its paths are right."""
    try:
        annotations = _annotations(source)
    except Exception as raised:
        yield _raises(source, "get_queryset()", raised)
        return
    declared = [
        *lookups(source, annotations),
        *entries(source),
        *_lists(source),
        *_dependencies(source),
        *bulk_writes(source),
        *misspelt(source),
        *methods(source),
    ]
    yield from declared
    if not any(message.is_serious() for message in declared):
        yield from _queryset(source)
    yield from _unfollowed(source)
    yield from _ignored(source)
    yield from _key(source)
    yield from required(source)


def _annotations(source: Source[Any]) -> set[str]:
    """Return the names that the feed's queryset adds to the model's fields."""
    query = source.feed.get_queryset().query
    return {*query.annotations, *query.extra_select}


def _queryset(source: Source[Any]) -> Iterator[CheckMessage]:
    """Compile what runs do with the queryset, without a query."""
    try:
        with suppress(EmptyResultSet, ConnectionDoesNotExist):
            rows = source.with_relations().filter(pk__in=[None]).order_by("pk")
            rows.query.get_compiler(source.db_alias).as_sql()
    except Exception as raised:
        yield error(
            source,
            "neuroon.E004",
            f"get_queryset() cannot be filtered and joined: {type(raised).__name__}: {raised}",
            "Return one without slices, unions, and only() or defer() of what the feed reads.",
        )


def _unfollowed(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report lookups over a relation that cannot be joined, such as a generic foreign key."""
    own = source.feed.get_queryset()._prefetch_related_lookups  # type: ignore[attr-defined]
    prefetched = {getattr(lookup, "prefetch_to", lookup) for lookup in own}
    for entry in source.compiled.values():
        hops, rest = walk(source.model, entry.path)
        end = hops[-1].target if hops else source.model
        if len(rest) < 2 or rest[0] not in relations_of(end):
            continue
        if hops or rest[0] not in prefetched:
            yield warning(
                source,
                "neuroon.W015",
                f'"{entry.path}" takes a query per product, and "{rest[0]}" is not watched',
                "Prefetch it in get_queryset(), and call mark_changed() where it changes.",
            )


def _lists(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report a text where a list is meant: it would be read letter by letter."""
    for name in LISTS:
        value = getattr(source.feed, name)
        if isinstance(value, str):
            message = f'{name} is the text "{value}"'
            yield error(source, "neuroon.E010", message, f'Write a list: {name} = ["{value}"].')


def _dependencies(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report names in `depends_on` that are no relations."""
    for path in () if isinstance(source.feed.depends_on, str) else source.feed.depends_on:
        hops, rest = walk(source.model, path)
        if not rest:
            continue
        end = hops[-1].target if hops else source.model
        near = get_close_matches(rest[0], relations_of(end), 1)
        yield error(
            source,
            "neuroon.E006",
            f'depends_on names "{path}": "{rest[0]}" is no relation of {end.__name__}',
            f"Did you mean {near[0]}?" if near else "Its own fields need not be named.",
        )


def _ignored(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report names in `ignores` that are no fields."""
    for path in () if isinstance(source.feed.ignores, str) else source.feed.ignores:
        relation, _, name = path.rpartition("__")
        hops, rest = walk(source.model, relation)
        end = hops[-1].target if hops else source.model
        if not rest and (is_column(end, name) or hop(end, name)):
            continue
        part = rest[0] if rest else name
        fields = [field.name for field in end._meta.get_fields() if field.is_relation or not rest]
        near = get_close_matches(part, fields, 1)
        yield warning(
            source,
            "neuroon.W014",
            f'ignores names "{path}", but {end.__name__} has no "{part}"',
            f"Did you mean {near[0]}?" if near else "Remove it.",
        )


def _key(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report a primary key that may not fit the column which changes are recorded by."""
    key: Any = source.model._meta.pk
    while key.is_relation:
        key = key.target_field
    if isinstance(key, CharField | TextField) and (key.max_length or inf) > MAX_KEY:
        model = source.model.__name__
        yield error(
            source,
            "neuroon.E009",
            f"the primary key of {model}, {key.name}, may be longer than {MAX_KEY} characters",
            f"Give it max_length={MAX_KEY} or less: changes are recorded by it.",
        )
