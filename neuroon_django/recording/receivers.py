"""Receivers of the shop's signals: each appends at most a few change rows in the shop's transaction.

They are connected to exactly the models that `watches` derives from the feeds (law 10), since one
that listened to all models would turn every delete of the shop into a slow one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import connections, router
from django.db.models import Model, QuerySet
from django.db.models.signals import m2m_changed, post_save, pre_save

from neuroon_django import clicks
from neuroon_django.feeds.paths import Hop, same_table
from neuroon_django.recording import mistakes
from neuroon_django.recording.bulk import bulk_writes
from neuroon_django.recording.deletes import deletes
from neuroon_django.recording.owners import ObjectRefs, OwnerColumn
from neuroon_django.recording.record import record, record_all, recording
from neuroon_django.recording.watches import Watch, Watches, refs_of

UID = "neuroon_django"


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
        with mistakes.reporting(sender):
            handler(self, sender, instance, using or router.db_for_write(sender), **arguments)

    return receive


class Receivers:
    """The connected receivers; one per project."""

    def __init__(self) -> None:
        self.watches: dict[type[Model], Watch] = {}
        self.through: dict[type[Model], dict[Hop, None]] = {}

    def connect(self) -> None:
        """Listen to every model that a feed reads, and to no other."""
        self.disconnect()
        mistakes.forget()
        watches = Watches()
        written = dict(watches.all())
        # Django sends nothing for the rows of a link table of its own but `m2m_changed`.
        self.watches = {m: watch for m, watch in written.items() if not m._meta.auto_created}
        self.through = dict(watches.through)
        for model, watch in self.watches.items():
            self._connect(model, watch)
        for through in self.through:
            m2m_changed.connect(self.relation_changed, sender=through, dispatch_uid=UID)
        deletes.listen(self.watches)
        bulk_writes.listen(written)

    def disconnect(self) -> None:
        """Listen to no model."""
        deletes.listen({})
        bulk_writes.listen({})
        for model in self.watches:
            for signal in (pre_save, post_save):
                signal.disconnect(sender=model, dispatch_uid=UID)
        for through in self.through:
            m2m_changed.disconnect(sender=through, dispatch_uid=UID)

    def _connect(self, model: type[Model], watch: Watch) -> None:
        post_save.connect(self.saved, sender=model, dispatch_uid=UID)
        if watch.owner_columns:
            pre_save.connect(self.save_started, sender=model, dispatch_uid=UID)

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
        columns = self.watches[sender].owner_columns
        moving = [column for column in columns if column.may_change(sender, update_fields)]
        if _is_new(instance, raw) or not moving or not recording(using):
            return
        refs: ObjectRefs = {}
        rows = _stored(sender, instance, using)
        for column in moving:
            new = column.loaded(instance)
            old = [values for values in rows.values_list(*column.columns) if values != new]
            refs |= column.owners(old, using)
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
        if watch.is_ignored(update_fields) or not recording(using):
            return
        record(watch.saved([instance], using))
        for dependents in watch.orders_of:
            record_all(dependents.of_rows([instance], using), dependents.source.topic)
        if watch.order_labels:
            orders = refs_of(watch.order_labels, [instance], using)
            record(orders, clicked=clicks.to_record(), shop=clicks.current_shop.get())

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
                refs |= refs_of({hop.source._meta.label_lower: hop.source}, [instance], using)
            if linked_count and pk_set is None:
                linked = hop.source._base_manager.filter(**{f"{hop.query}__pk": instance.pk})
                record_all(linked, hop.source._meta.label_lower)
            elif linked_count:
                label = hop.source._meta.label_lower
                column = OwnerColumn(label, hop.source, hop.through_column)
                refs |= column.owners([(pk,) for pk in pk_set or ()], using)
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
