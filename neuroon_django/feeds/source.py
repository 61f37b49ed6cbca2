"""A feed bound to its model and one shop: where its objects are read, and how its entries are asked.

`rendering.ProductSource` and `reporting.OrderSource` say what becomes of them. Recording asks the
same sources whose changes concern the feed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from django.db import (
    DatabaseError,
    DataError,
    InterfaceError,
    OperationalError,
    router,
    transaction,
)
from django.db.models import Model, QuerySet

from neuroon_django.api import messages
from neuroon_django.exceptions import InvalidValue
from neuroon_django.feeds.context import payload_context
from neuroon_django.feeds.declarations import Feed
from neuroon_django.feeds.keys import MAX_KEY, pks_of
from neuroon_django.feeds.lookups import Entry
from neuroon_django.feeds.paths import Path, paths
from neuroon_django.feeds.prefetching import django_lookups, is_ordinary, prefetch

if TYPE_CHECKING:
    from neuroon_django.conf import ShopConfig

logger = logging.getLogger("neuroon_django")

M = TypeVar("M", bound=Model)

# Errors of the database's connection and of Celery: neither the shop's code nor its object is wrong.
NOT_THE_SHOPS = (OperationalError, InterfaceError, SoftTimeLimitExceeded)


@dataclass(frozen=True, slots=True)
class Invalid:
    """An object that cannot be put on the wire: the reason, and an order's id as far as known."""

    reason: str
    order_id: str = ""


def _own_prefetches(queryset: QuerySet[Any]) -> list[str]:
    """Return the lookups that a queryset prefetches by itself."""
    lookups = queryset._prefetch_related_lookups  # type: ignore[attr-defined]
    return [getattr(lookup, "prefetch_to", lookup) for lookup in lookups]


def format_error(error: Exception) -> str:
    """Return an error as a reason for people: a ValueError by its text alone."""
    return str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"


class Source(Generic[M]):
    """A feed bound to its model and one shop; `label` is the model's, as rows and changes name it."""

    entries: ClassVar[tuple[str, ...]] = ()

    def __init__(self, feed: type[Feed[M]], model: type[M], shop: ShopConfig) -> None:
        self.feed = feed.__new__(feed)
        # Not by `setattr`: a property of the shop's by one of these names is for a check to report.
        vars(self.feed).update(model=model, shop=shop)
        type(self.feed).__init__(self.feed)  # where the shop has one, it may read both
        self.model = model
        self.shop = shop
        self.label = model._meta.label_lower

    @property
    def name(self) -> str:
        """Return the name of the feed's class, as checks and logs show it."""
        return type(self.feed).__name__

    @property
    def topic(self) -> str:
        """Return the name under which changes of its objects are recorded."""
        return self.label

    @property
    def db_alias(self) -> str:
        """Return the database that the shop writes these objects to."""
        return router.db_for_write(self.model)

    def overrides(self, name: str) -> bool:
        """Return whether the shop's feed has its own method of that name."""
        base: Any = next(cls for cls in type(self.feed).__mro__ if cls.__module__ == Feed.__module__)
        return getattr(type(self.feed), name) is not getattr(base, name)

    # What it reads

    @cached_property
    def compiled(self) -> dict[str, Entry]:
        """Return the entries in use by name, compiled."""
        used = [name for name in self.entries if getattr(self.feed, name, None) is not None]
        return {name: Entry(self.feed, name) for name in used}

    @cached_property
    def paths(self) -> list[Path]:
        """Return the relations that lookups and `depends_on` pass through."""
        lookups = [entry.path for entry in self.compiled.values() if entry.kind == "lookup"]
        return paths(self.model, lookups, list(self.feed.depends_on))

    # Its objects

    def live_queryset(self) -> QuerySet[M]:
        """Return `get_queryset()`, read where the shop writes: a replica may lag behind a change.

        It is called inside `payload_context`, and what it returns is read there.
        """
        return self.feed.get_queryset().using(self.db_alias)

    def keys_after(self, after: str, limit: int) -> list[Any]:
        """Return up to `limit` keys in order, after the one whose text is `after`, if it is one."""
        with payload_context(self.shop):
            queryset = self.after_cursor(self.live_queryset(), after)
            return list(dict.fromkeys(queryset.values_list("pk", flat=True)[:limit]))

    def existing(self, texts: Iterable[str]) -> set[str]:
        """Return those of some primary keys, as text, whose objects exist for Neuroon."""
        with payload_context(self.shop):
            found = self.live_queryset().filter(pk__in=list(self.pks(texts).values()))
            return set(map(str, found.values_list("pk", flat=True)))

    def count(self) -> int:
        """Return how many objects exist for Neuroon."""
        with payload_context(self.shop):
            return self.live_queryset().count()

    def with_relations(self) -> QuerySet[M]:
        """Return the live queryset with everything joined or prefetched that Django itself reads."""
        queryset = self.live_queryset()
        joined = [path.query for path in self.paths if path.to_one]
        queryset = queryset.select_related(*joined) if joined else queryset
        own = _own_prefetches(queryset)
        chains = [path.hops for path in self.paths if not path.to_one and not is_ordinary(path, own)]
        lookups = django_lookups(chains, self._routed_alias, own)
        return queryset.prefetch_related(*lookups) if lookups else queryset

    @property
    def _routed_alias(self) -> str | None:
        """Return the database that relations are read from, None where no router may choose another."""
        return self.db_alias if router.routers else None

    def _read(self, pks: list[Any]) -> list[M]:
        """Return the objects of these keys with their relations."""
        queryset = self.with_relations().filter(pk__in=pks)
        objects, own = list(queryset), _own_prefetches(queryset)
        ordinary = [path for path in self.paths if is_ordinary(path, own)]
        prefetch(objects, ordinary, self._routed_alias)
        return objects

    def load(self, pks: Iterable[Any]) -> dict[str, M | Invalid]:
        """Return objects by primary key as text, with their relations, in constant queries.

        One that cannot be read (a stored value that its field refuses, say) keeps no other from
        being read: the reason stands in its place.
        """
        wanted = list(pks)
        if not wanted:
            return {}
        try:
            return {str(found.pk): found for found in self._read(wanted)}
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            if isinstance(error, DatabaseError | InterfaceError) and not isinstance(error, DataError):
                raise  # the database's trouble, such as a migration that is not there yet
            if len(wanted) == 1:
                reason = f"cannot be read: {messages.text_of(format_error(error))}"
                return {str(wanted[0]): Invalid(reason)}
        middle = len(wanted) // 2
        return self.load(wanted[:middle]) | self.load(wanted[middle:])

    def check_readable(self, pks: list[Any]) -> None:
        """Raise what the feed's queryset raises for no object at all: it is no object's fault.

        `pks` are any keys.
        """
        with transaction.atomic(self.db_alias):
            list(self.with_relations().filter(pk__in=pks).exclude(pk__in=pks))

    # Its entries

    def value(self, name: str, instance: M) -> Any:
        """Return what an entry says of an object, None where the feed has no such entry."""
        entry = self.compiled.get(name)
        return None if entry is None else self.call_shop_code(name, entry.get, instance)

    def call_shop_code(self, what: str, code: Callable[[Any], Any], subject: Any) -> Any:
        """Run the shop's code on an object, or ours on a value of it; what is raised is a reason."""
        try:
            return code(subject)
        except NOT_THE_SHOPS:
            raise
        except Exception as error:
            reason = f"{what.replace('_', ' ')}: {messages.text_of(format_error(error))}"
        raise InvalidValue(reason.encode(errors="backslashreplace").decode())

    # Its keys

    def pks(self, texts: Iterable[str]) -> dict[str, Any]:
        """Return primary keys by their text, of those that are one and that our rows can hold."""
        keys = pks_of(self.model, texts)
        if all(len(text) <= MAX_KEY for text in keys):
            return keys
        logger.error("key_too_long model=%s most=%d: see manage.py check", self.label, MAX_KEY)
        return {text: key for text, key in keys.items() if len(text) <= MAX_KEY}

    def after_cursor(self, queryset: QuerySet[M], after: str) -> QuerySet[M]:
        """Return a queryset in the order of keys, after the key whose text is `after` if it is one."""
        ordered = queryset.order_by("pk")
        last = next(iter(pks_of(self.model, [after]).values()), None) if after else None
        return ordered if last is None else ordered.filter(pk__gt=last)

    def encode_cursor(self, pk: Any) -> str:
        """Return a key's text for `after_cursor`, "" where the text could not be read again."""
        return str(pk) if pks_of(self.model, [str(pk)]) else ""
