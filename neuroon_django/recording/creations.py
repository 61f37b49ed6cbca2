"""What `bulk_create()` changes: rows that are new, and rows that it overwrites.

Where the database tells the keys of the rows it makes, they are recorded as saved ones are. Where it
does not (`ignore_conflicts`, MySQL) rows are found by their keys, which count up, and rows that are
overwritten by their unique columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

from django.db import connections
from django.db.models import AutoField, Max, Model, Q, QuerySet

from neuroon_django import clicks
from neuroon_django.recording.record import record, record_all, record_labels, record_rows
from neuroon_django.recording.watches import Watch, refs_of

OPTIONS = ("batch_size", "ignore_conflicts", "update_conflicts", "update_fields", "unique_fields")


class Creation:
    """One `bulk_create()`: these objects of a queryset's model, with the arguments behind them."""

    def __init__(
        self,
        queryset: QuerySet[Any],
        watch: Watch,
        objects: Sequence[Model],
        args: Sequence[Any],
        options: Mapping[str, Any],
    ) -> None:
        self.model = queryset.model
        self.using = queryset.db
        self.watch = watch
        self.objects = objects
        self.options = dict(zip(OPTIONS, args, strict=False)) | dict(options)
        self.had_keys = False
        self.last: Any = None  # the highest key before, where new ones are not told

    def started(self) -> None:
        """Record the rows that will be overwritten, and remember where new ones begin."""
        self.had_keys = any(map(_has_key, self.objects))
        if self.options.get("update_conflicts") and self._may_overwrite_others:
            for conflict in self._conflicts():
                record_rows(self.watch, self._rows.filter(conflict))
        if not self._tells_keys and not all(map(_has_key, self.objects)):
            if not isinstance(self.model._meta.pk, AutoField):
                raise ValueError(f"the keys of new rows of {self.model.__name__} are not told")
            self.last = self._rows.aggregate(last=Max("pk"))["last"] or 0

    def finished(self) -> None:
        """Record the new rows and their owners; orders with the shopper's cookie as it came."""
        known = [instance for instance in self.objects if _has_key(instance)]
        refs = refs_of(self.watch.labels, known, self.using)
        for column in self.watch.owner_columns:
            refs |= column.owners_of(self.objects, self.using)
        record(refs)
        orders = refs_of(self.watch.order_labels, known, self.using)
        record(orders, clicked=clicks.to_record(), shop=clicks.current_shop.get())
        for dependents in self.watch.orders_of:
            record_all(dependents.of_rows(known, self.using), dependents.source.topic)
        if self.last is not None:
            record_labels(self.watch, self._rows.filter(pk__gt=self.last))

    @property
    def _rows(self) -> QuerySet[Any]:
        """Return the rows of the model's table."""
        return QuerySet(self.model, using=self.using)

    @property
    def _tells_keys(self) -> bool:
        """Return whether objects know the keys of their rows afterwards."""
        returned = connections[self.using].features.can_return_rows_from_bulk_insert
        return bool(returned) and not self.options.get("ignore_conflicts")

    @property
    def _may_overwrite_others(self) -> bool:
        """Return whether rows are overwritten that the objects do not name, or that change owners."""
        fields = self.options.get("update_fields")
        moving = any(c.may_change(self.model, fields) for c in self.watch.owner_columns)
        return moving or self.had_keys or not self._tells_keys

    def _conflicts(self) -> Iterator[Q]:
        """Return conditions of the rows whose unique columns hold what the objects do, 100 a time."""
        for names in _unique_columns(self.model, self.options.get("unique_fields")):
            for start in range(0, len(self.objects), 100):
                rows = [
                    {name: getattr(instance, name) for name in names}
                    for instance in self.objects[start : start + 100]
                ]
                conditions = [Q(**row) for row in rows if None not in row.values()]
                if conditions:
                    yield reduce(or_, conditions)


def _has_key(instance: Model) -> bool:
    """Return whether an object knows its key; the database's own default is none yet."""
    return instance.pk is not None and not hasattr(instance.pk, "resolve_expression")


def _unique_columns(model: type[Model], chosen: Sequence[str] | None) -> Iterator[list[str]]:
    """Return the sets of columns that no two rows share, or the one that the shop chose."""
    meta = model._meta
    sets: list[Sequence[str]] = [[field.name] for field in meta.concrete_fields if field.unique]
    sets += meta.unique_together
    sets += [constraint.fields for constraint in meta.total_unique_constraints]
    for names in [chosen] if chosen else sets:
        fields: list[Any] = [meta.pk if name == "pk" else meta.get_field(name) for name in names]
        yield [field.attname for field in fields]
