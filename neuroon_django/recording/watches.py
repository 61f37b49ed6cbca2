"""Whose signals concern the feeds, and what each of them means (law 10).

Worked out once, from the paths: for each model that a feed reads, the labels that its changes are
recorded under, the objects that its rows point to, and the products that a delete would lose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.apps import apps
from django.db.models import Model

from neuroon_django.feeds.keys import keys_of
from neuroon_django.feeds.paths import Hop, Path, Reads, same_table, spellings
from neuroon_django.feeds.registry import registry
from neuroon_django.feeds.rendering import ProductSource
from neuroon_django.feeds.reporting import OrderSource
from neuroon_django.feeds.source import Source

Name = tuple[str, Any]  # a model's label and a primary key
Topics = dict[str, type[Model]]


@dataclass(frozen=True)
class OwnerColumn:
    """The column by which a row points to its owner: what is looked at when the row changes."""

    owner: type[Model]
    column: Any  # the foreign key, or the object id of a generic one
    generic: Any = None  # the GenericRelation, which also needs the content type to match

    @property
    def columns(self) -> tuple[str, ...]:
        model, relation = self.column.model, self.generic
        kind = [model._meta.get_field(relation.content_type_field_name)] if relation else []
        return tuple(column.attname for column in [self.column, *kind])

    def stands_in(self, update_fields: Iterable[str]) -> bool:
        """Whether a save of these fields may move the row."""
        return not spellings(self.column.model, *self.columns).isdisjoint(update_fields)

    def read(self, instance: Model) -> tuple[Any, ...]:
        return tuple(getattr(instance, column) for column in self.columns)

    @property
    def by_key(self) -> bool:
        """Whether the column holds the owner's primary key."""
        remote = getattr(self.column, "target_field", None)
        return remote is None or bool(remote.primary_key)

    @property
    def kind(self) -> dict[str, Any]:
        """What another column has to hold: of a generic relation, the content type."""
        if not self.generic:
            return {}
        field = self.column.model._meta.get_field(self.generic.content_type_field_name)
        return {field.column: self.generic.get_content_type().pk}

    def names(self, values: Sequence[Any], using: str) -> list[Name]:
        """The owners that these values of the columns stand for."""
        label, value = self.owner._meta.label_lower, values[0]
        if value is None or (self.generic and values[1] != self.generic.get_content_type().pk):
            return []
        if self.by_key:
            return [(label, value)]
        remote = self.column.target_field
        owners = remote.model._base_manager.using(using).filter(**{remote.attname: value})
        return [(label, pk) for pk in owners.values_list("pk", flat=True)]


@dataclass
class Watch:
    """What one sender's signals mean."""

    # Labels to record it under, with the models that know it by them:
    own: Topics = field(default_factory=dict)  # of its product feeds
    orders: Topics = field(default_factory=dict)  # of its order feeds
    labels: Topics = field(default_factory=dict)  # its own; products hang on it
    pointers: dict[OwnerColumn, None] = field(default_factory=dict)
    # Products to write down before a delete, since afterwards they cannot be found.
    lost: dict[tuple[ProductSource[Any], str], None] = field(default_factory=dict)
    reads: Reads = field(default_factory=Reads)

    @cached_property
    def topics(self) -> Topics:
        """What its saves are recorded under, but for orders."""
        return self.own | self.labels

    def owners(self, instance: Model, using: str) -> dict[Name, None]:
        """What an object points to, as it stands in memory."""
        names: dict[Name, None] = {}
        for pointer in self.pointers:
            names.update(dict.fromkeys(pointer.names(pointer.read(instance), using)))
        return names

    def add(self, other: Watch) -> None:
        for name in ("own", "orders", "labels", "pointers", "lost"):
            getattr(self, name).update(getattr(other, name))
        self.reads |= other.reads


def named(topics: Topics, instance: Model, using: str) -> dict[Name, None]:
    """An object under these labels."""
    return {(t, pk): None for t, model in topics.items() for pk in keys_of(model, instance, using)}


class Watches:
    """All watches of a project, by the class that sends the signals."""

    def __init__(self) -> None:
        self.by_model: defaultdict[type[Model], Watch] = defaultdict(Watch)
        self.through: defaultdict[type[Model], dict[Hop, None]] = defaultdict(dict)
        for feed in registry.sources().values():
            self._watch_own(feed)
            if isinstance(feed, ProductSource):
                for path in feed.paths:
                    self._watch(feed, path)

    def _watch_own(self, feed: Source[Any]) -> None:
        watch = self.by_model[feed.model]
        labels = watch.orders if isinstance(feed, OrderSource) else watch.own
        labels[feed.topic] = feed.model
        watch.reads |= feed.reads()

    def _watch(self, feed: ProductSource[Any], path: Path) -> None:
        hop = path.hops[-1]
        watch = self.by_model[hop.target]
        watch.reads |= path.reads
        if hop.kind == "reverse":
            self._point(hop.target, OwnerColumn(hop.source, hop.field.field))
        elif hop.kind == "generic":
            column = hop.target._meta.get_field(hop.field.object_id_field_name)
            self._point(hop.target, OwnerColumn(hop.source, column, hop.field))
        else:
            watch.labels[hop.target._meta.label_lower] = hop.target
            watch.lost[feed, path.query] = None
        if hop.through:
            self.through[hop.through][hop] = None
            # A table that the shop declared is also changed by saving its rows.
            if not hop.through._meta.auto_created and hop.through_column:
                self._point(hop.through, OwnerColumn(hop.source, hop.through_column))
                self.by_model[hop.through].reads |= Reads(all_but=True)

    def _point(self, model: type[Model], pointer: OwnerColumn) -> None:
        watch = self.by_model[model]
        watch.pointers[pointer] = None
        watch.reads |= Reads(spellings(model, *pointer.columns))

    def senders(self) -> Iterator[tuple[type[Model], Watch]]:
        """Every class whose signals concern a watched model: itself, its proxies, kin by table."""
        for model in apps.get_models(include_auto_created=True):
            merged = Watch()
            kin = [watched for watched in self.by_model if same_table(model, watched)]
            for watched in kin:
                merged.add(self.by_model[watched])
            if kin:
                self._without_columns(model, kin, merged)
                yield model, merged

    def _without_columns(self, model: type[Model], kin: list[type[Model]], watch: Watch) -> None:
        """A parent's instance has not its child's columns: the worker finds what it belongs to."""
        unknown = [p for p in watch.pointers if not issubclass(model, p.column.model)]
        for pointer in unknown:
            del watch.pointers[pointer]
        known = {m._meta.label_lower: m for m in kin for p in unknown if p in self.by_model[m].pointers}
        watch.labels.update({label: m for label, m in known.items() if registry.dependents(label)})
