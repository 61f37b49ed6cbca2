"""Bulk writes that count: `update()`, `bulk_create()` and `bulk_update()` of the models that are named.

Django sends no signal for them. They end in two methods of Django's own `QuerySet`, whichever manager
a shop or a third party asks: default, base, custom, related, of a proxy or a child; `bulk_update()`
and the asynchronous ones call these two. So the two are wrapped there, once, and the wrapper looks at
the queryset's model first. A subclass for each manager's queryset class would miss managers that name
their class themselves, and related managers, and pickle would not find it; this way every class stays
what it is, and a migration's historical models are other models. Nothing is wrapped in a project that
names no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.db.models import Model, QuerySet

from neuroon_django.feeds.keys import rows_of
from neuroon_django.feeds.paths import same_table
from neuroon_django.feeds.registry import registry
from neuroon_django.models.change import CHUNK
from neuroon_django.recording.creations import Creation
from neuroon_django.recording.mistakes import reporting
from neuroon_django.recording.owners import ObjectRefs, OwnerColumn
from neuroon_django.recording.record import record, record_rows, recording, write_transaction
from neuroon_django.recording.watches import Watch, Watches

Method = Callable[..., Any]


class BulkWrites:
    """The models whose bulk writes count, with what a write of each means."""

    def __init__(self) -> None:
        self.watches: dict[type[Model], Watch] = {}
        self._wrapped = False

    def listen(self, written: dict[type[Model], Watch]) -> None:
        """Count the bulk writes of these models, as far as feeds or the shop name them."""
        named = registry.bulk_written()
        self.watches = {
            model: watch
            for model, watch in written.items()
            if any(same_table(model, other) for other in named)
        }
        if self.watches and not self._wrapped:
            self._wrapped = True
            for name, wrap in (("update", _wrap_update), ("bulk_create", _wrap_bulk_create)):
                setattr(QuerySet, name, wrap(getattr(QuerySet, name)))

    def refresh(self) -> None:
        """Look again which models are named; one was named after start-up."""
        self.listen(dict(Watches().all()))


bulk_writes = BulkWrites()


def _wrap_update(original: Method) -> Method:
    @wraps(original)
    def update(self: QuerySet[Any], **values: Any) -> Any:
        watch = bulk_writes.watches.get(self.model)
        if watch is None or watch.is_ignored(values) or not _is_updatable(self):
            return original(self, **values)
        self._for_write = True  # type: ignore[attr-defined]  # as the original does before it asks for
        if not recording(self.db):
            return original(self, **values)
        with write_transaction(self.db):
            moving: dict[OwnerColumn, list[Any]] = {}
            with reporting(self.model):
                moving = _update_started(self, watch, values)
            updated = original(self, **values)
            with reporting(self.model):
                record(_new_owners(moving, self.db))
        return updated

    return update


def _is_updatable(rows: QuerySet[Any]) -> bool:
    """Return whether `update()` will take a queryset; where it will not, it says why itself."""
    query = rows.query
    return not (query.is_sliced or query.combinator or query.distinct_fields)


def _update_started(
    queryset: QuerySet[Any], watch: Watch, fields: Iterable[str]
) -> dict[OwnerColumn, list[Any]]:
    """Record the rows as they are, which the filter may not match afterwards.

    Return the columns by which rows may get another owner, with the keys of the rows.
    """
    rows = _plain(queryset)
    record_rows(watch, rows)
    moving = [c for c in watch.owner_columns if c.may_change(queryset.model, fields)]
    return {column: list(_keys(column, rows)) for column in moving}


def _plain(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows that `update()` changes, in no order; it does not group where nothing sums up."""
    query = queryset.query.chain()
    query.select_related = False
    query.clear_ordering(force=True)
    if not query.where.contains_aggregate:
        query.group_by = None
    return QuerySet(queryset.model, query=query, using=queryset.db)


def _keys(column: OwnerColumn, rows: QuerySet[Any]) -> Iterable[Any]:
    rows, key = rows_of(column.column.model, rows)
    return rows.values_list(key, flat=True)


def _new_owners(moving: dict[OwnerColumn, list[Any]], using: str) -> ObjectRefs:
    """Return the owners that rows with these keys have now."""
    refs: ObjectRefs = {}
    for column, keys in moving.items():
        for start in range(0, len(keys), CHUNK):
            refs |= column.owners(column.stored(keys[start : start + CHUNK], using), using)
    return refs


def _wrap_bulk_create(original: Method) -> Method:
    @wraps(original)
    def bulk_create(self: QuerySet[Any], objs: Iterable[Any], *args: Any, **options: Any) -> Any:
        watch = bulk_writes.watches.get(self.model)
        if watch is None:
            return original(self, objs, *args, **options)
        self._for_write = True  # type: ignore[attr-defined]
        if not recording(self.db):
            return original(self, objs, *args, **options)
        objs = list(objs)  # an iterator is read once
        with write_transaction(self.db):
            creation = Creation(self, watch, objs, args, options)
            with reporting(self.model):
                creation.started()
            created = original(self, objs, *args, **options)
            with reporting(self.model):
                creation.finished()
        return created

    return bulk_create
