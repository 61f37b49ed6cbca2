"""What the shop's signals are heard by: each becomes at most one INSERT in the shop's transaction.

Receivers stand on exactly the models that `feeds.watches` derives from the feeds (law 10), since one
that listens to all would turn every delete of the shop into a slow one.
"""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.signals import (
    m2m_changed,
    post_delete,
    post_save,
    pre_delete,
    pre_save,
)

from neuroon_django import clicks
from neuroon_django.feeds.paths import Hop
from neuroon_django.recording.record import record, record_all, record_owner, recording
from neuroon_django.recording.wakeup import ORDERS
from neuroon_django.recording.watches import Name, OwnerColumn, Watch, Watches, named

UID = "neuroon_django"


class Receivers:
    """The connected receivers; one per project."""

    def __init__(self) -> None:
        self.watches: dict[type[Model], Watch] = {}
        self.through: dict[type[Model], dict[Hop, None]] = {}

    def connect(self) -> None:
        """Stand on every model that a feed reads, and on no other."""
        self.disconnect()
        watches = Watches()
        self.watches, self.through = dict(watches.senders()), dict(watches.through)
        for model, watch in self.watches.items():
            self._connect(model, watch)
        for through in self.through:
            m2m_changed.connect(self.relation_changed, sender=through, dispatch_uid=UID)

    def disconnect(self) -> None:
        for model in self.watches:
            for signal in (pre_save, post_save, pre_delete, post_delete):
                signal.disconnect(sender=model, dispatch_uid=UID)
        for through in self.through:
            m2m_changed.disconnect(sender=through, dispatch_uid=UID)

    def _connect(self, model: type[Model], watch: Watch) -> None:
        post_save.connect(self.saved, sender=model, dispatch_uid=UID)
        if watch.own:
            post_delete.connect(self.deleted, sender=model, dispatch_uid=UID)
        if watch.pointers:
            pre_save.connect(self.about_to_save, sender=model, dispatch_uid=UID)
        if watch.lost or watch.pointers:
            pre_delete.connect(self.about_to_delete, sender=model, dispatch_uid=UID)

    def about_to_save(
        self,
        sender: Any,
        instance: Model,
        raw: bool,
        using: str,
        update_fields: Any = None,
        **kwargs: Any,
    ) -> None:
        """Where a row may move to another owner, the old one is read once and recorded."""
        pointers = self.watches[sender].pointers
        moving = [p for p in pointers if not update_fields or p.stands_in(update_fields)]
        if _is_new(instance, raw) or not moving or not recording(using):
            return
        # Of no manager, since what one joins or sorts by cannot be locked.
        stored: QuerySet[Any] = QuerySet(sender, using=using).filter(pk=instance.pk).order_by()
        if connections[using].in_atomic_block and not instance._state.adding:
            # As the save itself will, so that nobody waits who would not wait for that.
            no_key = connections[using].features.has_select_for_no_key_update
            stored = stored.select_for_update(no_key=no_key)
        names: dict[Name, None] = {}
        for pointer in moving:
            for old in stored.values_list(*pointer.columns):
                if old != pointer.read(instance):
                    names.update(dict.fromkeys(pointer.names(old, using)))
        if names:
            record(names)

    def saved(
        self, sender: Any, instance: Model, using: str, update_fields: Any = None, **kwargs: Any
    ) -> None:
        """One INSERT that names the object; for an order, with the shopper's cookie as it came."""
        watch = self.watches[sender]
        unread = update_fields is not None and not watch.reads.any_of(update_fields)
        if unread or not recording(using):
            return
        if names := named(watch.topics, instance, using) | watch.owners(instance, using):
            record(names)
        if watch.orders and (orders := named(watch.orders, instance, using)):
            record(orders, task=ORDERS, clicked=clicks.current.get())

    def deleted(self, sender: Any, instance: Model, using: str, **kwargs: Any) -> None:
        """The object is gone: a worker will find that it is."""
        if recording(using) and (names := named(self.watches[sender].own, instance, using)):
            record(names)

    def about_to_delete(self, sender: Any, instance: Model, using: str, **kwargs: Any) -> None:
        """What it points to, and what hangs on it, are written down while they can be found."""
        if not recording(using):
            return
        watch = self.watches[sender]
        for pointer in watch.pointers:
            record_owner(pointer, instance, using)
        for feed, query in watch.lost:
            hanging = feed.model._base_manager.filter(**{f"{query}__pk": instance.pk})
            record_all(hanging, feed.label)

    def relation_changed(
        self,
        sender: Any,
        instance: Model,
        action: str,
        reverse: bool,
        pk_set: set[Any] | None,
        using: str,
        **kwargs: Any,
    ) -> None:
        """Added, removed or cleared, from either side: those on the feed's side are recorded."""
        if action not in ("post_add", "post_remove", "pre_clear") or pk_set == set():
            return
        if not recording(using):
            return
        names: dict[Name, None] = {}
        for hop in self.through[sender]:
            label = hop.source._meta.label_lower
            mine, both = hop.field.auto_created == reverse, hop.symmetrical
            if mine or both:
                names.update(named({label: hop.source}, instance, using))
            if pk_set is None and (both or not mine):
                linked = hop.source._base_manager.filter(**{f"{hop.query}__pk": instance.pk})
                record_all(linked, label)
            elif both or not mine:
                pointer = OwnerColumn(hop.source, hop.through_column)
                names.update((name, None) for pk in pk_set or () for name in pointer.names([pk], using))
        if names:
            record(names)


def _is_new(instance: Model, raw: bool) -> bool:
    """Whether a save will insert; a key that was set by hand may be that of a row there is."""
    pk = instance._meta.pk
    own_key = instance._state.adding and not raw and (pk.has_default() or pk.has_db_default())
    return instance.pk is None or own_key


receivers = Receivers()
