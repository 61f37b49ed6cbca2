"""What both kinds of feed share: a model, its queryset, compiled entries and the paths they pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

from django.db import InterfaceError, OperationalError, router
from django.db.models import Model, Prefetch, QuerySet
from django.utils import timezone, translation

from neuroon_django import wire
from neuroon_django.conf import conf
from neuroon_django.exceptions import InvalidProduct
from neuroon_django.feeds.entries import Entry
from neuroon_django.feeds.paths import (
    ANYTHING,
    Path,
    Reads,
    hop,
    ignored,
    is_column,
    paths,
    pks_of,
    spellings,
)

M = TypeVar("M", bound=Model)


@contextmanager
def speaking() -> Iterator[None]:
    """The language and time zone that payloads are built in, whoever saved the product (law 12)."""
    with translation.override(conf.LANGUAGE), timezone.override(timezone.get_default_timezone()):
        yield


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
        return paths(self.model, lookups, list(self.depends_on), list(self.ignores))

    def value(self, name: str, instance: M) -> Any:
        """What an entry says of an object, None where the feed has no such entry."""
        entry = self.plan.get(name)
        return None if entry is None else self.ask(name, entry.get, instance)

    def ask(self, what: str, code: Callable[[Any], Any], subject: Any) -> Any:
        """Run the shop's code on an object, or ours on a value of it; what is raised is a reason."""
        try:
            return code(subject)
        except (OperationalError, InterfaceError):
            raise  # the database's trouble, not the object's
        except Exception as error:
            kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
            reason = f"{what.replace('_', ' ')}: {kind}{wire.text_of(str(error))}"
        raise InvalidProduct(reason.encode(errors="backslashreplace").decode())

    def load(self, pks: Iterable[Any]) -> dict[str, M]:
        """Objects by primary key as text, with all their relations, in a fixed number of queries."""
        return {str(instance.pk): instance for instance in self.related().filter(pk__in=list(pks))}

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
                attr = "__".join(step.attr for step in path.hops[: end + 1])
                targets = path.hops[end].target._default_manager
                if not any(f"{lookup}__".startswith(f"{attr}__") for lookup in own):
                    lookups[attr] = Prefetch(attr, targets.using(self.home))
        return list(lookups.values())

    def pks(self, texts: Iterable[str]) -> dict[str, Any]:
        """Primary keys by their text, of those that are one."""
        return pks_of(self.model, texts)

    def pk_of(self, text: str) -> Any:
        """A primary key out of its text; ValidationError where it is none."""
        return self.model._meta.pk.to_python(text)

    def reads(self) -> Reads:
        """Which of the model's own fields the feed reads; anything, where methods do."""
        return self._read() - ignored(self.model, list(self.ignores)).get((), frozenset())

    def _read(self) -> Reads:
        if type(self).get_queryset is not Feed.get_queryset or self.depends_on:
            return ANYTHING
        found = set()
        for entry in self.plan.values():
            first = entry.path.partition("__")[0]
            step = hop(self.model, first)
            if step or is_column(self.model, first):
                found.add(step.attr if step else first)
            elif entry.kind != "constant":
                return ANYTHING
        return Reads(spellings(self.model, *found))
