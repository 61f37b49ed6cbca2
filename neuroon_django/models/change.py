"""The outbox: rows that say "this object changed", appended by the shop and consumed by workers.

Rows are inserted in the shop's own transaction, so they are there exactly if its change is; nothing
here updates a row that a shop's transaction could be waiting for.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import timedelta
from itertools import chain
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import CharField, DateTimeField, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from neuroon_django.models.sql import PrimaryManager

COLUMNS = ("model", "object_pk", "after_pk", "clicks", "created_at")
CHUNK = 500  # rows to an INSERT

# Set when this process saw a change that it did not record, since the app was switched off.
unseen = threading.Event()


class ChangeQuerySet(QuerySet["Change"]):
    """Change rows: each names an object by model label and primary key as text."""

    def append(self, names: Iterable[tuple[str, Any]], *, clicks: str = "", after: str = "") -> None:
        """Name objects, 500 to an INSERT: the one statement that a shop's save pays for.

        It is plain SQL: making and saving an instance takes longer than the database does.
        """
        now = self._stamp()
        rows = [(model, str(pk), after, clicks, now) for model, pk in names]
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            values = ", ".join(["(%s, %s, %s, %s, %s)"] * len(chunk))
            self._write(f"VALUES {values}", chain.from_iterable(chunk))

    def append_owner(self, model: str, column: Any, key: Any, **also: Any) -> None:
        """Name what one row points to as it is stored, by the INSERT that reads its column.

        `also` are further columns and the values that they must have.
        """
        connection = connections[self.db]
        quote, owner = connection.ops.quote_name, column.model._meta
        where = {owner.pk.column: owner.pk.get_db_prep_value(key, connection)} | also
        tests = " AND ".join([f"{quote(name)} = %s" for name in where])
        value, text = quote(column.column), TextField().cast_db_type(connection)
        source = f"SELECT %s, CAST({value} AS {text}), '', '', %s FROM {quote(owner.db_table)}"
        params = [model, self._stamp(), *where.values()]
        self._write(f"{source} WHERE {tests} AND {value} IS NOT NULL", params)

    def append_all(self, objects: QuerySet[Any], model: str, key: str = "pk") -> None:
        """Name every object of a queryset, by that column, in one INSERT … SELECT."""
        if objects.query.is_sliced or objects.query.combinator:
            self.append((model, pk) for pk in objects.values_list(key, flat=True))
            return
        named = (
            objects.using(self.db)
            .order_by()
            .distinct()
            .values_list(
                Value(model, output_field=CharField()),
                Cast(key, TextField()),
                Value("", output_field=CharField()),
                Value("", output_field=TextField()),
                Value(timezone.now(), output_field=DateTimeField()),
            )
        )
        named.query.select_for_update = False  # PostgreSQL locks no rows made distinct
        with suppress(EmptyResultSet):  # Django knows without asking that there are none
            sql, params = named.query.get_compiler(self.db).as_sql()
            self._write(sql, params)

    def consume(self, changes: Iterable[Change]) -> bool:
        """Take changes off the outbox; return False where another worker took some of them first."""
        ids = {change.pk for change in changes}
        if connections[self.db].vendor == "mysql":
            return self._delete_by_key(ids) == len(ids)
        return self.filter(pk__in=ids).delete()[0] == len(ids)

    def wipe_clicks(self, older_than: float) -> int:
        """Forget clicks made that many seconds ago, where nobody folds what is recorded."""
        old = self.filter(created_at__lt=timezone.now() - timedelta(seconds=older_than))
        return old.exclude(clicks="").update(clicks="")

    def _delete_by_key(self, ids: Collection[int]) -> int:
        """Delete by primary key: MariaDB scans a small table for `IN`, and waits for open inserts."""
        connection = connections[self.db]
        table = connection.ops.quote_name(self.model._meta.db_table)
        keys = " UNION ALL ".join(["SELECT %s AS id", *["SELECT %s"] * (len(ids) - 1)])
        join = f"STRAIGHT_JOIN {table} AS outbox FORCE INDEX (PRIMARY) ON outbox.id = taken.id"
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE outbox FROM ({keys}) AS taken {join}", list(ids))
            count: int = cursor.rowcount
        return count

    def _stamp(self) -> Any:
        field = self.model._meta.get_field("created_at")
        return field.get_db_prep_save(timezone.now(), connections[self.db])

    def _write(self, source: str, params: Iterable[Any]) -> None:
        connection = connections[self.db]
        quote = connection.ops.quote_name
        columns = ", ".join(map(quote, COLUMNS))
        table = quote(self.model._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} ({columns}) {source}", list(params))


class Change(models.Model):
    """Outbox: "this object changed". Appended by the shop's transactions, consumed by workers."""

    id = models.BigAutoField(primary_key=True)
    model = models.CharField(max_length=200)
    object_pk = models.TextField()
    # How far a worker got with the products that depend on the object; "": not begun.
    after_pk = models.TextField(default="", blank=True)
    clicks = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = PrimaryManager.from_queryset(ChangeQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        indexes = [models.Index(fields=["model", "id"], name="neuroon_change_model")]

    def __str__(self) -> str:
        return f"{self.model} {self.object_pk}"
