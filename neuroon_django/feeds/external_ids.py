"""Which external id each product has, as the fold asks before anything is rendered.

Where the entry is a lookup that the database can follow, no product is loaded for it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Count, QuerySet

from neuroon_django.exceptions import InvalidValue
from neuroon_django.feeds import cleaning
from neuroon_django.feeds.context import payload_context
from neuroon_django.feeds.keys import pks_of
from neuroon_django.feeds.paths import Path, is_column, walk
from neuroon_django.feeds.savepoints import ask_each
from neuroon_django.feeds.source import NOT_THE_SHOPS, Invalid, M, Source

logger = logging.getLogger("neuroon_django")

MAX_ID = 255


class IdentifiedSource(Source[M]):
    """A feed's source that knows its objects' external ids."""

    def external_id_of(self, product: M) -> str:
        """Return the external id, or "" where it cannot be used; `render` tells the reason."""
        try:
            value = self.value("external_id", product)
            return clean_external_id(value) if value is not None else ""
        except (InvalidValue, ValueError):
            return ""

    def external_ids(self, pks: Iterable[Any]) -> dict[str, str | None]:
        """Return external ids by primary key as text, of those that exist for Neuroon.

        The id is "" where an object has none that can be used, and None where its entry raises: such
        an object keeps the id that its row has. What the feed raises for any object is raised.
        """
        wanted = list(pks)
        if not wanted:
            return {}
        with payload_context(self.shop):
            try:
                # A query of the shop's that fails would otherwise end the fold's transaction.
                with transaction.atomic(self.db_alias):
                    queryset = self.live_queryset().filter(pk__in=wanted)
                    column = self._in_sql(queryset, self.compiled["external_id"].path)
                    if column:
                        pairs = queryset.values_list("pk", column)
                        return {str(pk): _usable(value) for pk, value in pairs}
            except NOT_THE_SHOPS:
                raise
            except Exception as error:
                failed = type(error).__name__
                logger.warning("ids_one_by_one feed=%s error=%s", self.label, failed)
                self.check_readable(wanted[:1])
            return ask_each(self, wanted, self._id_of, failed=None)

    def repeated_ids(self, most: int) -> list[str]:
        """Return up to so many external ids that several products have, in one query.

        It is [] where only the feed's code can say them.
        """
        with payload_context(self.shop):
            queryset = self.live_queryset().order_by()
            column = self._in_sql(queryset, self.compiled["external_id"].path)
            if not column:
                return []
            counted = queryset.exclude(**{column: None}).values(column)
            repeated = counted.annotate(neuroon_n=Count("pk", distinct=True)).filter(neuroon_n__gt=1)
            values = repeated.order_by(column).values_list(column, flat=True)[:most]
            return [usable for value in values if (usable := _usable(value))]

    def _id_of(self, product: M | Invalid) -> str | None:
        if isinstance(product, Invalid):
            return None
        try:
            return _usable(self.compiled["external_id"].get(product))
        except (DatabaseError, *NOT_THE_SHOPS):
            raise
        except Exception:
            return None

    def _in_sql(self, queryset: QuerySet[M], path: str) -> str:
        """Return a lookup as the database can follow it; "" where only Python can."""
        hops, rest = walk(self.model, path)
        end = hops[-1].target if hops else self.model
        if any(hop.to_many for hop in hops) or len(rest) != 1:
            return ""
        annotated = not hops and path in queryset.query.annotations
        known = annotated or is_column(end, rest[0])
        return "__".join([*(hop.query for hop in hops), *rest]) if known else ""

    def dependents(self, path: Path, texts: Iterable[str], after: str, limit: int) -> list[Any]:
        """Return the keys of up to `limit` products that lead to these objects along a path.

        They are in order and greater than `after`, the text of a key, or the first ones where it
        is "".
        """
        pks = list(pks_of(path.target, texts).values())
        rows = self.model._base_manager.using(self.db_alias)
        with payload_context(self.shop):
            found = rows.filter(**{f"{path.query}__pk__in": pks})
            keys = self.after_cursor(found, after).values_list("pk", flat=True)
            return list(keys.distinct()[:limit])


def clean_external_id(value: Any) -> str:
    """Return an external id as text; raise ValueError where no address could name it."""
    text = cleaning.text(value)
    if len(text) > MAX_ID:
        raise ValueError(f"longer than {MAX_ID} characters")
    if text in (".", ".."):  # no address can name it: HTTP takes these for steps up
        raise ValueError(f"{text!r} cannot stand in an address")
    text.encode()  # a lone surrogate is a ValueError
    return text


def _usable(value: Any) -> str:
    """Return an external id as text, "" where it cannot be used."""
    try:
        return "" if value is None else clean_external_id(value)
    except ValueError:
        return ""
