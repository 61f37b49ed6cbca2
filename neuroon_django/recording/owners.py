"""The columns by which rows point to the products and orders that change with them.

A stock record points to its product, a payment to its order. Which owner a row has is known without
a query where its column holds the owner's key; where a row leaves its owner, the stored column tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet

from neuroon_django.feeds.keys import keys_of_all, shares_key
from neuroon_django.feeds.paths import Hop, spellings

ObjectRef = tuple[str, Any]  # a label and a primary key
ObjectRefs = dict[ObjectRef, None]  # without doubles, in the order of their recording
Values = tuple[Any, ...]  # what a row holds in an owner column: a key, and of a generic one its type


@dataclass(frozen=True)
class OwnerColumn:
    """The column by which a row points to its owner, which changes whenever the row does."""

    label: str  # what changes of the owner are recorded under
    owner: type[Model]
    column: Any  # the foreign key, or the object id of a generic one
    generic: Any = None  # the GenericRelation, which also needs the content type to match
    # Lookups from the owner to the object that the row points to, where that is not the owner itself
    # but a row of it: "payments" for a payment's transactions.
    via: str = ""

    @classmethod
    def of(cls, hop: Hop, label: str, owner: type[Model], via: str = "") -> OwnerColumn:
        """Return the column that a hop against its direction passes, a reverse or a generic one."""
        if hop.kind == "reverse":
            return cls(label, owner, hop.field.field, via=via)
        column = hop.target._meta.get_field(hop.field.object_id_field_name)
        return cls(label, owner, column, hop.field, via)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the attributes that say which owner a row has; the content type's is the second."""
        columns = [self.column]
        if self.generic:
            columns.append(self.column.model._meta.get_field(self.generic.content_type_field_name))
        return tuple(column.attname for column in columns)

    @property
    def by_key(self) -> bool:
        """Return whether the column holds the owner's primary key."""
        remote = self._remote
        known = remote is None or (remote.primary_key and shares_key(self.owner, remote.model))
        return bool(known) and not self.via

    @property
    def lookup(self) -> str:
        """Return the owner's lookup of what the column holds."""
        key = "pk" if self._remote is None else self._remote.attname
        return f"{self.via}__{key}" if self.via else key

    @property
    def _remote(self) -> Any:
        """Return the field that the column refers to; None of a generic one, which holds any key."""
        return getattr(self.column, "target_field", None)

    def may_change(self, model: type[Model], fields: Iterable[str] | None) -> bool:
        """Return whether writing these fields of a model, or all, may give a row another owner."""
        if not issubclass(model, self.column.model):
            return False  # a parent by table, which does not have the column
        return not fields or not spellings(self.column.model, *self.columns).isdisjoint(fields)

    def loaded(self, instance: Model) -> Values | None:
        """Return the columns' values in memory; None where one is deferred or an expression."""
        memory = vars(instance)
        if not all(column in memory for column in self.columns):
            return None
        values = tuple(memory[column] for column in self.columns)
        return None if any(hasattr(value, "resolve_expression") for value in values) else values

    def stored(self, keys: Sequence[Any], using: str) -> list[Values]:
        """Return the columns' values of the rows with these keys, as they are stored, by one query."""
        rows: QuerySet[Any] = QuerySet(self.column.model, using=using).filter(pk__in=keys).order_by()
        return list(rows.values_list(*self.columns).distinct())

    def owners(self, values: Iterable[Values], using: str) -> ObjectRefs:
        """Return the owners that these values stand for, by one query where they are no keys."""
        wanted: dict[Any, None] = {}
        for value, *content_type in values:
            fits = not self.generic or content_type == [self.generic.get_content_type().pk]
            if fits and value is not None:
                wanted[value] = None
        if self.by_key or not wanted:
            return {(self.label, key): None for key in wanted}
        owners = self.owner._base_manager.using(using).filter(**{f"{self.lookup}__in": list(wanted)})
        return {(self.label, key): None for key in owners.values_list("pk", flat=True)}

    def owners_of(self, instances: Sequence[Model], using: str) -> ObjectRefs:
        """Return the owners of rows that were saved; what is not in memory is read."""
        loaded = [self.loaded(instance) for instance in instances]
        values = [value for value in loaded if value is not None]
        unknown = [row for row, value in zip(instances, loaded, strict=True) if value is None]
        if unknown:
            values += self.stored(keys_of_all(self.column.model, unknown, using), using)
        return self.owners(values, using)

    def owners_in(self, rows: QuerySet[Any]) -> tuple[QuerySet[Any], str]:
        """Return a queryset of the owners of a queryset's rows, with the column of their keys."""
        rows = rows.exclude(**{self.column.attname: None})
        if self.generic:
            rows = rows.filter(**{self.columns[1]: self.generic.get_content_type().pk})
        if self.by_key:
            return rows, self.column.attname
        values = rows.values(self.column.attname)
        return self.owner._base_manager.filter(**{f"{self.lookup}__in": values}), "pk"
