"""What a feed's attribute means: a lookup, a method or a constant, compiled once into a getter.

A `source` compiles its feed's entries when it is first used, and calls the getters per object.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, Value

from neuroon_django.feeds.cleaning import members
from neuroon_django.feeds.paths import is_column, walk
from neuroon_django.feeds.prefetching import prefetched_rows

Getter = Callable[[Any], Any]


class Entry:
    """One attribute of a feed, ready to be asked: `get` takes an object and returns the value.

    `kind` is "lookup", "method" or "constant"; `path` is a lookup's text, else "".
    """

    def __init__(self, feed: Any, name: str) -> None:
        self.name = name
        declared = inspect.getattr_static(type(feed), name, None)
        value = getattr(feed, name)
        self.path = ""
        self.get: Getter
        if inspect.isroutine(declared) or callable(value):
            self.kind, self.get = "method", value
        elif isinstance(value, str):
            self.kind, self.path, self.get = "lookup", value, lookup(value, feed.model)
        else:
            constant = value.value if isinstance(value, Value) else value
            self.kind, self.get = "constant", lambda _: constant


def accepts(code: Any, *arguments: Any) -> bool:
    """Return whether a class or a function can be called with these arguments, as far as it tells."""
    if inspect.ismethod(code):  # a method without even `self` has no signature once it is bound
        code, arguments = code.__func__, (code.__self__, *arguments)
    try:
        inspect.signature(code).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # it is written in C, and has no signature
        return True
    return True


def lookup(path: str, model: type[Model]) -> Getter:
    """Return a getter along `a__b__c`, over attributes, callables and relations.

    It gives None where the path ends early. Columns of the model, columns over relations to one, and
    rows of a relation to many that was prefetched are read without looking at what each step is.
    """
    hops, rest = walk(model, path)
    if not hops and is_column(model, path):
        return attrgetter(path)
    parts = [hop.attr for hop in hops] + rest
    if hops and hops[0].to_many:
        return lambda instance: _rows_then(instance, parts)
    ends_in_column = hops and len(rest) == 1 and is_column(hops[-1].target, rest[0])
    if ends_in_column and not any(hop.to_many for hop in hops):
        return lambda instance: _over_relations(instance, parts)
    return lambda instance: follow(instance, parts)


def _over_relations(value: Any, parts: list[str]) -> Any:
    """Return a column over relations to one; None where one of them is not there."""
    try:
        for part in parts:
            if value is None:
                return None
            value = getattr(value, part)
    except ObjectDoesNotExist:  # a one-to-one that is not there
        return None
    return value


def _rows_then(instance: Any, parts: list[str]) -> Any:
    """Return what the rows of a relation to many lead to, as a flat list."""
    rows = prefetched_rows(instance, parts[0])
    return follow(instance, parts) if rows is None else _follow_many(rows, parts[1:])


def follow(value: Any, parts: list[str]) -> Any:
    """Return the value at the end of a path; a flat list as soon as a step leads to many."""
    for index, part in enumerate(parts):
        if value is None:
            return None
        try:
            value = getattr(value, part)
        except ObjectDoesNotExist:  # a one-to-one that is not there
            return None
        if hasattr(value, "all"):
            return _follow_many(members(value), parts[index + 1 :])
        if callable(value):
            value = value()
    return value


def _follow_many(items: Any, rest: list[str]) -> list[Any]:
    """Return the values at the end of a path from each of these objects, without None."""
    found = []
    for item in items:
        value = follow(item, rest)
        found.extend(value if isinstance(value, list) else [value])
    return [value for value in found if value is not None]
