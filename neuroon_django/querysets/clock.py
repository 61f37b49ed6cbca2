"""The database's clock, which all workers share, and expressions over many rows by their keys."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.models import DateTimeField, ExpressionWrapper, F, Field, Func, Lookup, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 6


class DbNow(Now):
    """`Now()` on the clock Django stores: MySQL's own is in the session's time zone."""

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        clock = "UTC_TIMESTAMP(6)" if settings.USE_TZ else "CURRENT_TIMESTAMP(6)"
        return self.as_sql(compiler, connection, template=clock, **context)


def later(seconds: float) -> Combinable:
    """That many seconds from now, by the database's clock."""
    moment = DbNow() + Value(timedelta(seconds=seconds))
    wrapped: Combinable = ExpressionWrapper(moment, output_field=DateTimeField())
    return wrapped


if TYPE_CHECKING:
    AnyLookup = Lookup[Any]
else:
    AnyLookup = Lookup


class RawIn(AnyLookup):
    """`column IN (…)` for values of ours that the database takes as they are.

    Django's own asks the field to prepare each of them, which takes ten times as long. A lookup it
    has to be: of any other condition Django asks MySQL whether it is true, and no index answers that.
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

    Django's own `Case(When(pk=…), …)` says the same and costs thirty times the time to compile.
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


def case_by_pk(field: Field[Any, Any], values: Mapping[int, Any], rows: int) -> Value | CaseByPk:
    """The cheapest expression for these values: a constant where all rows get the same one."""
    distinct = set(values.values())
    if len(values) == rows and len(distinct) == 1:
        return Value(distinct.pop(), output_field=field)
    return CaseByPk(field, values)


def retry_on_deadlock(method: Callable[P, T]) -> Callable[P, T]:
    """Try again after a deadlock, a locked SQLite file or a lost connection.

    For verbs that are one transaction and stamped with a token, so that twice is the same as once.
    """

    @functools.wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        connection = connections[getattr(args[0], "db", None) or DEFAULT_DB_ALIAS]
        for attempt in range(TRIES):
            try:
                return method(*args, **kwargs)
            except OperationalError:
                if connection.in_atomic_block or attempt == TRIES - 1:
                    raise
                connection.close_if_unusable_or_obsolete()
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
        raise AssertionError("unreachable")

    return wrapper
