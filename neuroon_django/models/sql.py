"""SQL written by hand: the database's clock, many rows by key, inserts and what is tried again.

Each construct here is a factor of two or more faster than Django's own for the same statement; the
rest of the package uses the ORM. Nothing else in the package writes SQL but the outbox's INSERTs.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, router
from django.db.models import (
    DateTimeField,
    ExpressionWrapper,
    F,
    Field,
    Func,
    Lookup,
    Manager,
    Model,
    QuerySet,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 6
MAX_PARAMETERS = 30_000  # in one statement, where the database states no limit of its own

if TYPE_CHECKING:
    AnyLookup = Lookup[Any]
    AnyManager = Manager[Any]
else:
    AnyLookup, AnyManager = Lookup, Manager


class PrimaryManager(AnyManager):
    """Reads where it writes, whatever the shop's routers say: a replica may lag behind."""

    _queryset_class: Any

    @property
    def db(self) -> str:
        return self._db or router.db_for_write(self.model)

    def get_queryset(self) -> QuerySet[Any]:
        queryset: QuerySet[Any] = self._queryset_class(model=self.model, using=self.db)
        return queryset


class DbNow(Now):
    """`Now()` on the clock that Django stores: MySQL's own is the session's, SQLite's always UTC."""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        clock = "'NOW'" if settings.USE_TZ else "'NOW', 'localtime'"
        template = f"STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', {clock})"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        clock = "UTC_TIMESTAMP(6)" if settings.USE_TZ else "CURRENT_TIMESTAMP(6)"
        return self.as_sql(compiler, connection, template=clock, **context)


def from_now(seconds: float) -> Combinable:
    """Return the moment that many seconds from now, by the database's clock."""
    return moment_after(DbNow(), seconds)


def moment_after(start: Combinable, seconds: float) -> Combinable:
    """Return the moment that many seconds after another one."""
    moment = start + Value(timedelta(seconds=seconds))
    wrapped: Combinable = ExpressionWrapper(moment, output_field=DateTimeField())
    return wrapped


class RawIn(AnyLookup):
    """`column IN (…)` for values of ours that the database takes as they are.

    Django's own asks the field to prepare each of them, which takes ten times as long. It has to be
    a lookup: of any other condition Django asks MySQL whether it is true, and no index answers that.
    """

    prepare_rhs = False

    def __init__(self, column: str, values: Iterable[int | str]) -> None:
        super().__init__(F(column), list(values))

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        if not self.rhs:
            raise EmptyResultSet
        column, params = compiler.compile(self.lhs)
        return f"{column} IN ({', '.join(['%s'] * len(self.rhs))})", [*params, *self.rhs]


class CaseByPk(Func):
    """A value per row, `CASE pk WHEN … THEN …`; rows that have none keep what the field holds.

    Django's own `Case(When(pk=…), …)` says the same and takes thirty times as long to compile.
    """

    def __init__(self, field: Field[Any, Any], values: Mapping[int, Any]) -> None:
        super().__init__(F("pk"), F(field.attname), output_field=field)
        self.values = {pk: partial(field.get_db_prep_save, value) for pk, value in values.items()}

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **context: Any) -> Any:
        pk, kept = (compiler.compile(e) for e in self.get_source_expressions())
        cases = "WHEN %s THEN %s " * len(self.values)
        pairs = ((pk, prepare(connection)) for pk, prepare in self.values.items())
        params = [*pk[1], *chain.from_iterable(pairs), *kept[1]]
        return f"CASE {pk[0]} {cases}ELSE {kept[0]} END", params


def value_per_row(field: Field[Any, Any], values: Mapping[int, Any], rows: int) -> Value | CaseByPk:
    """Return the cheapest expression for values by primary key: a constant where all are equal."""
    distinct = set(values.values())
    if len(values) == rows and len(distinct) == 1:
        return Value(distinct.pop(), output_field=field)
    return CaseByPk(field, values)


def bulk_insert(
    model: type[Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    using: str,
    shared: Mapping[str, Any],
) -> None:
    """Insert rows without an instance and a prepared value for each column of each.

    `rows` hold the values of `columns` (attribute names), which need no adapting. `shared` holds what
    all rows have in common, values or expressions such as `DbNow()`; the remaining columns get their
    field's default.
    """
    if not rows:
        return
    connection = connections[using]
    quote = connection.ops.quote_name
    fields: dict[str, Any] = {
        field.attname: field for field in model._meta.concrete_fields if not field.primary_key
    }
    common = [name for name in fields if name not in columns]
    constants = [_constant(fields[name], shared.get(name), name in shared, using) for name in common]
    params = [param for _, own in constants for param in own]
    head = ", ".join(sql for sql, _ in constants)
    names = ", ".join(quote(fields[name].column) for name in [*common, *columns])
    into = f"INSERT INTO {quote(model._meta.db_table)} ({names})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{_array_type(fields[name], connection)}" for name in columns)
            sql = f"{into} SELECT {head}, own.* FROM unnest({arrays}) AS own"
            cursor.execute(sql, [*params, *map(list, zip(*rows, strict=True))])
            return
        one = f"({head}, {', '.join(['%s'] * len(columns))})"
        limit = connection.features.max_query_params or MAX_PARAMETERS
        size = limit // (len(params) + len(columns))
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            values = [value for row in chunk for value in (*params, *row)]
            cursor.execute(f"{into} VALUES {', '.join([one] * len(chunk))}", values)


def _constant(field: Any, value: Any, given: bool, using: str) -> tuple[str, Sequence[Any]]:
    """Return the SQL and the parameters of a column that all inserted rows share."""
    if isinstance(value, Combinable):
        expression: Any = value
        query = field.model._base_manager.using(using).query
        sql, params = query.get_compiler(using).compile(expression.resolve_expression(query))
        return sql, params
    prepared = field.get_db_prep_save(value if given else field.get_default(), connections[using])
    if prepared is None or prepared == "":
        return "NULL" if prepared is None else "''", ()
    if isinstance(prepared, int):
        return str(int(prepared)) if not isinstance(prepared, bool) else str(prepared), ()
    return "%s", (prepared,)


def _array_type(field: Any, connection: Any) -> str:
    return f"{field.db_type(connection).partition('(')[0]}[]"


def manual_commits(using: str) -> str:
    """Return what is wrong with a database whose settings leave commits to the shop, else ""."""
    if connections[using].settings_dict["AUTOCOMMIT"]:
        return ""
    return f'DATABASES["{using}"] has AUTOCOMMIT = False: nothing that the app writes would stay.'


CONFLICTS = ("40001", "40P01", "55P03")  # PostgreSQL: not serializable, deadlock, lock not available
MYSQL_CONFLICTS = (1205, 1213)  # MariaDB, MySQL: lock wait timeout, deadlock


def is_conflict(error: Exception) -> bool:
    """Return whether an error is another transaction's doing, so that a retry is the cure."""
    cause: Any = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    code = next(iter(error.args), None)
    return isinstance(error, OperationalError) and (
        state in CONFLICTS or code in MYSQL_CONFLICTS or "is locked" in str(error)
    )


def retry_on_deadlock(method: Callable[P, T]) -> Callable[P, T]:
    """Try a method again after a deadlock, a locked SQLite file or a lost connection.

    It is for methods that are one transaction and stamp what they write with a token, so that
    running them twice is the same as once. Inside a transaction of the caller's nothing is retried.
    """

    @functools.wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        connection = connections[getattr(args[0], "db", None) or DEFAULT_DB_ALIAS]
        for attempt in range(ATTEMPTS):
            try:
                return method(*args, **kwargs)
            except OperationalError:
                if connection.in_atomic_block or attempt == ATTEMPTS - 1:
                    raise
                connection.close_if_unusable_or_obsolete()
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
        raise AssertionError("unreachable")

    return wrapper
