"""Relations to many, read for a page of objects in one query each, as Django's prefetch reads them.

Django builds a queryset per object and relation, and an instance per link of a many-to-many; that is
most of what it takes to load a page. Here an object of the other side is one instance however many
links lead to it, lookups take the rows as they are, and a queryset is built when a method asks for
it. `source` loads objects with it; whatever is out of the ordinary is left to Django's own prefetch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any
from weakref import ref

from django.db.models import Model, Prefetch, QuerySet, prefetch_related_objects
from django.db.models.fields.related_descriptors import (
    ManyToManyDescriptor,
    ReverseManyToOneDescriptor,
)
from django.db.models.query import ModelIterable

from neuroon_django.feeds.paths import Hop, Path

ORDINARY = (ManyToManyDescriptor, ReverseManyToOneDescriptor)  # not those of third parties

Key = tuple[Any, ...]


class PrefetchCache(dict[str, Any]):
    """An object's `_prefetched_objects_cache`, which builds a relation's queryset when it is asked.

    `rows` are the rows by attribute for which that has not happened; `attrs` are the attributes by
    the name that Django's cache has for them.
    """

    __slots__ = ("attrs", "instance", "rows")

    def __init__(self, instance: Model) -> None:
        self.instance = ref(instance)  # no cycle, so that a page is freed when it is done
        self.rows: dict[str, list[Any]] = {}
        self.attrs: dict[str, str] = {}

    def __missing__(self, name: str) -> Any:
        attr, instance = self.attrs.get(name, ""), self.instance()
        if attr not in self.rows or instance is None:
            raise KeyError(name)
        rows = self.rows.pop(attr)  # so that the manager does not find them here, and builds
        queryset: Any = getattr(instance, attr).get_queryset()
        queryset._result_cache = rows
        queryset._prefetch_done = True
        self[name] = queryset
        return queryset

    def __contains__(self, name: object) -> bool:
        if self.attrs.get(str(name)) in self.rows:
            self[str(name)]  # Django looks before it gets or deletes, which then find it
        return super().__contains__(name)

    def pop(self, name: str, *default: Any) -> Any:
        """Forget a relation, as Django does when an object is added to it."""
        self.rows.pop(self.attrs.get(name, ""), None)
        return super().pop(name, *default)

    def __reduce__(self) -> Any:
        return dict, ({name: self[name] for name in {*self, *self.attrs} if name in self},)


def prefetched_rows(instance: Any, attr: str) -> list[Any] | None:
    """Return the rows of a relation that were prefetched here, None where they were not."""
    cache = getattr(instance, "_prefetched_objects_cache", None)
    return cache.rows.get(attr) if type(cache) is PrefetchCache else None


def is_ordinary(path: Path, own: Collection[str]) -> bool:
    """Return whether a path begins with a relation to many that `prefetch` reads.

    `own` are the lookups of the shop's own prefetches, which stay Django's.
    """
    first = path.hops[0]
    descriptor = inspect.getattr_static(first.source, first.attr, None)
    return type(descriptor) in ORDINARY and not any(_leads(lookup, first.attr) for lookup in own)


def prefetch(instances: Sequence[Model], paths: Iterable[Path], alias: str | None) -> None:
    """Read ordinary relations to many and what lies behind them; from `alias` where that is given."""
    chains: dict[Hop, list[tuple[Hop, ...]]] = {}
    for path in paths:
        chains.setdefault(path.hops[0], []).append(path.hops[1:])
    for first, rests in chains.items() if instances else ():
        following = django_lookups([rest for rest in rests if rest], alias, ())
        related = _read_hop(instances, first, alias)
        if related is None:
            prefetch_related_objects(instances, *django_lookups([(first,)], alias, ()))
            related = [row for one in instances for row in getattr(one, first.attr).all()]
        if following and related:
            prefetch_related_objects(related, *following)


def django_lookups(
    chains: Iterable[tuple[Hop, ...]], alias: str | None, own: Collection[str]
) -> list[Any]:
    """Return what Django prefetches for chains of hops: bound to `alias` where that is given."""
    if alias is None:
        return ["__".join(hop.attr for hop in hops) for hops in chains]
    lookups: dict[str, Prefetch[Any]] = {}
    for hops in chains:
        for end, step in enumerate(hops, 1):
            attr = "__".join(hop.attr for hop in hops[:end])
            target = step.target
            targets = target._default_manager if step.to_many else target._base_manager
            if not any(_leads(lookup, attr) for lookup in own):
                lookups[attr] = Prefetch(attr, targets.using(alias))
    return list(lookups.values())


def _leads(lookup: str, attr: str) -> bool:
    """Return whether a lookup passes through a relation."""
    return f"{lookup}__".startswith(f"{attr}__")


def _read_hop(instances: Sequence[Model], first: Hop, alias: str | None) -> list[Any] | None:
    """Give objects the rows of a relation, and return those; None where Django has to do it."""
    manager = getattr(instances[0], first.attr)
    bound = [first.target._default_manager.using(alias)] if alias else None
    found, key_of_row, key_of, _, cache_name, _ = manager.get_prefetch_querysets(instances, bound)
    if found._prefetch_related_lookups or type(found)._fetch_all is not QuerySet._fetch_all:
        return None
    by_key: dict[Key, list[Any]] = {}
    for key, row in _keyed(found, key_of_row):
        by_key.setdefault(key, []).append(row)
    if not found.ordered:  # the database's order may change, and a payload may not (law 12)
        for rows in by_key.values():
            rows.sort(key=_pk_of)
    for instance in instances:
        cache = _cache_of(instance)
        cache.attrs[cache_name] = first.attr
        cache.rows[first.attr] = by_key.get(key_of(instance), [])
    return list({id(row): row for rows in by_key.values() for row in rows}.values())


def _pk_of(row: Model) -> Any:
    return row.pk


def _cache_of(instance: Any) -> PrefetchCache:
    """Return an object's cache, which may hold what Django has prefetched."""
    before = instance.__dict__.get("_prefetched_objects_cache", {})
    if type(before) is PrefetchCache:
        return before
    cache = instance._prefetched_objects_cache = PrefetchCache(instance)
    cache.update(before)
    return cache


def _keyed(found: QuerySet[Any], key_of_row: Callable[[Any], Key]) -> Iterator[tuple[Key, Any]]:
    """Yield rows with the key of the object that they belong to; linked rows are one instance each."""
    links = list(found.query.extra_select)  # of a many-to-many: the link's column
    if not links or not _is_plain(found):
        yield from ((key_of_row(row), row) for row in found)
        return
    names = [field.attname for field in found.model._meta.concrete_fields]
    instances: dict[Any, Any] = {}
    pk_at, width = names.index(found.model._meta.pk.attname), len(names)
    for values in found.values_list(*names, *links):
        row = instances.get(values[pk_at])
        if row is None:
            row = found.model.from_db(found.db, names, values[:width])
            instances[values[pk_at]] = row
        link = SimpleNamespace(**dict(zip(links, values[width:], strict=True)))
        yield key_of_row(link), row


def _is_plain(found: QuerySet[Any]) -> bool:
    """Return whether a queryset gives all columns of its model and nothing else."""
    query = found.query
    special = query.annotations or query.select_related or query.deferred_loading[0]
    return found._iterable_class is ModelIterable and not special and not query.combinator
