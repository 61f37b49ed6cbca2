"""Deletes: what a cascade takes with it is collected row by row and recorded set by set (law 1).

Django sends `pre_delete` for each row of a cascade before its first statement, and no signal says
which one is the last. So the rows are kept until the connection is about to change something, which
is the delete itself: then the owners and dependents of all of them are read, a constant number of
statements per table, and recorded in front of it, in the delete's own transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connections
from django.db.models import Model
from django.db.transaction import Atomic

from neuroon_django.feeds.registry import registry
from neuroon_django.models.change import CHUNK
from neuroon_django.recording.mistakes import reporting
from neuroon_django.recording.owners import ObjectRef, ObjectRefs
from neuroon_django.recording.record import record, record_all
from neuroon_django.recording.watches import Watch

# Statements that leave the rows of a cascade and what they point to as they are. One that mentions
# UPDATE may be an upsert.
HARMLESS = ("SELECT", "INSERT", "SAVEPOINT", "RELEASE", "ROLLBACK")


class Cascade:
    """What one delete takes with it: rows that were announced, and what is recorded of them."""

    def __init__(self) -> None:
        self.rows: defaultdict[type[Model], list[Model]] = defaultdict(list)
        self.watches: dict[type[Model], Watch] = {}
        self.announced: set[ObjectRef] = set()
        self.refs: ObjectRefs = {}  # found, and not recorded yet
        self.recorded: ObjectRefs = {}

    def add(self, model: type[Model], watch: Watch, row: Model) -> None:
        """Keep a row until the delete's first statement."""
        self.rows[model].append(row)
        self.watches[model] = watch

    @property
    def is_pending(self) -> bool:
        """Return whether anything is left to record."""
        return bool(self.rows or self.refs)

    def read(self, using: str) -> None:
        """Find what the rows point to and what reads them, as it is stored now."""
        rows = dict(self.rows)
        self.rows.clear()
        for model, instances in rows.items():
            with reporting(model):
                for start in range(0, len(instances), CHUNK):
                    chunk = instances[start : start + CHUNK]
                    self.refs |= _affected(self.watches[model], chunk, using)

    def write(self) -> None:
        """Record what was found, each object once.

        A row that is no product and goes as well needs no record: what it points to has one.
        """
        gone = {ref for ref in self.announced if ref[0] not in registry.feeds}
        refs = {ref: None for ref in self.refs if ref not in self.recorded and ref not in gone}
        self.refs = {}
        self.recorded |= refs
        record(refs)


def _affected(watch: Watch, rows: list[Model], using: str) -> ObjectRefs:
    """Return what a delete of these rows changes, those that read them included."""
    refs = watch.deleted(rows, using)
    for dependents in watch.affected_by_delete:
        pks = dependents.of_rows(rows, using).order_by().values_list("pk", flat=True).distinct()
        refs |= {(dependents.source.topic, pk): None for pk in pks}
    return refs


class Cascades:
    """The deletes at work on one connection, by the atomic block that each of them opened.

    It is one of the connection's `execute_wrappers`, the outermost, as long as something is pending.
    A block that ended without a statement was rolled back, and what was kept for it with it.
    """

    def __init__(self) -> None:
        self.by_block: WeakKeyDictionary[Atomic, Cascade] = WeakKeyDictionary()

    def __call__(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        """Record what is pending before a statement that may destroy it; Django calls this."""
        connection = context["connection"]
        live = {
            block: cascade
            for block, cascade in self.by_block.items()
            if cascade.is_pending and block in connection.atomic_blocks
        }
        if not live or _may_destroy(sql):
            with suppress(ValueError):  # another has cleared the list
                connection.execute_wrappers.remove(self)  # what follows makes statements itself
            self._record(connection, live)
        return execute(sql, params, many, context)

    def _record(self, connection: Any, live: dict[Atomic, Cascade]) -> None:
        """Read what all deletes take with them, and record what the innermost block's one does.

        An inner block may be rolled back while the delete around it goes on, which records its own
        in front of its own statements.
        """
        for block, cascade in live.items():
            cascade.read(connection.alias)
            if block is connection.atomic_blocks[-1]:
                cascade.write()
        if any(cascade.is_pending for cascade in live.values()):
            self.listen(connection)

    def listen(self, connection: Any) -> None:
        """Come before the connection's next statements.

        In front of all others, who take theirs off the list's end.
        """
        if self not in connection.execute_wrappers:
            connection.execute_wrappers.insert(0, self)


def _may_destroy(sql: Any) -> bool:
    """Return whether a statement may change rows that are there; one in no plain text may."""
    if not isinstance(sql, str):
        return True
    text = sql.lstrip().upper()
    return not text.startswith(HARMLESS) or "UPDATE" in text


def _cascades(connection: Any) -> Cascades:
    """Return the deletes of a connection, which is a thread's own."""
    cascades: Cascades = vars(connection).setdefault("neuroon_cascades", Cascades())
    return cascades


def delete_started(model: type[Model], watch: Watch, instance: Model, using: str, origin: Any) -> None:
    """Record what a row takes with it: at once for the row whose `delete()` it is, later for others.

    A signal that was sent by hand names no origin, and no statement need follow it.
    """
    connection = connections[using]
    blocks = connection.atomic_blocks
    cascades = _cascades(connection)
    cascade = cascades.by_block.setdefault(blocks[-1], Cascade()) if blocks else Cascade()
    cascade.announced.add((model._meta.label_lower, instance.pk))
    if blocks and origin is not None and origin is not instance:
        cascade.add(model, watch, instance)
        cascades.listen(connection)
        return
    refs = watch.deleted([instance], using)
    record(refs)
    cascade.recorded |= refs
    for dependents in watch.affected_by_delete:
        record_all(dependents.of_rows([instance], using), dependents.source.topic)


def was_announced(model: type[Model], instance: Model, using: str) -> bool:
    """Return whether `delete_started` saw a row in the atomic block that is open now."""
    connection = connections[using]
    blocks = connection.atomic_blocks
    cascade = _cascades(connection).by_block.get(blocks[-1]) if blocks else None
    return cascade is not None and (model._meta.label_lower, instance.pk) in cascade.announced
