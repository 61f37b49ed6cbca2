"""Which relations a feed passes through, and so whose changes reach its products (law 10).

A change at the other end of a relation is recorded in one of two ways. Where the column stands on
this side (a foreign key, a many-to-many) the *target* is named, and a worker finds its products by the
path. Where the other side points here (a stock record), what it *points to* is named, which is known
without a query, before and after.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model

Kind = Literal["forward", "many", "reverse", "generic"]


@dataclass(frozen=True)
class Hop:
    """One step over a relation: `attr` on instances, `query` in lookups."""

    source: type[Model]
    target: type[Model]
    attr: str
    query: str
    kind: Kind
    to_many: bool
    field: Any

    @property
    def relation(self) -> Any:
        """Return the many-to-many field's relation, from whichever side it is passed."""
        return self.field if self.field.auto_created else self.field.remote_field

    @property
    def through(self) -> type[Model] | None:
        """Return the model of a many-to-many's link table; None for other relations."""
        model: type[Model] | None = self.relation.through if self.kind == "many" else None
        return model

    @property
    def symmetrical(self) -> bool:
        """Return whether both ends of a link see each other by this one relation."""
        return bool(self.relation.symmetrical) and same_table(self.source, self.target)

    @property
    def through_column(self) -> Any:
        """Return the foreign key by which a link's row points to this side; None if it has none."""
        method = "m2m_reverse_field_name" if self.field.auto_created else "m2m_field_name"
        name = getattr(self.relation.field, method, None)  # django-taggit's tables have no such key
        return self.relation.through._meta.get_field(name()) if name else None


@dataclass(frozen=True)
class Path:
    """A chain of hops from the feed's model."""

    hops: tuple[Hop, ...]

    @property
    def query(self) -> str:
        """Return the path as lookups of querysets write it."""
        return "__".join(hop.query for hop in self.hops)

    @property
    def attr(self) -> str:
        """Return the path by the names that instances have for its relations."""
        return "__".join(hop.attr for hop in self.hops)

    @property
    def target(self) -> type[Model]:
        """Return the model at the end."""
        return self.hops[-1].target

    @property
    def to_one(self) -> bool:
        """Return whether each hop leads to one object at most."""
        return not any(hop.to_many for hop in self.hops)


def hop(model: type[Model], name: str) -> Hop | None:
    """Return the relation of that name, as attribute or in lookups; None where it is none."""
    fields: Iterable[Any] = model._meta.get_fields(include_hidden=False)
    for field in fields:
        target = getattr(field, "related_model", None)
        if not field.is_relation or target is None:
            continue
        if _has_no_column(field):
            continue
        attr = field.get_accessor_name() if field.auto_created and not field.concrete else field.name
        if name in (attr, field.name):
            many = bool(field.one_to_many or field.many_to_many)
            return Hop(model, target, attr, field.name, _kind(field), many, field)
    return None


def _has_no_column(field: Any) -> bool:
    """Return whether a relation is a `ForeignObject`, from either side: it joins by others' columns."""
    if field.many_to_many or hasattr(field, "object_id_field_name"):
        return False
    return not (field.field if field.auto_created and not field.concrete else field).concrete


def _kind(field: Any) -> Kind:
    if field.many_to_many:
        return "many"
    if hasattr(field, "object_id_field_name"):
        return "generic"
    return "forward" if field.concrete else "reverse"


def walk(model: type[Model], path: str) -> tuple[tuple[Hop, ...], list[str]]:
    """Return the hops at the front of a path, and the parts that follow them."""
    hops: list[Hop] = []
    parts = path.split("__") if path else []
    while parts and (step := hop(model, parts[0])):
        hops.append(step)
        model, parts = step.target, parts[1:]
    return tuple(hops), parts


def is_column(model: type[Model], name: str) -> bool:
    """Return whether a model has a column of that name."""
    try:
        return bool(getattr(model._meta.get_field(name), "concrete", False))
    except FieldDoesNotExist:
        return name == "pk"


def spellings(model: type[Model], *names: str) -> frozenset[str]:
    """Return fields by each name that `update_fields` may have for them: `brand` and `brand_id`."""
    found = set(names)
    for name in names:
        if is_column(model, name) and name != "pk":
            field: Any = model._meta.get_field(name)
            found |= {field.name, field.attname}
    return frozenset(found)


def same_table(one: type[Model], other: type[Model]) -> bool:
    """Return whether an object of one may be one of the other: proxies, children and parents."""
    ours, theirs = one._meta.concrete_model or one, other._meta.concrete_model or other
    return issubclass(ours, theirs) or issubclass(theirs, ours)


def ignored(model: type[Model], ignores: list[str]) -> dict[tuple[Hop, ...], frozenset[str]]:
    """Return the fields whose change alone does not count, by the hops that lead to them."""
    found: dict[tuple[Hop, ...], frozenset[str]] = {}
    for text in ignores:
        relation, _, name = text.rpartition("__")
        hops, rest = walk(model, relation)
        end = hops[-1].target if hops else model
        if not rest:
            found[hops] = found.get(hops, frozenset()) | spellings(end, name)
    return found


def paths(model: type[Model], lookups: list[str], relations: list[str]) -> list[Path]:
    """Return every relation that lookups and `depends_on` pass through, each once, shortest first."""
    found: dict[tuple[Hop, ...], None] = {}
    for text in [*lookups, *relations]:
        hops, _ = walk(model, text)
        found |= {hops[:end]: None for end in range(1, len(hops) + 1)}
    return [Path(hops) for hops in sorted(found, key=len)]
