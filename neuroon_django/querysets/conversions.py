"""Orders on their way to becoming conversions: one row per order, filled by the shop's saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from neuroon_django import clicks
from neuroon_django.querysets.clock import DbNow, RawIn, later, retry_on_deadlock
from neuroon_django.querysets.delivery import DeliveryQuerySet, one_more
from neuroon_django.querysets.products import Name, placeholder_key
from neuroon_django.querysets.states import ConversionStatus

if TYPE_CHECKING:
    from neuroon_django.models import Change, Conversion, ShopState


class ConversionQuerySet(DeliveryQuerySet["Conversion"]):
    """Verbs on conversions."""

    def note(self, shop: ShopState, orders: Mapping[Name, Sequence[Change]]) -> None:
        """Fold: each order has a row, due, with the clicks seen so far; what was sent stays sent.

        `orders` maps each order to its changes, oldest first, with the cookies' texts that came
        with them. Runs inside the caller's transaction, which holds the shop's row.
        """
        keys = {placeholder_key(name): name for name in orders}
        known = {row.key: row for row in self.of(shop).filter(key__in=keys).select_for_update()}
        self.bulk_create(
            self.model(
                shop=shop,
                key=key,
                model=name[0],
                object_pk=name[1],
                clicks=clicks.merge(change.clicks for change in orders[name]),
                clicked_at=_clicked_at(orders[name]),
                due_at=DbNow(),
                waiting_since=DbNow(),
            )
            for key, name in keys.items()
            if key not in known
        )
        again = [row for row in known.values() if row.status != ConversionStatus.SENT]
        texts, times = {}, {}
        for row in again:
            changes = orders[keys[row.key]]
            texts[row.pk] = clicks.merge([row.clicks, *(change.clicks for change in changes)])
            times[row.pk] = _clicked_at(changes) or row.clicked_at
        columns: dict[str, dict[int, Any]] = {"clicks": texts, "clicked_at": times}
        self._touch(list(texts), **self._columns(columns, len(texts)))

    def unpaid(self, shop: ShopState, after: int, limit: int) -> list[Conversion]:
        """A page of orders that wait for payment and whose clicks are kept."""
        waiting = self.of(shop).filter(status=ConversionStatus.WAITING, due_at=None, pk__gt=after)
        return list(waiting.exclude(clicks="").order_by("pk")[:limit])

    @retry_on_deadlock
    def look_again(self, pks: list[int]) -> None:
        """Ask these orders once more whether they are paid."""
        self._touch(pks)

    @retry_on_deadlock
    def send_again(self) -> int:
        """Look at these orders again, all but those that were reported."""
        return self.exclude(status=ConversionStatus.SENT).order_by().update(**one_more())

    def _touch(self, pks: list[int], **values: object) -> None:
        if pks:
            self.filter(RawIn("pk", pks)).update(**one_more(), **values)

    @retry_on_deadlock
    def wipe_clicks(self, older_than: float) -> int:
        """Forget clicks made that many seconds ago, at any shop id, unless their order is due."""
        old = self.filter(clicked_at__lt=later(-older_than), due_at=None).exclude(clicks="")
        return old.update(clicks="", clicked_at=None)


def _clicked_at(changes: Sequence[Change]) -> datetime | None:
    """When the latest of these clicks were told; None where there are none."""
    return max((change.created_at for change in changes if change.clicks), default=None)
