"""Record what changed in the shop: one INSERT in the shop's own transaction, and a wake-up after it.

Here are `mark_changed`, `attribute_order` and `muted`, and the functions that the receivers call.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.models import Model, QuerySet

from neuroon_django import clicks
from neuroon_django.conf import conf
from neuroon_django.feeds import ORDER, OrderSource, registry
from neuroon_django.feeds.keys import is_composite, keys_of, rows_of
from neuroon_django.models import Change, unseen
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, wake_after_commit
from neuroon_django.recording.watches import OwnerColumn

logger = logging.getLogger("neuroon_django")

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


def record(names: Iterable[tuple[str, Any]], *, task: str = PRODUCTS, clicked: str = "") -> None:
    """Append change rows to the shop's transaction, and wake a worker once it is committed."""
    Change.objects.append(names, clicks=clicked)
    wake_after_commit(task)


def record_all(objects: QuerySet[Any], label: str, key: str = "pk") -> None:
    """The same for every object of a queryset, in one statement."""
    Change.objects.append_all(objects, label, key)
    wake_after_commit(task_for(label))


def record_owner(pointer: OwnerColumn, instance: Model, using: str) -> None:
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
    for feed, path in registry.dependents(rows.model._meta.label_lower):
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
    feeds = [feed for feed in registry.sources_of(type(order)) if isinstance(feed, OrderSource)]
    using = Change.objects.db
    names = [(feed.topic, pk) for feed in feeds for pk in keys_of(feed.model, order, using)]
    record(names, task=ORDERS, clicked=clicks.carried(text))


def task_for(label: str) -> str:
    """Return the name of the task that works on changes recorded under this label."""
    return ORDERS if label.startswith(ORDER) else PRODUCTS
