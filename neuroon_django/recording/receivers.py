"""Receivers of the shop's signals: each appends at most a few change rows in the shop's transaction.

They are connected to exactly the models that `watches` derives from the feeds (law 10), since one
that listened to all models would turn every delete of the shop into a slow one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import (
    FieldError,
    ObjectDoesNotExist,
    SynchronousOnlyOperation,
    ValidationError,
)
from django.db import connections, router
from django.db.models import Model, QuerySet
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save

from neuroon_django import clicks
from neuroon_django.feeds.paths import Hop, same_table
from neuroon_django.recording.record import record, record_all, record_owner, recording
from neuroon_django.recording.wakeup import ORDERS
from neuroon_django.recording.watches import ObjectRefs, OwnerColumn, Watch, Watches, refs_of

logger = logging.getLogger("neuroon_django")

UID = "neuroon_django"

# What odd arguments, values or fields of the shop make a handler raise. An error of the database is
# the shop's to handle, and so is what interrupts its thread, such as Celery's SoftTimeLimitExceeded.
MISTAKES = (
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    FieldError,
    ObjectDoesNotExist,
    SynchronousOnlyOperation,
    ValidationError,
)


def receiver(handler: Callable[..., None]) -> Callable[..., None]:
    """Complete what a signal sent by hand leaves out, and keep all but database errors from the shop.

    Without an instance there is nothing to record; `using` is where the sender's rows are written.
    """

    @wraps(handler)
    def receive(
        self: Receivers,
        sender: type[Model],
        instance: Model | None = None,
        using: str | None = None,
        **arguments: Any,
    ) -> None:
        if instance is None:
            return
        try:
            handler(self, sender, instance, using or router.db_for_write(sender), **arguments)
        except MISTAKES as error:
            self.report(sender, error)

    return receive


class Receivers:
    """The connected receivers; one per project."""

    def __init__(self) -> None:
        self.watches: dict[type[Model], Watch] = {}
        self.through: dict[type[Model], dict[Hop, None]] = {}
        self.reported: set[tuple[type[Model], type[Exception]]] = set()

    def connect(self) -> None:
        """Listen to every model that a feed reads, and to no other."""
        self.disconnect()
        self.reported.clear()
        watches = Watches()
        self.watches, self.through = dict(watches.senders()), dict(watches.through)
        for model, watch in self.watches.items():
            self._connect(model, watch)
        for through in self.through:
            m2m_changed.connect(self.relation_changed, sender=through, dispatch_uid=UID)

    def disconnect(self) -> None:
        """Listen to no model."""
        for model in self.watches:
            for signal in (pre_save, post_save, pre_delete, post_delete):
                signal.disconnect(sender=model, dispatch_uid=UID)
        for through in self.through:
            m2m_changed.disconnect(sender=through, dispatch_uid=UID)

    def _connect(self, model: type[Model], watch: Watch) -> None:
        post_save.connect(self.saved, sender=model, dispatch_uid=UID)
        if watch.product_labels:
            post_delete.connect(self.deleted, sender=model, dispatch_uid=UID)
        if watch.owner_columns:
            pre_save.connect(self.save_started, sender=model, dispatch_uid=UID)
        if watch.affected_by_delete or watch.owner_columns:
            pre_delete.connect(self.delete_started, sender=model, dispatch_uid=UID)

    def report(self, sender: type[Model], error: Exception) -> None:
        """Log why a change was not recorded, once per process for each model and kind of error."""
        cause = (sender, type(error))
        if cause in self.reported:
            return
        self.reported.add(cause)
        logger.error(
            "change_not_recorded model=%s error=%s; the next scan finds it",
            sender._meta.label_lower,
            type(error).__name__,
            exc_info=error,
        )

    @receiver
    def save_started(
        self,
        sender: type[Model],
        instance: Model,
        using: str,
        raw: bool = False,
        update_fields: Any = None,
        **kwargs: Any,
    ) -> None:
        """Record the owner that a row has so far, where the save gives it another one."""
        moving = [c for c in self.watches[sender].owner_columns if c.may_change(update_fields)]
        if _is_new(instance, raw) or not moving or not recording(using):
            return
        refs: ObjectRefs = {}
        rows = _stored(sender, instance, using)
        for column in moving:
            new = column.loaded(instance)
            for old in rows.values_list(*column.columns):
                if old != new:
                    refs.update(dict.fromkeys(column.owners(old, using)))
        record(refs)

    @receiver
    def saved(
        self,
        sender: type[Model],
        instance: Model,
        using: str,
        update_fields: Any = None,
        **kwargs: Any,
    ) -> None:
        """Record the saved object and its owners; an order with the shopper's cookie as it came."""
        watch = self.watches[sender]
        unread = update_fields is not None and not watch.reads.any_of(update_fields)
        if unread or not recording(using):
            return
        record(refs_of(watch.labels, instance, using) | watch.owners_of(instance, using))
        if watch.order_labels:
            orders = refs_of(watch.order_labels, instance, using)
            record(orders, task=ORDERS, clicked=clicks.current.get())

    @receiver
    def deleted(self, sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
        """Record the deleted product, which a worker will not find any more."""
        if recording(using):
            record(refs_of(self.watches[sender].product_labels, instance, using))

    @receiver
    def delete_started(self, sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
        """Record the owners of a row, and the products that read it, while they can be found."""
        if instance.pk is None or not recording(using):
            return
        watch = self.watches[sender]
        for column in watch.owner_columns:
            record_owner(column, instance, using)
        for source, query in watch.affected_by_delete:
            dependents = source.model._base_manager.filter(**{f"{query}__pk": instance.pk})
            record_all(dependents, source.label)

    @receiver
    def relation_changed(
        self,
        sender: type[Model],
        instance: Model,
        using: str,
        action: str = "post_add",
        reverse: bool | None = None,
        pk_set: set[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Record the objects on the feed's side of links that were added, removed or cleared."""
        nothing = pk_set is not None and not pk_set
        if action not in ("post_add", "post_remove", "pre_clear") or nothing or not recording(using):
            return
        refs: ObjectRefs = {}
        for hop in self.through[sender]:
            instance_counts, linked_count = _sides(hop, instance, reverse)
            if instance_counts:
                refs |= refs_of({hop.source._meta.label_lower: hop.source}, instance, using)
            if linked_count and pk_set is None:
                linked = hop.source._base_manager.filter(**{f"{hop.query}__pk": instance.pk})
                record_all(linked, hop.source._meta.label_lower)
            elif linked_count:
                column = OwnerColumn(hop.source, hop.through_column)
                for pk in pk_set or ():
                    refs.update(dict.fromkeys(column.owners([pk], using)))
        record(refs)


def _is_new(instance: Model, raw: bool) -> bool:
    """Return whether a save will insert; a key that was set by hand may be that of a stored row."""
    pk = instance._meta.pk
    own_key = instance._state.adding and not raw and (pk.has_default() or pk.has_db_default())
    return instance.pk is None or own_key


def _stored(sender: type[Model], instance: Model, using: str) -> QuerySet[Any]:
    """Return the row as it is stored, locked where the save that began would lock it anyway."""
    # A manager of the shop's might join or sort, and PostgreSQL cannot lock what is joined.
    stored: QuerySet[Any] = QuerySet(sender, using=using).filter(pk=instance.pk).order_by()
    connection = connections[using]
    if connection.in_atomic_block and not instance._state.adding:
        no_key = connection.features.has_select_for_no_key_update
        stored = stored.select_for_update(no_key=no_key)
    return stored


def _sides(hop: Hop, instance: Model, reverse: bool | None) -> tuple[bool, bool]:
    """Return whether the instance, and whether what it is linked to, is on the feed's side."""
    if reverse is None:  # the signal was sent by hand: both sides, where they are of one table
        instance_counts = same_table(type(instance), hop.source)
        return instance_counts, not instance_counts or same_table(hop.source, hop.target)
    instance_counts = hop.field.auto_created == reverse
    return instance_counts or hop.symmetrical, not instance_counts or hop.symmetrical


receivers = Receivers()
