"""Primary keys as change rows keep them: as text, by the model that a feed is registered for.

Recording turns a saved object into such keys, which may be those of a parent's or a child's table;
fold and scan turn the text into keys again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import BigIntegerField, CompositePrimaryKey, Model, QuerySet

MAX_KEY = 255  # characters of a primary key's text, for which the tables of the app have room


def keys_of(model: type[Model], instance: Model, using: str) -> list[Any]:
    """Return the keys that an object has in a model's table, where one inherits from the other.

    A child may have a key of its own beside its parent's. The list is empty for a parent's instance
    that is no such child.
    """
    return keys_of_all(model, [instance], using)


def keys_of_all(model: type[Model], instances: Sequence[Model], using: str) -> list[Any]:
    """Return the keys that objects of one class have in a model's table, by one query at most."""
    if not instances:
        return []
    known = instances[0]._meta.model  # the type of a lazy object is another
    if issubclass(known, model._meta.concrete_model or model):
        return [getattr(instance, model._meta.pk.attname) for instance in instances]
    pks = [instance.pk for instance in instances]
    if shares_key(model, known):
        return pks
    column = known._meta.pk.attname  # which a child inherits
    children = model._base_manager.using(using).filter(**{f"{column}__in": pks})
    return list(children.values_list("pk", flat=True))


def rows_of(model: type[Model], rows: QuerySet[Any]) -> tuple[QuerySet[Any], str]:
    """Return the rows of a parent's or child's queryset as a model has them, and their key's column."""
    if issubclass(rows.model, model._meta.concrete_model or model):
        return rows, model._meta.pk.attname
    if shares_key(model, rows.model):
        return rows, "pk"
    column = f"{rows.model._meta.pk.attname}__in"
    return model._base_manager.using(rows.db).filter(**{column: rows.values("pk")}), "pk"


def shares_key(child: type[Model], parent: type[Model]) -> bool:
    """Return whether a child's key is its parent's, as it is unless the shop declares another."""
    key: Any = child._meta.pk
    while key.remote_field and key.model._meta.concrete_model is not parent._meta.concrete_model:
        key = key.target_field
    return bool(key.model._meta.concrete_model is parent._meta.concrete_model)


def is_composite(model: type[Model]) -> bool:
    """Return whether a row's key is several columns, which no change row has room for."""
    return isinstance(model._meta.pk, CompositePrimaryKey)


def pks_of(model: type[Model], texts: Iterable[str]) -> dict[str, Any]:
    """Return primary keys by their text; texts that are no key of this model are left out."""
    keys: dict[str, Any] = {}
    for text in texts:
        try:
            pk = model._meta.pk.to_python(text)
        except (ValidationError, ValueError, TypeError):  # the last two of shops' own fields
            continue
        if not isinstance(pk, int) or abs(pk) <= BigIntegerField.MAX_BIGINT:  # SQLite takes no more
            keys[str(pk)] = pk
    return keys
