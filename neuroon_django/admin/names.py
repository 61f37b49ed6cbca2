"""The names of products beside their rows: read from the shop's objects, a page at a time.

They are not stored: a product that was never sent has one too, and it is always the present one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import FieldError
from django.db import DatabaseError, transaction
from django.db.models import Q

from neuroon_django.api.messages import text_of
from neuroon_django.exceptions import InvalidValue
from neuroon_django.feeds import Invalid, ProductSource, payload_context, registry
from neuroon_django.models import ShopState, SyncedProduct
from neuroon_django.operations.wording import shorten

SEARCHED = 500  # products that a search by name finds at most


def names_of(shop: ShopState, rows: Sequence[SyncedProduct]) -> dict[int, str]:
    """Return the names of these rows' products by the rows' primary keys, in constant queries."""
    names: dict[int, str] = {}
    for label in {row.model for row in rows} - {""}:
        if source := registry.product_source(label, shop.config):
            own = {row.object_pk: row.pk for row in rows if row.model == label}
            names |= {own[pk]: name for pk, name in _read(source, own).items()}
    return names


def _read(source: ProductSource[Any], pks: Iterable[str]) -> dict[str, str]:
    """Return names by primary key as text; where the shop's tables cannot be read, none."""
    try:
        with transaction.atomic(source.db_alias), payload_context(source.shop):
            loaded = source.load(source.pks(pks).values())
            return {pk: _name(source, product) for pk, product in loaded.items()}
    except DatabaseError:
        return {}


def _name(source: ProductSource[Any], product: Any) -> str:
    if isinstance(product, Invalid):
        return ""
    try:
        return shorten(text_of(source.value("name", product) or ""))
    except InvalidValue:
        return ""


def named_like(shop: ShopState, term: str) -> Q:
    """Return the condition of rows whose product's name contains the term.

    Only a name that is a column of the shop's can be searched for.
    """
    found = Q()
    for source in registry.products(shop.config):
        entry = source.compiled.get("name")
        if entry is None or entry.kind != "lookup":
            continue
        try:
            with transaction.atomic(source.db_alias), payload_context(source.shop):
                named = source.live_queryset().filter(**{f"{entry.path}__icontains": term})
                pks = list(map(str, named.values_list("pk", flat=True)[:SEARCHED]))
        except (FieldError, DatabaseError):
            continue
        if pks:
            found |= Q(shop=shop, model=source.label, object_pk__in=pks)
    return found
