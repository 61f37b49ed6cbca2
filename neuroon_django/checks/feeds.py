"""Checks of feed declarations: every path, name and required entry, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from math import inf
from typing import Any

from django.core.checks import CheckMessage, Warning, register
from django.core.exceptions import EmptyResultSet
from django.db.models import CharField, Model, TextField
from django.utils.connection import ConnectionDoesNotExist
from django.utils.translation import gettext as _

from neuroon_django.checks.names import LISTS, error, how_to_say, misspelt, own_names, required
from neuroon_django.checks.together import together
from neuroon_django.feeds import Feed, registry
from neuroon_django.feeds.paths import hop, is_column, walk
from neuroon_django.models import SyncedProduct

USUAL = {"name": ("title", "label"), "url": ("url", "link")}  # what shops call their fields


@register("neuroon")
def check_feeds(**kwargs: Any) -> list[CheckMessage]:
    """Every registered feed, and all of them together."""
    found = [message for feed in registry.feeds.values() for message in _feed(feed)]
    return [*found, *together()]


def _feed(feed: Feed[Any]) -> Iterator[CheckMessage]:
    try:
        known = _annotations(feed)
    except Exception as raised:
        yield error(
            feed,
            "neuroon.E004",
            _("get_queryset() raises %s") % f"{type(raised).__name__}: {raised}",
            _("It must work at start-up, without a query."),
        )
        return
    found = [*_lookups(feed, known), *_lists(feed), *_relations(feed), *misspelt(feed)]
    yield from found
    if not any(message.is_serious() for message in found):
        yield from _workable(feed)
    yield from _unfollowed(feed)
    yield from _ignored(feed)
    yield from _key(feed)
    yield from required(feed)


def _annotations(feed: Feed[Any]) -> set[str]:
    query = feed.get_queryset().query
    return {*query.annotations, *query.extra_select}


def _workable(feed: Feed[Any]) -> Iterator[CheckMessage]:
    """What runs do with the queryset, compiled without a query."""
    try:
        with suppress(EmptyResultSet, ConnectionDoesNotExist):
            rows = feed.related().filter(pk__in=[None]).order_by("pk")
            rows.query.get_compiler(feed.home).as_sql()
    except Exception as raised:
        yield error(
            feed,
            "neuroon.E004",
            _("get_queryset() cannot be filtered and joined: %s")
            % f"{type(raised).__name__}: {raised}",
            _("Return one without slices, unions, and only() or defer() of what the feed reads."),
        )


def _unfollowed(feed: Feed[Any]) -> Iterator[CheckMessage]:
    """Lookups over what is a relation, but none that can be joined: a generic foreign key, say."""
    own = feed.get_queryset()._prefetch_related_lookups  # type: ignore[attr-defined]
    prefetched = {getattr(lookup, "prefetch_to", lookup) for lookup in own}
    for entry in feed.plan.values():
        hops, rest = walk(feed.model, entry.path)
        end = hops[-1].target if hops else feed.model
        relations = [field.name for field in end._meta.get_fields() if field.is_relation]
        if len(rest) > 1 and rest[0] in relations and not (rest[0] in prefetched and not hops):
            told = {"feed": type(feed).__name__, "path": entry.path, "part": rest[0]}
            yield Warning(
                _('%(feed)s: "%(path)s" takes a query per product, and "%(part)s" is not watched.')
                % told,
                hint=_("Prefetch it in get_queryset(), and call mark_changed() where it changes."),
                obj=feed.model,
                id="neuroon.W015",
            )


def _lookups(feed: Feed[Any], known: set[str]) -> Iterator[CheckMessage]:
    for name, entry in feed.plan.items():
        missing = _missing(feed.model, entry.path, known) if entry.kind == "lookup" else None
        if missing is None:
            continue
        part, model = missing
        near = get_close_matches(part, _names(model) + ([*known] if model is feed.model else []), 1)
        yield error(
            feed,
            "neuroon.E005",
            _('%(name)s = "%(path)s": %(model)s has no "%(part)s"')
            % {"name": name, "path": entry.path, "model": model.__name__, "part": part},
            _written(name, entry.path, near) if name in own_names(feed) else _unwritten(feed, name),
        )


def _written(name: str, path: str, near: list[str]) -> str:
    constant = _('For a constant, type %(name)s = Value("%(value)s").') % {"name": name, "value": path}
    return " ".join([_("Did you mean %s?") % near[0], constant]) if near else constant


def _unwritten(feed: Feed[Any], name: str) -> str:
    """What to type where a default, which the feed did not write, is not on the model."""
    likely = _likely(feed.model, name)
    if not likely:
        return how_to_say(name)
    told = _('Say what %(name)s is, such as %(name)s = "%(field)s", or a method def %(name)s(self, …).')
    return told % {"name": name, "field": likely}


def _likely(model: type[Model], name: str) -> str:
    """A field that may well hold it: one that people call so, or one of a similar name."""
    fields = [f.name for f in model._meta.get_fields() if f.concrete and not f.is_relation]
    usual = [field for field in USUAL.get(name, ()) if field in fields]
    if name != "url":  # an image has one, too
        usual += [field for field in fields if name in field.split("_")]
        usual += get_close_matches(name, fields, 1)
    return next(iter(usual), "")


def _missing(model: type[Model], path: str, known: set[str]) -> tuple[str, type[Model]] | None:
    """The first part of a path that leads nowhere, and the model that has none such."""
    hops, rest = walk(model, path)
    if not rest or (not hops and rest[0] in known):
        return None
    end = hops[-1].target if hops else model
    return None if rest[0] in _names(end) or hasattr(end, rest[0]) else (rest[0], end)


def _names(model: type[Model]) -> list[str]:
    own = [name for name in vars(model) if not name.startswith("_")]
    return list(dict.fromkeys(["pk", *(field.name for field in model._meta.get_fields()), *own]))


def _lists(feed: Feed[Any]) -> Iterator[CheckMessage]:
    """One message for text, where a list is read letter by letter."""
    for name in LISTS:
        if isinstance(value := getattr(feed, name), str):
            yield error(
                feed,
                "neuroon.E010",
                _('%(name)s is the text "%(value)s"') % {"name": name, "value": value},
                _('Write a list: %(name)s = ["%(value)s"].') % {"name": name, "value": value},
            )


def _relations(feed: Feed[Any]) -> Iterator[CheckMessage]:
    for path in () if isinstance(feed.depends_on, str) else feed.depends_on:
        hops, rest = walk(feed.model, path)
        if not rest:
            continue
        end = hops[-1].target if hops else feed.model
        relations = [f.name for f in end._meta.get_fields() if f.is_relation]
        near = get_close_matches(rest[0], relations, 1)
        yield error(
            feed,
            "neuroon.E006",
            _('depends_on names "%(path)s": "%(part)s" is no relation of %(model)s')
            % {"path": path, "part": rest[0], "model": end.__name__},
            _("Did you mean %s?") % near[0] if near else _("Its own fields need not be named."),
        )


def _ignored(feed: Feed[Any]) -> Iterator[CheckMessage]:
    for path in () if isinstance(feed.ignores, str) else feed.ignores:
        relation, _sep, name = path.rpartition("__")
        hops, rest = walk(feed.model, relation)
        end = hops[-1].target if hops else feed.model
        if not rest and (is_column(end, name) or hop(end, name)):
            continue
        part = rest[0] if rest else name
        fields = [f.name for f in end._meta.get_fields() if f.is_relation or not rest]
        near = get_close_matches(part, fields, 1)
        yield Warning(
            _('%(feed)s: ignores names "%(path)s", but %(model)s has no "%(part)s".')
            % {"feed": type(feed).__name__, "path": path, "model": end.__name__, "part": part},
            hint=_("Did you mean %s?") % near[0] if near else _("Remove it."),
            obj=feed.model,
            id="neuroon.W014",
        )


def _key(feed: Feed[Any]) -> Iterator[CheckMessage]:
    """A row is named by its object's key, which therefore has to fit."""
    key: Any = feed.model._meta.pk
    while key.is_relation:
        key = key.target_field
    most = SyncedProduct._meta.get_field("object_pk").max_length or 0
    if isinstance(key, CharField | TextField) and (key.max_length or inf) > most:
        yield error(
            feed,
            "neuroon.E009",
            _("the primary key of %(model)s, %(key)s, may be longer than %(most)s characters")
            % {"model": feed.model.__name__, "key": key.name, "most": most},
            _("Give it max_length=%s or less: changes are recorded by it.") % most,
        )
