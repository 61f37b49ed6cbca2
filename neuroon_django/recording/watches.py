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

from neuroon_django.feeds.keys import keys_of
from neuroon_django.feeds.paths import Hop, Path, Reads, same_table, spellings
from neuroon_django.feeds.registry import registry
from neuroon_django.feeds.rendering import ProductSource
from neuroon_django.feeds.reporting import OrderSource
from neuroon_django.feeds.source import Source

ObjectRef = tuple[str, Any]  # a label and a primary key
ObjectRefs = dict[ObjectRef, None]  # without doubles, in the order of their recording
Labels = dict[str, type[Model]]  # with the model whose primary key stands beside the label


@dataclass(frozen=True)
class OwnerColumn:
    """The column by which a row points to its owner, which changes whenever the row does."""

    owner: type[Model]
    column: Any  # the foreign key, or the object id of a generic one
    generic: Any = None  # the GenericRelation, which also needs the content type to match

    @property
    def label(self) -> str:
        """The label that changes of the owner are recorded under."""
        return self.owner._meta.label_lower

    @property
    def columns(self) -> tuple[str, ...]:
        """The attributes that say which owner a row has; the content type's is the second."""
        columns = [self.column]
        if self.generic:
            columns.append(self._content_type_column)
        return tuple(column.attname for column in columns)

    @property
    def by_key(self) -> bool:
        """Whether the column holds the owner's primary key."""
        remote = getattr(self.column, "target_field", None)
        return remote is None or bool(remote.primary_key)

    @property
    def content_type_filter(self) -> dict[str, Any]:
        """The value that the content type's column must hold, by its name; of a plain key none."""
        if not self.generic:
            return {}
        return {self._content_type_column.column: self.generic.get_content_type().pk}

    @property
    def _content_type_column(self) -> Any:
        return self.column.model._meta.get_field(self.generic.content_type_field_name)

    def may_change(self, update_fields: Iterable[str] | None) -> bool:
        """Return whether a save of these fields, or of all, may give the row another owner."""
        if not update_fields:
            return True
        return not spellings(self.column.model, *self.columns).isdisjoint(update_fields)

    def loaded(self, instance: Model) -> tuple[Any, ...] | None:
        """Return the columns' values in memory; None where one is deferred or an expression."""
        memory = vars(instance)
        if not all(column in memory for column in self.columns):
            return None
        values = tuple(memory[column] for column in self.columns)
        return None if any(hasattr(value, "resolve_expression") for value in values) else values

    def owners(self, values: Sequence[Any], using: str) -> list[ObjectRef]:
        """Return the owners that these values of the columns stand for."""
        value = values[0]
        if value is None or (self.generic and values[1] != self.generic.get_content_type().pk):
            return []
        if self.by_key:
            return [(self.label, value)]
        remote = self.column.target_field
        owners = remote.model._base_manager.using(using).filter(**{remote.attname: value})
        return [(self.label, pk) for pk in owners.values_list("pk", flat=True)]

    def owners_of(self, instance: Model, using: str) -> list[ObjectRef]:
        """Return the owners of a row that was saved; what is not in memory is read."""
        values = self.loaded(instance)
        if values is not None:
            return self.owners(values, using)
        rows: QuerySet[Any] = QuerySet(self.column.model, using=using)
        rows = rows.filter(pk__in=keys_of(self.column.model, instance, using))
        return [ref for row in rows.values_list(*self.columns) for ref in self.owners(row, using)]


@dataclass
class Watch:
    """What the signals of one sender mean."""

    product_labels: Labels = field(default_factory=dict)  # it is a product of these
    order_labels: Labels = field(default_factory=dict)  # it is an order of these
    related_labels: Labels = field(default_factory=dict)  # products read it along a path
    owner_columns: dict[OwnerColumn, None] = field(default_factory=dict)
    # The products to record before a delete, since afterwards they cannot be found through it.
    affected_by_delete: dict[tuple[ProductSource[Any], str], None] = field(default_factory=dict)
    reads: Reads = field(default_factory=Reads)

    @cached_property
    def labels(self) -> Labels:
        """The labels that its saves are recorded under, but for those of orders."""
        return self.product_labels | self.related_labels

    def owners_of(self, instance: Model, using: str) -> ObjectRefs:
        """Return what a saved row points to."""
        refs: ObjectRefs = {}
        for column in self.owner_columns:
            refs.update(dict.fromkeys(column.owners_of(instance, using)))
        return refs

    def add(self, other: Watch) -> None:
        """Mean what another watch means as well."""
        self.product_labels |= other.product_labels
        self.order_labels |= other.order_labels
        self.related_labels |= other.related_labels
        self.owner_columns |= other.owner_columns
        self.affected_by_delete |= other.affected_by_delete
        self.reads |= other.reads


def refs_of(labels: Labels, instance: Model, using: str) -> ObjectRefs:
    """Return an object under each of these labels; under none where it has no key."""
    keys = [(label, key) for label, model in labels.items() for key in keys_of(model, instance, using)]
    return {(label, key): None for label, key in keys if key is not None}


class Watches:
    """All watches of a project, by the class that sends the signals."""

    def __init__(self) -> None:
        self.by_model: defaultdict[type[Model], Watch] = defaultdict(Watch)
        self.through: defaultdict[type[Model], dict[Hop, None]] = defaultdict(dict)
        for source in registry.sources().values():
            self._watch_objects(source)
            if isinstance(source, ProductSource):
                for path in source.paths:
                    self._watch_path(source, path)

    def _watch_objects(self, source: Source[Any]) -> None:
        watch = self.by_model[source.model]
        labels = watch.order_labels if isinstance(source, OrderSource) else watch.product_labels
        labels[source.topic] = source.model
        watch.reads |= source.reads()

    def _watch_path(self, source: ProductSource[Any], path: Path) -> None:
        """Watch the model at a path's end, and the table of a many-to-many that leads to it."""
        hop = path.hops[-1]
        watch = self.by_model[hop.target]
        watch.reads |= path.reads
        if hop.kind == "reverse":
            self._watch_column(hop.target, OwnerColumn(hop.source, hop.field.field))
        elif hop.kind == "generic":
            column = hop.target._meta.get_field(hop.field.object_id_field_name)
            self._watch_column(hop.target, OwnerColumn(hop.source, column, hop.field))
        else:
            watch.related_labels[hop.target._meta.label_lower] = hop.target
            watch.affected_by_delete[source, path.query] = None
        if hop.through:
            self._watch_through(hop.through, hop)

    def _watch_through(self, through: type[Model], hop: Hop) -> None:
        self.through[through][hop] = None
        # A table that the shop declared is also changed by saving its rows.
        if not through._meta.auto_created and hop.through_column:
            self._watch_column(through, OwnerColumn(hop.source, hop.through_column))
            self.by_model[through].reads |= Reads(all_but=True)

    def _watch_column(self, model: type[Model], column: OwnerColumn) -> None:
        watch = self.by_model[model]
        watch.owner_columns[column] = None
        watch.reads |= Reads(spellings(model, *column.columns))

    def senders(self) -> Iterator[tuple[type[Model], Watch]]:
        """Return every class whose signals concern a watched model, with what they mean.

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

        A worker finds out which owner it belongs to.
        """
        missing = [c for c in watch.owner_columns if not issubclass(model, c.column.model)]
        for column in missing:
            del watch.owner_columns[column]
            for child in watched:
                label = child._meta.label_lower
                if column in self.by_model[child].owner_columns and registry.dependents(label):
                    watch.related_labels[label] = child
