"""Deletes: what one takes with it is recorded in front of it, set by set (law 1).

Every delete of Django's, of an instance or of a queryset, ends in `Collector.delete()`, once all that
its cascade reaches has been collected: rows by their class, and querysets of rows that are deleted
unread. So that method is wrapped, once. Receivers of `pre_delete` would make Django read every row of
a cascade and hear of each alone; a delete of 450 rows took five times as long. What the database
deletes by itself (`DB_CASCADE`) is looked up along the relations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

from django.db import models
from django.db.models import Model, QuerySet
from django.db.models.deletion import Collector

from neuroon_django.feeds.keys import rows_of
from neuroon_django.feeds.registry import registry
from neuroon_django.models.change import CHUNK
from neuroon_django.recording.mistakes import reporting
from neuroon_django.recording.owners import ObjectRefs
from neuroon_django.recording.record import record, record_all, recording, write_transaction
from neuroon_django.recording.watches import Watch, refs_of

DB_CASCADE = getattr(models, "DB_CASCADE", object())  # Django 6.1
Affected = tuple[QuerySet[Any], str, str]  # objects, the label to record them under, their keys' column


class Deletes:
    """The models whose deletes count, with what a delete of each means."""

    def __init__(self) -> None:
        self.watches: dict[type[Model], Watch] = {}
        # The watched rows that the database deletes with a model's: their model, and its lookup of it.
        self.by_database: dict[type[Model], list[tuple[type[Model], str]]] = {}
        self._wrapped = False

    def listen(self, watches: dict[type[Model], Watch]) -> None:
        """Record the deletes of these models' rows, and of what takes such rows with it."""
        self.watches = {
            model: watch
            for model, watch in watches.items()
            if watch.product_labels or watch.owner_columns or watch.affected_by_delete
        }
        self.by_database = defaultdict(list)
        for model in self.watches:
            for ancestor, lookup in _database_ancestors(model):
                self.by_database[ancestor].append((model, lookup))
        if self.watches and not self._wrapped:
            self._wrapped = True
            setattr(Collector, "delete", _wrap(Collector.delete))  # noqa: B010 - as for any wrapped method

    def concern(self, collector: Collector) -> bool:
        """Return whether a delete takes rows with it that count."""
        collected = [*collector.data, *(rows.model for rows in collector.fast_deletes)]
        return any(model in self.watches or model in self.by_database for model in collected)


deletes = Deletes()


def _database_ancestors(
    model: Any, after: str = "", seen: frozenset[Any] = frozenset()
) -> Iterator[tuple[type[Model], str]]:
    """Yield the models whose rows take a model's with them by the database, and its lookups of them.

    Of a tree in one table the direct children are found, and by the next scan those below.
    """
    for field in model._meta.concrete_fields:
        if getattr(field.remote_field, "on_delete", None) is DB_CASCADE:
            yield field.related_model, f"{after}{field.name}"
            if field.related_model not in seen | {model}:
                further = f"{after}{field.name}__"
                yield from _database_ancestors(field.related_model, further, seen | {model})


def _wrap(original: Callable[[Collector], Any]) -> Callable[[Collector], Any]:
    @wraps(original)
    def delete(self: Collector) -> Any:
        if not deletes.concern(self) or not recording(self.using):
            return original(self)
        loss = Loss(self)  # read first: SQLite gives no transaction that has read the turn to write
        with write_transaction(self.using):
            loss.record()
            return original(self)

    return delete


class Loss:
    """What a delete takes with it: objects that were read, and sets that are recorded unread."""

    def __init__(self, collector: Collector) -> None:
        self.refs: ObjectRefs = {}
        self.sets: list[Affected] = []
        self._using = collector.using
        taken = [*collector.data, *(rows.model for rows in collector.fast_deletes)]
        # The tables whose rows are taken: objects of theirs are read, since some may go as well.
        self._taken = {model._meta.concrete_model for model in taken} if collector.data else set()
        gone: ObjectRefs = {}
        for model, instances in collector.data.items():
            gone |= {(model._meta.label_lower, instance.pk): None for instance in instances}
            with reporting(model):
                self._add_instances(model, list(instances))
        for rows in collector.fast_deletes:
            with reporting(rows.model):
                self._add(_affected(rows))
        for field, value in collector.field_updates:
            with reporting(field.model):
                self._add_new_owners(field, value)
        # What is no product and goes as well needs no record: what it points to has one.
        self.refs = {ref: None for ref in self.refs if ref not in gone or ref[0] in registry.feeds}

    def record(self) -> None:
        """Record all of it, each object that was read once."""
        for objects, label, key in self.sets:
            with reporting(objects.model):  # a queryset of the shop's is compiled here
                record_all(objects, label, key)
        record(self.refs)

    def _add_instances(self, model: type[Model], instances: list[Model]) -> None:
        """Add what a delete of rows in memory changes; memory may hold other owners than the table."""
        watch = deletes.watches.get(model)
        if watch is not None:
            self.refs |= refs_of(watch.product_labels, instances, self._using)
        elif model not in deletes.by_database:
            return
        for start in range(0, len(instances), CHUNK):
            keys = [instance.pk for instance in instances[start : start + CHUNK]]
            rows: QuerySet[Any] = QuerySet(model, using=self._using).filter(pk__in=keys)
            self._add(_affected(rows, products=False))

    def _add_new_owners(self, field: Any, value: Any) -> None:
        """Add whom rows are given to, as by `SET_DEFAULT`, where the owner that they had goes."""
        value = getattr(value, field.target_field.attname) if isinstance(value, Model) else value
        if value is None or hasattr(value, "resolve_expression"):
            return
        watch = deletes.watches.get(field.model)
        for column in watch.owner_columns if watch else ():
            if column.column == field:
                self.refs |= column.owners([(value,)], self._using)

    def _add(self, affected: Iterable[Affected]) -> None:
        for objects, label, key in affected:
            if objects.model._meta.concrete_model in self._taken:
                keys = objects.order_by().values_list(key, flat=True).distinct()
                self.refs |= {(label, value): None for value in keys}
            else:
                self.sets.append((objects, label, key))


def _affected(rows: QuerySet[Any], *, products: bool = True) -> Iterator[Affected]:
    """Yield what a delete of rows changes, and of those that the database deletes with them."""
    watch = deletes.watches.get(rows.model)
    if watch is not None:
        yield from _affected_of(watch, rows, products=products)
    for model, lookup in deletes.by_database.get(rows.model, ()):
        lost: QuerySet[Any] = QuerySet(model, using=rows.db).filter(**{f"{lookup}__in": rows})
        yield from _affected_of(deletes.watches[model], lost)


def _affected_of(watch: Watch, rows: QuerySet[Any], *, products: bool = True) -> Iterator[Affected]:
    """Yield the products among rows, what rows point to, and what reads them."""
    for label, model in watch.product_labels.items() if products else ():
        objects, key = rows_of(model, rows)
        yield objects, label, key
    for column in watch.owner_columns:
        if issubclass(rows.model, column.column.model):  # or the child's row is deleted as well
            objects, key = column.owners_in(rows)
            yield objects, column.label, key
    for dependents in watch.affected_by_delete:
        yield dependents.of(rows.values("pk"), rows.db), dependents.source.topic, "pk"
