"""Recording changes, from the shop's side: `mark_changed`, `attribute_order`, `muted`, the wake-up.

What happens in the shop's thread ends here: one INSERT in its own transaction and, after commit, a
flag. A thread of its own turns flags into at most one Celery message per `NEUROON_DEBOUNCE`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeAlias

from celery import Task, current_app
from django.db import transaction
from django.db.models import Model, QuerySet

from neuroon_django import clicks
from neuroon_django.conf import conf
from neuroon_django.feeds import ORDER, OrderFeed, registry
from neuroon_django.feeds.keys import is_composite, keys_of, rows_of
from neuroon_django.feeds.watches import Pointer
from neuroon_django.models import Change
from neuroon_django.sync import unseen
from neuroon_django.tasks import flush_conversions, flush_products, wake

logger = logging.getLogger("neuroon_django")

AnyTask: TypeAlias = "Task[Any, Any]"

COOLDOWN = 30.0  # seconds between wake-ups that fail

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
    """Whether changes are recorded here and now; those of another database are not Neuroon's."""
    if not conf.ENABLED:
        unseen.set()
        return False
    return not _muted.get() and (not using or using == Change.objects.db)


def record(
    names: Iterable[tuple[str, Any]], *, task: AnyTask = flush_products, clicked: str = ""
) -> None:
    """Append change rows to the shop's transaction, and wake a worker once it is committed."""
    Change.objects.append(names, clicks=clicked)
    wake_after_commit(task)


def record_all(objects: QuerySet[Any], label: str, key: str = "pk") -> None:
    """The same for every object of a queryset, in one statement."""
    Change.objects.append_all(objects, label, key)
    wake_after_commit(task_for(label))


def record_owner(pointer: Pointer, instance: Model, using: str) -> None:
    """The same for what a row points to, whatever stands in memory: it may hold less, or another."""
    label, column = pointer.owner._meta.label_lower, pointer.column
    for key in keys_of(column.model, instance, using):
        if pointer.by_key and not is_composite(column.model):
            Change.objects.append_owner(label, column, key, **pointer.kind)
        else:
            stored = column.model._base_manager.filter(pk=key).exclude(**{column.attname: None})
            Change.objects.append_all(
                stored, label, column.attname if pointer.by_key else f"{column.name}__pk"
            )
    wake_after_commit(task_for(label))


def mark_changed(what: Model | Iterable[Model] | QuerySet[Any]) -> None:
    """Look at it again: a product, an order, or anything that products hang on.

    A queryset costs one statement, whatever its size; use it after `update()` and `bulk_create`.
    """
    if not recording():
        return
    if isinstance(what, QuerySet):
        for label, model in registry.topics_of(what.model).items():
            rows, key = rows_of(model, what)
            record_all(rows, label, key)
        if is_composite(what.model):
            _mark_hanging(what)
        return
    named: defaultdict[str, list[Any]] = defaultdict(list)
    for thing in [what] if isinstance(what, Model) else what:
        if is_composite(type(thing)):
            _mark_hanging(type(thing)._base_manager.filter(pk=thing.pk))
        for label, model in registry.topics_of(type(thing)).items():
            named[label].extend(keys_of(model, thing, Change.objects.db))
    for label, pks in named.items():
        record([(label, pk) for pk in pks if pk is not None], task=task_for(label))


def _mark_hanging(rows: QuerySet[Any]) -> None:
    """Where no change row can name them, the products that hang on them are named."""
    for feed, path in registry.hanging(rows.model._meta.label_lower):
        hanging = feed.model._base_manager.filter(**{f"{path.query}__in": rows})
        record_all(hanging, feed.label)


def attribute_order(order: Model, clicked: Any) -> None:
    """Tie a shopper's clicks to an order: a request, the cookie's text, or a mapping.

    For checkouts whose requests the middleware does not see, such as a browser-rendered shop that
    posts the cookie's text (`API.md`, "Conversions"). The order must have been saved.
    """
    if not recording():
        return
    if order.pk is None:
        logger.warning("clicks_without_order: attribute_order() was given an order that is not saved")
        return
    cookies = getattr(clicked, "COOKIES", None)
    if cookies is not None:
        clicked = cookies.get(clicks.COOKIE_NAME, "")
    text = clicks.dump(clicked) if isinstance(clicked, Mapping) else str(clicked or "")
    feeds = [feed for feed in registry.feeds_of(type(order)) if isinstance(feed, OrderFeed)]
    using = Change.objects.db
    names = [(feed.topic, pk) for feed in feeds for pk in keys_of(feed.model, order, using)]
    record(names, task=flush_conversions, clicked=clicks.carried(text))


def task_for(label: str) -> AnyTask:
    """The task that works on changes recorded under this label."""
    return flush_conversions if label.startswith(ORDER) else flush_products


def wake_after_commit(task: AnyTask) -> None:
    """Flag the publisher once the shop's transaction is committed; it asks whether to wake anybody.

    One hook in a transaction, outside its savepoints: each time one is rolled back, Django goes
    through all hooks. Where the shop commits by hand there is none to hang on; beat finds the rows.
    """
    connection: Any = transaction.get_connection(Change.objects.db)
    if not conf.AUTO_SYNC:
        return
    if not connection.in_atomic_block:
        if connection.get_autocommit():
            publisher.notify(task)
        return
    # The list of hooks that each task's is in; Django makes a new list whenever it takes any out.
    hooks, hooked = connection.run_on_commit, vars(connection).setdefault("neuroon_hooked", {})
    if hooked.get(id(task)) is not hooks:
        notify = _notify(task)
        if all(hook is not notify for _, hook, _ in hooks):
            hooks.append((set(), notify, True))
        hooked[id(task)] = hooks


@cache
def _notify(task: AnyTask) -> Callable[[], None]:
    return lambda: publisher.notify(task)


def _has_workers() -> bool:
    """Whether Celery has a broker and does not run tasks in the caller's thread."""
    config = current_app.conf
    return bool(config.broker_url or config.broker_write_url) and not config.task_always_eager


class Publisher:
    """Turns flags into wake-up messages, in a daemon thread of its own, anew in every fork."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._flag = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wanted: dict[AnyTask, None] = {}
        self._quiet_until = 0.0

    def notify(self, task: AnyTask) -> None:
        """What the shop's thread does after commit: nothing that can wait or fail."""
        self._wanted[task] = None
        self._flag.set()
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            self._thread = threading.Thread(target=self._work, daemon=True, name="neuroon-wake")
            try:
                self._thread.start()
            except RuntimeError:  # the process is ending; the rows are there, beat finds them
                self._thread = None

    def _work(self) -> None:
        while True:
            self._flag.wait()
            time.sleep(max(conf.DEBOUNCE, self._quiet_until - time.monotonic()))
            self._flag.clear()
            # Taken out one by one: what is flagged meanwhile is either among them or still there.
            self._publish([self._wanted.popitem()[0] for _ in range(len(self._wanted))])

    def _publish(self, tasks: list[AnyTask]) -> None:
        """Over a connection of its own: a pool would be shared with forks and with the shop."""
        try:
            if not (tasks and conf.can_send and _has_workers()):
                return
            with current_app.connection_for_write() as connection:
                for task in tasks:
                    wake(task, connection=connection)
        except Exception as error:
            self._quiet_until = time.monotonic() + COOLDOWN
            logger.warning(
                "wake_up_failed error=%s: %s; the next beat or neuroon_sync delivers",
                type(error).__name__,
                error,
            )


publisher = Publisher()
