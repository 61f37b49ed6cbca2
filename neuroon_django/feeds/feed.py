"""What both kinds of feed share: a model, its queryset, compiled entries and the paths they pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

from django.db import DatabaseError, DataError, InterfaceError, OperationalError, router
from django.db.models import Model, Prefetch, QuerySet
from django.utils import timezone, translation

from neuroon_django.api import messages
from neuroon_django.conf import conf
from neuroon_django.exceptions import InvalidProduct
from neuroon_django.feeds.entries import Entry
from neuroon_django.feeds.keys import pks_of
from neuroon_django.feeds.paths import (
    ANYTHING,
    Path,
    Reads,
    hides_rows,
    hop,
    ignored,
    is_stored,
    paths,
    spellings,
)

M = TypeVar("M", bound=Model)


@contextmanager
def payload_context() -> Iterator[None]:
    """The language and time zone that payloads are built in, whoever saved the product (law 12)."""
    with translation.override(conf.LANGUAGE), timezone.override(timezone.get_default_timezone()):
        yield


def format_error(error: Exception) -> str:
    """What was raised, for people; a ValueError is taken to be written for them."""
    return str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"


class Feed(Generic[M]):
    """What both feeds share: a model, its queryset, and entries that say where values come from.

    An entry is a lookup (a string: attribute, callable, annotation, or a path over relations), a
    method, or a constant (`Value(…)`, or anything that is not a string).
    """

    entries: ClassVar[tuple[str, ...]] = ()
    depends_on: ClassVar[list[str]] = []
    ignores: ClassVar[list[str]] = []

    def __init__(self, model: type[M]) -> None:
        self.model = model
        self.label = model._meta.label_lower

    def get_queryset(self) -> QuerySet[M]:
        """The objects that exist for Neuroon; the model's default manager's unless overridden."""
        return self.model._default_manager.all()

    @property
    def topic(self) -> str:
        """What changes of its objects are recorded under."""
        return self.label

    @property
    def home(self) -> str:
        """The database that the shop writes these objects to."""
        return router.db_for_write(self.model)

    def present(self) -> QuerySet[M]:
        """`get_queryset()`, read where the shop writes: a replica may lag behind a change."""
        return self.get_queryset().using(self.home)

    @cached_property
    def plan(self) -> dict[str, Entry]:
        """The entries in use, compiled."""
        used = [name for name in self.entries if getattr(self, name, None) is not None]
        return {name: Entry(self, name) for name in used}

    @cached_property
    def paths(self) -> list[Path]:
        """The relations that lookups and `depends_on` pass through."""
        lookups = [entry.path for entry in self.plan.values() if entry.kind == "lookup"]
        chosen = self._chosen_by_the_shop()
        return paths(self.model, lookups, list(self.depends_on), list(self.ignores), chosen)

    def _chosen_by_the_shop(self) -> set[str]:
        """The relations of which the shop's own `Prefetch` takes only some rows."""
        try:
            own = self.get_queryset()._prefetch_related_lookups  # type: ignore[attr-defined]
        except Exception:  # a check tells
            return set()
        return {o.prefetch_through for o in own if getattr(o, "queryset", None) is not None}

    def value(self, name: str, instance: M) -> Any:
        """What an entry says of an object, None where the feed has no such entry."""
        entry = self.plan.get(name)
        return None if entry is None else self.ask(name, entry.get, instance)

    def ask(self, what: str, code: Callable[[Any], Any], subject: Any) -> Any:
        """Run the shop's code on an object, or ours on a value of it; what is raised is a reason."""
        if isinstance(subject, InvalidProduct):  # could not even be loaded
            raise subject
        try:
            return code(subject)
        except (OperationalError, InterfaceError):
            raise  # the database's trouble, not the object's
        except Exception as error:
            reason = f"{what.replace('_', ' ')}: {messages.text_of(format_error(error))}"
        raise InvalidProduct(reason.encode(errors="backslashreplace").decode())

    def load(self, pks: Iterable[Any]) -> dict[str, M]:
        """Objects by primary key as text, with all their relations, in a fixed number of queries.

        One that cannot be read (a stored value that its field refuses, say) holds no other up: the
        reason stands in its place, and is what its entries say.
        """
        wanted = list(pks)
        if not wanted:
            return {}
        try:
            return {str(instance.pk): instance for instance in self.related().filter(pk__in=wanted)}
        except Exception as error:
            if isinstance(error, DatabaseError | InterfaceError) and not isinstance(error, DataError):
                raise  # the database's trouble, such as a migration that is not there yet
            if len(wanted) == 1:
                reason: Any = InvalidProduct(f"cannot be read: {messages.text_of(format_error(error))}")
                return {str(wanted[0]): reason}
        middle = len(wanted) // 2
        return self.load(wanted[:middle]) | self.load(wanted[middle:])

    def related(self) -> QuerySet[M]:
        """`get_queryset()` with everything the feed reads joined or prefetched."""
        queryset = self.present()
        joined = [path.query for path in self.paths if path.to_one]
        queryset = queryset.select_related(*joined) if joined else queryset
        own = [getattr(o, "prefetch_to", o) for o in queryset._prefetch_related_lookups]  # type: ignore[attr-defined]
        fetched = self._fetched(own)
        return queryset.prefetch_related(*fetched) if fetched else queryset

    def _fetched(self, own: list[str]) -> list[Any]:
        """The prefetches beside the shop's own; where it has routers, bound to the same database."""
        many = [path for path in self.paths if not path.to_one]
        if not router.routers:
            return [path.attr for path in many]
        lookups: dict[str, Prefetch[Any]] = {}
        for path in many:
            for end in range(len(path.hops)):
                attr = "__".join(hop.attr for hop in path.hops[: end + 1])
                step = path.hops[end]
                target = step.target
                targets = target._default_manager if step.to_many else target._base_manager
                if not any(f"{lookup}__".startswith(f"{attr}__") for lookup in own):
                    lookups[attr] = Prefetch(attr, targets.using(self.home))
        return list(lookups.values())

    def pks(self, texts: Iterable[str]) -> dict[str, Any]:
        """Primary keys by their text, of those that are one."""
        return pks_of(self.model, texts)

    def beyond(self, queryset: QuerySet[M], after: str) -> QuerySet[M]:
        """By key, from after `after` on; all of them where that is none, or is no key any more."""
        ordered = queryset.order_by("pk")
        last = next(iter(self.pks([after]).values()), None) if after else None
        return ordered if last is None else ordered.filter(pk__gt=last)

    def mark(self, pk: Any) -> str:
        """A key's text for `beyond`; "" where it could not be read again, and a walk has to end."""
        return str(pk) if self.pks([str(pk)]) else ""

    def reads(self) -> Reads:
        """Which of the model's own fields the feed reads; anything, where methods do."""
        return self._read() - ignored(self.model, list(self.ignores)).get((), frozenset())

    def _read(self) -> Reads:
        if type(self).get_queryset is not Feed.get_queryset or self.depends_on:
            return ANYTHING
        if hides_rows(self.model):
            return ANYTHING
        found = set()
        for entry in self.plan.values():
            first = entry.path.partition("__")[0]
            step = hop(self.model, first)
            if step or is_stored(self.model, first):
                found.add(step.attr if step else first)
            elif entry.kind != "constant":
                return ANYTHING
        return Reads(spellings(self.model, *found))
