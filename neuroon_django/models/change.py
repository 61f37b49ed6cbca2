"""The outbox: rows that say "this object changed", appended by the shop and consumed by workers.

Rows are inserted in the shop's own transaction, so they are there exactly if its change is; nothing
here updates a row that a shop's transaction could be waiting for.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import timedelta
from itertools import chain, islice
from typing import Any, Self

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import CharField, DateTimeField, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from neuroon_django.models.sql import PrimaryManager

COLUMNS = ("model", "object_pk", "after_pk", "clicks", "shop", "created_at")
CHUNK = 500  # rows to an INSERT

# Set when this process saw a change that it did not record, since the app was switched off.
unseen = threading.Event()


class ChangeQuerySet(QuerySet["Change"]):
    """Change rows, each of which names an object by a label and its primary key as text."""

    def append(
        self, names: Iterable[tuple[str, Any]], *, clicks: str = "", shop: str = "", after: str = ""
    ) -> None:
        """Name objects, 500 to an INSERT: the one statement that a shop's save pays for.

        `shop` is the fingerprint of the shop in whose pages the clicks were made, if that is known.
        It is plain SQL: making and saving an instance takes longer than the database does.
        """
        now = self._stamp()
        rows = ((model, str(pk), after, clicks, shop, now) for model, pk in names)
        while chunk := list(islice(rows, CHUNK)):
            values = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(chunk))
            self._write(f"VALUES {values}", chain.from_iterable(chunk))

    def append_all(self, objects: QuerySet[Any], model: str, key: str = "pk") -> None:
        """Name every object of a queryset by that column, each once, in one INSERT … SELECT.

        MariaDB and MySQL would lock the shop's rows that such a statement reads, and hold their lock
        of the outbox's counter for as long as it runs: there the keys are read first.
        """
        objects = objects.using(self.db)
        if objects.query.is_sliced or objects.query.combinator:
            self.append((model, pk) for pk in objects.values_list(key, flat=True))
            return
        objects = objects.order_by().distinct()
        objects.query.select_for_update = False  # PostgreSQL locks no rows made distinct
        if connections[self.db].vendor == "mysql":
            self.append((model, pk) for pk in list(objects.values_list(key, flat=True)))
            return
        named = objects.values_list(
            Value(model, output_field=CharField()),
            Cast(key, TextField()),
            Value("", output_field=CharField()),
            Value("", output_field=TextField()),
            Value("", output_field=CharField()),
            Value(timezone.now(), output_field=DateTimeField()),
        )
        with suppress(EmptyResultSet):  # Django knows without asking that there are none
            sql, params = named.query.get_compiler(self.db).as_sql()
            self._write(sql, params)

    def consume(self, changes: Iterable[Change]) -> bool:
        """Delete changes; return False where another worker deleted some of them first."""
        ids = {change.pk for change in changes}
        if connections[self.db].vendor == "mysql":
            return self._delete_by_key(ids) == len(ids)
        return self.filter(pk__in=ids).delete()[0] == len(ids)

    def wipe_clicks(self, older_than: float) -> int:
        """Delete the clicks of changes that nobody folded for so many seconds; return how many."""
        old = self.filter(created_at__lt=timezone.now() - timedelta(seconds=older_than))
        return old.exclude(clicks="").update(clicks="")

    def last_beyond(self, labels: Collection[str], most: int) -> int | None:
        """Return the key of the newest change that is one too many; None where there are fewer."""
        keys = self._prunable(labels).order_by("-pk").values_list("pk", flat=True)
        return next(iter(keys[most : most + 1]), None)

    def prune(self, labels: Collection[str], last: int) -> int:
        """Delete changes of these models up to that key, but for those that hold clicks."""
        return self._prunable(labels).filter(pk__lte=last)._raw_delete(self.db)

    def _prunable(self, labels: Collection[str]) -> Self:
        """Return the changes that a scan can stand for: what was clicked it would not find."""
        return self.filter(model__in=labels, clicks="")

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
        """Return the present moment as the driver takes it."""
        field = self.model._meta.get_field("created_at")
        return field.get_db_prep_save(timezone.now(), connections[self.db])

    def _write(self, source: str, params: Iterable[Any]) -> None:
        """Insert what `VALUES (…)` or a SELECT of all columns gives."""
        connection = connections[self.db]
        quote = connection.ops.quote_name
        columns = ", ".join(map(quote, COLUMNS))
        table = quote(self.model._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} ({columns}) {source}", list(params))


class Change(models.Model):
    """A row of the outbox: an object changed. Shops' transactions append it, workers delete it."""

    id = models.BigAutoField(primary_key=True)
    model = models.CharField(max_length=200)
    object_pk = models.TextField()
    # How far a worker got with the products that depend on the object; "": not begun.
    after_pk = models.TextField(default="", blank=True)
    clicks = models.TextField(default="", blank=True)
    # The fingerprint of the shop in whose pages the clicks were made; "": not known.
    shop = models.CharField(max_length=16, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = PrimaryManager.from_queryset(ChangeQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        indexes = [models.Index(fields=["model", "id"], name="neuroon_change_model")]

    def __str__(self) -> str:
        return f"{self.model} {self.object_pk}"
