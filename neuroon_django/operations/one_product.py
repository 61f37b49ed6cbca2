"""One product end to end: what would be sent of it, what was, and what Neuroon answered."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldError, ValidationError
from django.db import transaction

from neuroon_django.api import Client
from neuroon_django.api.receiving import Answer
from neuroon_django.api.text import text_of
from neuroon_django.delivery import fold_all, product_run
from neuroon_django.delivery.fold import make_due
from neuroon_django.exceptions import ApiError
from neuroon_django.feeds import ProductSource, payload_context, registry
from neuroon_django.models import FoldLock, Lane, ShopState, SyncedProduct
from neuroon_django.models.assignment import key_of

BODY_SHOWN = 2000  # characters of an answer


@dataclass
class Exchange:
    """A request and its answer: the bytes that were sent, and the status and text that came back."""

    method: str
    path: str
    body: bytes | None
    status: int | None
    answer: str


class RecordingClient(Client):
    """A client that keeps what it sent and what it was answered."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.exchanges: list[Exchange] = []

    def _call(
        self, method: str, path: str, body: bytes | None = None, origin: str | None = None
    ) -> Answer:
        try:
            answer = super()._call(method, path, body, origin)
        except ApiError as error:
            self.exchanges.append(Exchange(method, path, body, error.status, text_of(error.message)))
            raise
        text = text_of(answer.body.decode(errors="replace"), BODY_SHOWN)
        self.exchanges.append(Exchange(method, path, body, answer.status, text))
        return answer


def find_rows(shop: ShopState, name: str) -> list[SyncedProduct]:
    """Return the rows of the products that have this external id or primary key, made due.

    What the shop has without a row gets one; what it has no more is a delete, if Neuroon has it.
    """
    fold_all(shop)
    own = SyncedProduct.objects.of(shop)
    found = {(row.model, row.object_pk) for row in own.filter(key=key_of(name))}
    for source in registry.products(shop.config):
        pks = {pk for model, pk in found if model == source.label} | _pks_named(source, name)
        if pks:
            with transaction.atomic(SyncedProduct.objects.db):
                FoldLock.objects.hold(shop)
                make_due(shop, source, pks, Lane.LIVE)
            found |= {(source.label, pk) for pk in pks}
    rows = [row for model, pk in found for row in own.filter(model=model, object_pk=pk)]
    return rows or list(own.filter(key=key_of(name)))


def _pks_named(source: ProductSource[Any], name: str) -> set[str]:
    """Return the primary keys, as text, of a feed's objects with this external id or primary key."""
    entry = source.compiled["external_id"]
    keys = source.existing([name])
    if entry.path:
        with payload_context(source.shop), suppress(FieldError, ValidationError, ValueError):
            found = source.live_queryset().filter(**{entry.path: name})
            keys |= set(map(str, found.values_list("pk", flat=True)))
    return keys


def send(shop: ShopState, client: Client, rows: list[SyncedProduct]) -> None:
    """Send these rows and no others, whatever Neuroon is known to hold of them."""
    SyncedProduct.objects.filter(pk__in=[row.pk for row in rows], lane=Lane.LIVE).requeue()
    run = product_run(shop, client, foreground=True, keys={row.key for row in rows})
    run.run()
