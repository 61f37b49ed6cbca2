"""Record what changed in the shop: one INSERT in the shop's own transaction, and a wake-up after it.

Here are `mark_changed` and `muted`, and the functions by which the receivers write change rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from django.db import connections, transaction
from django.db.models import Model, QuerySet

from neuroon_django.conf import conf
from neuroon_django.feeds import ORDER, registry
from neuroon_django.feeds.keys import is_composite, keys_of, rows_of
from neuroon_django.models import Change, unseen
from neuroon_django.recording.owners import ObjectRef
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, wake_after_commit
from neuroon_django.recording.watches import Watch

_muted: ContextVar[bool] = ContextVar("neuroon_muted", default=False)


@contextmanager
def muted() -> Iterator[None]:
    """Record nothing in this thread and task: for imports, followed by `mark_changed` or a scan."""
    token = _muted.set(True)
    try:
        yield
    finally:
        _muted.reset(token)


def recording(using: str = "") -> bool:
    """Return whether changes made here and now, in that database, are recorded."""
    if not conf.ENABLED:
        unseen.set()
        return False
    return not _muted.get() and (not using or using == Change.objects.db)


def write_transaction(using: str) -> AbstractContextManager[Any]:
    """Return a transaction for a write and its change rows, where the shop has not opened one.

    Inside one of the shop's nothing is opened: a block of ours would mark it for rollback after errors
    that leave it as it is.
    """
    connection = connections[using]
    if connection.in_atomic_block or not connection.get_autocommit():
        return nullcontext()
    return transaction.atomic(using)


def record(refs: Collection[ObjectRef], *, clicked: str = "", shop: str = "") -> None:
    """Append change rows to the shop's transaction, and wake a worker once it is committed.

    `shop` is the fingerprint of the shop in whose pages an order's products were clicked.
    """
    if refs:
        Change.objects.append(refs, clicks=clicked, shop=shop if clicked else "")
        for task in {_task_for(label) for label, _ in refs}:
            wake_after_commit(task)


def record_all(objects: QuerySet[Any], label: str, key: str = "pk") -> None:
    """Append a change row for every object of a queryset, by the column that holds its key."""
    Change.objects.append_all(objects, label, key)
    wake_after_commit(_task_for(label))


def record_labels(watch: Watch, rows: QuerySet[Any]) -> None:
    """Append change rows for a queryset's rows under each label that they are recorded under."""
    for label, model in (watch.labels | watch.order_labels).items():
        objects, key = rows_of(model, rows)
        record_all(objects, label, key)


def record_rows(watch: Watch, rows: QuerySet[Any]) -> None:
    """Append change rows for a queryset's rows as they are stored, and for what they point to."""
    record_labels(watch, rows)
    for column in watch.owner_columns:
        objects, key = column.owners_in(rows_of(column.column.model, rows)[0])
        record_all(objects, column.label, key)
    for dependents in watch.orders_of:
        record_all(dependents.of(rows.values("pk"), rows.db), dependents.source.topic)


def mark_changed(what: Model | Iterable[Model] | QuerySet[Any]) -> None:
    """Record that products, orders, or objects that products read, have changed.

    A queryset costs one statement, whatever its size; use it after `update()` and `bulk_create`.
    """
    if not recording():
        return
    if isinstance(what, QuerySet):
        _mark_rows(what)
    else:
        _mark_objects([what] if isinstance(what, Model) else what)


def _mark_rows(rows: QuerySet[Any]) -> None:
    for label, model in registry.topics_of(rows.model).items():
        objects, key = rows_of(model, rows)
        record_all(objects, label, key)
    if is_composite(rows.model):
        _mark_dependents(rows)


def _mark_objects(objects: Iterable[Model]) -> None:
    refs: defaultdict[str, list[ObjectRef]] = defaultdict(list)
    for instance in objects:
        model = instance._meta.model  # the type of a lazy object is another
        if is_composite(model):
            _mark_dependents(model._base_manager.filter(pk=instance.pk))
        for label, labelled in registry.topics_of(model).items():
            keys = keys_of(labelled, instance, Change.objects.db)
            refs[label] += [(label, key) for key in keys if key is not None]
    for labelled_refs in refs.values():
        record(labelled_refs)


def _mark_dependents(rows: QuerySet[Any]) -> None:
    """Record the products that read these rows, whose own keys a change row has no room for."""
    for source, path in registry.dependents(rows.model._meta.label_lower):
        dependents = source.model._base_manager.filter(**{f"{path.query}__in": rows})
        record_all(dependents, source.label)


def _task_for(label: str) -> str:
    """Return the name of the task that works on changes recorded under this label."""
    return ORDERS if label.startswith(ORDER) else PRODUCTS
