"""One change, many shops (law 20): products are folded for every shop, an order for the one it is of.

What a shop's own rules break (its language, its queryset, its SQL) stays with that shop: the others
are folded, and it scans as soon as it can be asked again, which finds what was not folded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.db import connections, transaction

from neuroon_django.api import messages
from neuroon_django.conf import conf
from neuroon_django.delivery.building import Results
from neuroon_django.feeds import Invalid, ProductSource, registry
from neuroon_django.feeds.context import payload_context
from neuroon_django.feeds.source import format_error
from neuroon_django.models import Assignment, Change, Conversion, ConversionStatus, ShopState
from neuroon_django.models.assignment import Name, placeholder_key
from neuroon_django.models.sql import is_conflict

logger = logging.getLogger("neuroon_django")

Orders = Mapping[Name, Sequence[Change]]


def assignments_of(
    shop: ShopState, named: Mapping[str, Iterable[str]], since: datetime
) -> list[Assignment]:
    """Return what a shop's feeds say of products, by model label and key as text, in a savepoint.

    A feed that cannot be asked is left out, and its shop scans in the stead of what is folded.
    """
    found: list[Assignment] = []
    failures: list[str] = []
    with collecting(failures), transaction.atomic(Change.objects.db):
        for source in registry.products(shop.config):
            if source.label in named:
                with collecting(failures):
                    found.append(assignment_of(source, named[source.label], since))
    if failures:
        shop.fold_failed(failures[0])
    return found


def assignment_of(
    source: ProductSource[Any], texts: Iterable[str], since: datetime | None = None
) -> Assignment:
    """Return the external ids that products, by their keys as text, have now at the source's shop.

    `since` is when the first of their changes was made.
    """
    asked = dict.fromkeys(texts)
    found = source.pks(asked)
    asked |= dict.fromkeys(found)
    known = source.external_ids(found.values())
    external_ids = {pk: known[pk] for pk in [*found, *known] if pk in known}
    gone = asked.keys() - external_ids.keys()
    return Assignment(source.label, external_ids, gone, registry.product_labels(source.shop), since)


def note_unreadable(shop: ShopState, results: Results) -> None:
    """Let the shop scan as soon as it can be asked again, where a feed failed for all its products.

    Each of them is rejected meanwhile, with the reason.
    """
    for label in {label for label, _ in results}:
        own = {pk: result for (of, pk), result in results.items() if of == label}
        source = registry.product_source(label, shop.config)
        failures: list[str] = []
        if source is not None and all(isinstance(result, Invalid) for result in own.values()):
            with collecting(failures), payload_context(shop.config):
                source.check_readable(list(source.pks(list(own)[:1]).values()))
        if failures:
            shop.fold_failed(failures[0])


@contextmanager
def collecting(failures: list[str]) -> Iterator[None]:
    """Keep what the shop's code or SQL raises as a reason; raise what ended the transaction."""
    try:
        yield
    except Exception as error:
        ended = connections[Change.objects.db].needs_rollback or is_conflict(error)
        if ended or isinstance(error, SoftTimeLimitExceeded):
            raise
        failures.append(messages.text_of(format_error(error)))


def by_shop(shops: Sequence[ShopState], orders: Orders) -> dict[ShopState, Orders]:
    """Return each order with its changes under the one shop that it belongs to.

    That is the shop in whose pages it was clicked, then the one that has its row, then the one that
    its feed names, then the first that has its feed; clicks in another shop's pages are left out.
    """
    if len(conf.shops()) == 1:
        return {shops[0]: orders}
    rows = _rows_of(shops, orders)
    result: dict[ShopState, dict[Name, Sequence[Change]]] = {}
    candidates = _candidates(shops)
    named = _named_by_feeds(candidates, [name for name in orders if name not in rows])
    for name, changes in orders.items():
        able = candidates.get(name[0])
        if not able:
            continue
        known = max(rows.get(name, ()), key=_closeness, default=None)
        shop = _shop_of(able, known, changes, named.get(name, ""))
        if known is not None and all(row.shop_id != shop.pk for row in rows[name]):
            Conversion.objects.filter(pk=known.pk).move(shop)
        for change in changes:
            if change.shop not in ("", shop.config.fingerprint):
                change.clicks = ""
        result.setdefault(shop, {})[name] = changes
    return dict(result)


def _rows_of(shops: Sequence[ShopState], orders: Iterable[Name]) -> dict[Name, list[Conversion]]:
    """Return the rows that orders have at these shops.

    An order may have two: it got another one while the shop of its first was out of the settings.
    """
    keys = {placeholder_key(name): name for name in orders}
    rows: dict[Name, list[Conversion]] = {}
    for row in Conversion.objects.filter(shop__in=shops, key__in=keys).order_by("pk"):
        rows.setdefault(keys[row.key], []).append(row)
    return rows


def _closeness(row: Conversion) -> tuple[bool, bool]:
    """Return how close a row is to its report: of two, the one that was reported counts."""
    return row.status == ConversionStatus.SENT, bool(row.clicks)


def _candidates(shops: Sequence[ShopState]) -> dict[str, list[ShopState]]:
    """Return the shops that have a feed of orders, by the label of its model."""
    able: dict[str, list[ShopState]] = {}
    for shop in shops:
        for label in registry.order_labels(shop.config):
            able.setdefault(label, []).append(shop)
    return able


def _named_by_feeds(
    candidates: Mapping[str, Sequence[ShopState]], names: Sequence[Name]
) -> dict[Name, str]:
    """Return the alias that the feed gives for each order, as far as it gives one."""
    found: dict[Name, str] = {}
    for source in registry.orders():
        pks = [pk for label, pk in names if label == source.label]
        if pks and "shop_alias" in source.compiled and source.label in candidates:
            aliases = source.shop_aliases(pks)
            found |= {(source.label, pk): alias for pk, alias in aliases.items()}
    return found


def _shop_of(
    shops: Sequence[ShopState], row: Conversion | None, changes: Sequence[Change], alias: str
) -> ShopState:
    """Return the shop that an order belongs to, of those that have a feed for it."""
    by_pk = {shop.pk: shop for shop in shops}
    known = row is not None and (row.clicks or row.status == ConversionStatus.SENT)
    if row is not None and known and row.shop_id in by_pk:
        return by_pk[row.shop_id]
    by_fingerprint = {shop.config.fingerprint: shop for shop in shops}
    clicked = (by_fingerprint.get(change.shop) for change in changes if change.clicks)
    said = next(filter(None, clicked), None)
    if said is not None:
        return said
    if row is not None and row.shop_id in by_pk:
        return by_pk[row.shop_id]
    named = [shop for shop in shops if shop.config.alias == alias]
    shop = (named or shops)[0]
    if not named and len(shops) > 1 and any(change.clicks for change in changes):
        logger.warning(
            "clicks_without_shop shop=%s: set NEUROON_SHOP_FOR_REQUEST, or shop_alias in the feed",
            shop.config.alias,
        )
    return shop
