"""Rows in general: where they are read, and how many are inserted in few statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import connections, router
from django.db.models import Manager, Model, QuerySet

from neuroon_django.querysets.clock import DbNow

MOST_PARAMETERS = 30_000

if TYPE_CHECKING:
    AnyManager = Manager[Any]
else:
    AnyManager = Manager


class PrimaryManager(AnyManager):
    """Reads where it writes, whatever the shop's routers say: a replica may lag behind."""

    _queryset_class: Any

    @property
    def db(self) -> str:
        return self._db or router.db_for_write(self.model)

    def get_queryset(self) -> QuerySet[Any]:
        queryset: QuerySet[Any] = self._queryset_class(model=self.model, using=self.db)
        return queryset


def insert(
    model: type[Model], rows: Sequence[dict[str, Any]], *, using: str, now: Sequence[str]
) -> None:
    """What `bulk_create` does, without an instance and a call per value.

    Rows are values by column, all with the same columns and none that needs adapting.

    Columns not given get their field's default; those in `now` get the database's clock.
    """
    if not rows:
        return
    connection = connections[using]
    clock = model._default_manager.using(using).query.get_compiler(using).compile(DbNow())[0]
    fields = [f for f in model._meta.concrete_fields if not f.primary_key and f.attname not in now]
    shared = {f.attname: f.get_db_prep_save(f.get_default(), connection) for f in fields}
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(column)) for column in [*now, *(f.column for f in fields)])
    table = quote(model._meta.db_table)
    one = f"({', '.join([clock] * len(now) + ['%s'] * len(fields))})"
    chunk = (connection.features.max_query_params or MOST_PARAMETERS) // len(fields)
    with connection.cursor() as cursor:
        for start in range(0, len(rows), chunk):
            some = rows[start : start + chunk]
            values = ", ".join([one] * len(some))
            cursor.execute(
                f"INSERT INTO {table} ({columns}) VALUES {values}",
                [value for row in some for value in (shared | row).values()],
            )
