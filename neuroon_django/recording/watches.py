"""Whose signals concern the feeds, and what each of them means (law 10).

The watches are derived once from the paths of the feeds. For each model that a feed reads they say
under which labels its changes are recorded, which columns of its rows point to an object that
changes with them, and which products a delete affects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet

from neuroon_django.feeds.keys import keys_of_all
from neuroon_django.feeds.paths import Hop, Path, ignored, same_table, spellings
from neuroon_django.feeds.registry import registry
from neuroon_django.feeds.rendering import ProductSource
from neuroon_django.feeds.reporting import ORDER, OrderSource
from neuroon_django.feeds.source import Source
from neuroon_django.recording.owners import ObjectRefs, OwnerColumn

Labels = dict[str, type[Model]]  # with the model whose primary key stands beside the label


@dataclass(frozen=True)
class Dependents:
    """The objects of a feed that read a row along a path whose columns stand on their side."""

    source: Source[Any]
    path: Path

    def of(self, keys: Sequence[Any] | QuerySet[Any], using: str) -> QuerySet[Any]:
        """Return the objects that read rows with these keys, some of them more than once."""
        objects: QuerySet[Any] = self.source.model._base_manager.using(using)
        return objects.filter(**{f"{self.path.query}__pk__in": keys})

    def of_rows(self, rows: Sequence[Model], using: str) -> QuerySet[Any]:
        """Return the objects that read these rows, which are of one class."""
        return self.of(keys_of_all(self.path.target, rows, using), using)


@dataclass
class Watch:
    """What a write of one model means."""

    product_labels: Labels = field(default_factory=dict)  # it is a product of these
    order_labels: Labels = field(default_factory=dict)  # it is an order of these
    related_labels: Labels = field(default_factory=dict)  # products read it along a path
    owner_columns: dict[OwnerColumn, None] = field(default_factory=dict)
    # The products to record before a delete, since afterwards they cannot be found through it.
    affected_by_delete: dict[Dependents, None] = field(default_factory=dict)
    # The orders to record after a save: no worker looks for those that read a row.
    orders_of: dict[Dependents, None] = field(default_factory=dict)
    ignores: frozenset[str] | None = None  # what all feeds ignore of it; None before the first

    @cached_property
    def labels(self) -> Labels:
        """Return the labels that its saves are recorded under, but for those of orders."""
        return self.product_labels | self.related_labels

    def ignore(self, names: frozenset[str]) -> None:
        """Ignore no more than these fields, since another feed may read what one ignores."""
        self.ignores = names if self.ignores is None else self.ignores & names

    def is_ignored(self, fields: Iterable[str] | None) -> bool:
        """Return whether a write of these fields is no change; None stands for all of a row (law 3)."""
        return fields is not None and (self.ignores or frozenset()).issuperset(fields)

    def saved(self, instances: Sequence[Model], using: str) -> ObjectRefs:
        """Return what a save of rows of one class changes: themselves, and what they point to."""
        refs = refs_of(self.labels, instances, using)
        for column in self.owner_columns:
            refs |= column.owners_of(instances, using)
        return refs

    def add(self, other: Watch) -> None:
        """Mean what another watch means as well."""
        self.product_labels |= other.product_labels
        self.order_labels |= other.order_labels
        self.related_labels |= other.related_labels
        self.owner_columns |= other.owner_columns
        self.affected_by_delete |= other.affected_by_delete
        self.orders_of |= other.orders_of
        if other.ignores is not None:
            self.ignore(other.ignores)


def refs_of(labels: Labels, instances: Sequence[Model], using: str) -> ObjectRefs:
    """Return objects of one class under each of these labels; under none where one has no key."""
    keys = [(label, keys_of_all(model, instances, using)) for label, model in labels.items()]
    return {(label, key): None for label, found in keys for key in found if key is not None}


class Watches:
    """All watches of a project, by the class whose rows are written."""

    def __init__(self) -> None:
        self.by_model: defaultdict[type[Model], Watch] = defaultdict(Watch)
        self.through: defaultdict[type[Model], dict[Hop, None]] = defaultdict(dict)
        for source in registry.sources().values():
            ignores = ignored(source.model, list(source.feed.ignores))
            self._watch_objects(source, ignores.get((), frozenset()))
            for path in source.paths:
                if isinstance(source, ProductSource):
                    self._watch_path(source, path, ignores.get(path.hops, frozenset()))
                elif all(map(_is_of_one, path.hops)):
                    self._watch_part(source, path, ignores.get(path.hops, frozenset()))

    def _watch_objects(self, source: Source[Any], ignores: frozenset[str]) -> None:
        watch = self.by_model[source.model]
        labels = watch.order_labels if isinstance(source, OrderSource) else watch.product_labels
        labels[source.topic] = source.model
        watch.ignore(ignores)

    def _watch_path(self, source: Source[Any], path: Path, ignores: frozenset[str]) -> None:
        """Watch the model at a path's end, and the table of a many-to-many that leads to it."""
        hop = path.hops[-1]
        if hop.kind in ("reverse", "generic"):
            column = OwnerColumn.of(hop, hop.source._meta.label_lower, hop.source)
            self._watch_column(hop.target, column, ignores)
        else:
            watch = self.by_model[hop.target]
            watch.ignore(ignores)
            watch.related_labels[hop.target._meta.label_lower] = hop.target
            watch.affected_by_delete[Dependents(source, path)] = None
        if hop.through:
            self.through[hop.through][hop] = None
            if hop.through_column:
                column = OwnerColumn(hop.source._meta.label_lower, hop.source, hop.through_column)
                self._watch_column(hop.through, column, frozenset())

    def _watch_part(self, source: Source[Any], path: Path, ignores: frozenset[str]) -> None:
        """Watch the model at the end of an order's path, each of whose rows is of one order at most."""
        hop = path.hops[-1]
        if hop.kind == "forward":
            watch = self.by_model[hop.target]
            watch.ignore(ignores)
            watch.orders_of[Dependents(source, path)] = None
            watch.affected_by_delete[Dependents(source, path)] = None
            return
        via = "__".join(step.query for step in path.hops[:-1])
        self._watch_column(hop.target, OwnerColumn.of(hop, source.topic, source.model, via), ignores)

    def _watch_column(self, model: type[Model], column: OwnerColumn, ignores: frozenset[str]) -> None:
        watch = self.by_model[model]
        watch.owner_columns[column] = None
        watch.ignore(ignores - spellings(model, *column.columns))

    def all(self) -> Iterator[tuple[type[Model], Watch]]:
        """Return every class whose writes concern a watched model, with what they mean.

        These are the model itself, its proxies, its parents by table and their children.
        """
        for model in apps.get_models(include_auto_created=True):
            merged = Watch()
            watched = [other for other in self.by_model if same_table(model, other)]
            for other in watched:
                merged.add(self.by_model[other])
            if watched:
                self._without_missing_columns(model, watched, merged)
                yield model, merged

    def _without_missing_columns(
        self, model: type[Model], watched: list[type[Model]], watch: Watch
    ) -> None:
        """Record a parent's row under the labels of children whose columns it does not have.

        A worker finds out which owner it belongs to. No worker does so for orders, whose columns are
        read when the parent's row is saved.
        """
        missing = [c for c in watch.owner_columns if not issubclass(model, c.column.model)]
        for column in missing:
            if column.label.startswith(ORDER):
                continue
            del watch.owner_columns[column]
            for child in watched:
                label = child._meta.label_lower
                if column in self.by_model[child].owner_columns and registry.dependents(label):
                    watch.related_labels[label] = child


def _is_of_one(hop: Hop) -> bool:
    """Return whether each row at a hop's end is of one object at most; a shared one would name many."""
    return hop.kind in ("reverse", "generic") or bool(hop.field.one_to_one)
