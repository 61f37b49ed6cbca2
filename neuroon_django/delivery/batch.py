"""A batch: claimed products with what was rendered of them, as one request."""

from __future__ import annotations

from collections.abc import Sequence

from neuroon_django.api import Client, messages
from neuroon_django.delivery.channel import Channel, Request
from neuroon_django.feeds import Rendered
from neuroon_django.models import SyncedProduct


class ProductBatch(Request[SyncedProduct]):
    """One request's worth of claimed rows and their rendered products, in the same order."""

    def __init__(
        self,
        channel: Channel[SyncedProduct],
        rows: Sequence[SyncedProduct],
        rendered: Sequence[Rendered],
        way: messages.Way,
    ) -> None:
        super().__init__(channel, rows)
        self.rendered = {row.pk: one for row, one in zip(rows, rendered, strict=True)}
        self.way = way

    def call(self, client: Client) -> messages.SyncResult:
        payloads = [self.rendered[row.pk].payload for row in self.rows]
        return client.sync_products(payloads, self.ids, *self.way)

    @property
    def ids(self) -> list[str]:
        return [row.external_id for row in self.rows]

    def part(self, rows: Sequence[SyncedProduct], way: messages.Way | None = None) -> ProductBatch:
        """Return the same for some of the rows, or in another way."""
        rendered = [self.rendered[row.pk] for row in rows]
        part = ProductBatch(self.channel, rows, rendered, way or self.way)
        part.is_part = True
        part.outcome_unknown = self.outcome_unknown
        return part

    def halves(self) -> list[ProductBatch]:
        middle = (len(self.rows) + 1) // 2
        return [self.part(self.rows[:middle]), self.part(self.rows[middle:])]
