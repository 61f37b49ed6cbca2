"""Orders on their way to becoming conversions: one row per order, filled by the shop's saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from neuroon_django import clicks
from neuroon_django.api.messages import ConversionReport
from neuroon_django.clicks import Clicked
from neuroon_django.models.assignment import Name, placeholder_key
from neuroon_django.models.delivery import (
    Delivery,
    DeliveryQuerySet,
    Lane,
    changed_once_more,
)
from neuroon_django.models.outcomes import Outcomes
from neuroon_django.models.product import SyncedProduct
from neuroon_django.models.sql import DbNow, PrimaryManager, RawIn, from_now, retry_on_deadlock

if TYPE_CHECKING:
    from neuroon_django.models.change import Change
    from neuroon_django.models.shop import ShopState


# The columns that hold what a shopper clicked, as they are once it is forgotten.
FORGOTTEN: dict[str, Any] = {"clicks": "", "clicked_owners": "", "clicked_at": None}
MOST_VALUE = 10**16


class ConversionStatus(models.TextChoices):
    """What the shop's operator reads of an order."""

    WAITING = "waiting", _("waiting for payment")
    PENDING = "pending", _("pending")
    SENDING = "sending", _("sending")
    SENT = "sent", _("sent")
    NOT_ATTRIBUTED = "not_attributed", _("not attributed")
    REJECTED = "rejected", _("rejected")


class ConversionOutcomes(Outcomes["Conversion"]):
    """What can come of claimed orders: one method for each, settled in one statement."""

    def waiting(self, row: Conversion) -> None:
        """The order is not paid yet, or has no lines yet."""
        self._add(row, status=ConversionStatus.WAITING, last_error="", order_id=row.order_id)

    def not_attributed(self, row: Conversion, note: str = "") -> None:
        """Nothing of the paid order is reported: no line came from a search, or it is cancelled."""
        self._add(row, status=ConversionStatus.NOT_ATTRIBUTED, last_error=note, order_id=row.order_id)

    def rejected(self, row: Conversion, reason: str) -> None:
        """The order cannot be reported, or was refused."""
        self._failed(row, reason, status=ConversionStatus.REJECTED, order_id=row.order_id)

    def refused(self, row: Conversion, reason: str) -> None:
        """It was refused, nobody knows for whose fault: it is tried again behind all others."""
        self._failed(
            row,
            reason,
            retry=True,
            status=ConversionStatus.PENDING,
            lane=Lane.REFUSED,
            order_id=row.order_id,
        )

    def retry(self, row: Conversion, reason: str = "") -> None:
        """The order is tried again after the delay; without a reason it keeps its last one."""
        if reason:
            self._failed(row, reason, retry=True, status=ConversionStatus.PENDING)
        else:
            self._add(row, retry=True)

    def sent(self, row: Conversion, report: ConversionReport, note: str = "") -> None:
        """Neuroon has the report: the row is closed for good and its clicks are forgotten.

        What the order was worth is kept, and how much of it a search led to.
        """
        row.status, row.sent_at, row.clicks = ConversionStatus.SENT, timezone.now(), ""
        row.value, row.currency = _storable(report.order_value), report.currency
        row.attributed_value = _storable(sum(line.line_total for line in report.conversions))
        kept = ("status", "sent_at", "value", "currency", "attributed_value")
        sent: dict[str, Any] = {name: getattr(row, name) for name in kept}
        self._add(row, final=True, last_error=note, **sent, **FORGOTTEN)


class ConversionQuerySet(DeliveryQuerySet["Conversion"]):
    """What happens to conversions."""

    def record_orders(self, shop: ShopState, orders: Mapping[Name, Sequence[Change]]) -> None:
        """Fold: each order has a row, due, with the clicks seen so far; what was sent stays sent.

        `orders` maps each order to its changes, oldest first, with the cookies' texts that came
        with them. Runs inside the caller's transaction, which holds the fold lock.
        """
        keys = {placeholder_key(name): name for name in orders}
        known = {row.key: row for row in self.of(shop).filter(key__in=keys).select_for_update()}
        rows = [known.get(key) or self._new(shop, key, name) for key, name in keys.items()]
        open_rows = [row for row in rows if row.status != ConversionStatus.SENT]
        before = {row.key: row.clicked for row in open_rows}
        for row in open_rows:
            changes = orders[keys[row.key]]
            row.clicks = clicks.merge([row.clicks, *(change.clicks for change in changes)])
            row.clicked_at = _clicked_at(changes) or row.clicked_at
        owners_now = SyncedProduct.objects.owners(
            shop, [clicked for row in open_rows for clicked in row.clicked.searches]
        )
        for row in open_rows:
            row.clicked_owners = row.clicked.dump_owners(owners_now, before[row.key])
        self.bulk_create(row for row in rows if row.key not in known)
        self._touch([row for row in open_rows if row.key in known])

    def _new(self, shop: ShopState, key: str, name: Name) -> Conversion:
        """Return the row of an order that has none yet, due."""
        now = {"due_at": DbNow(), "waiting_since": DbNow()}
        return self.model(shop=shop, key=key, model=name[0], object_pk=name[1], **now)

    def move(self, shop: ShopState) -> None:
        """Give orders to the shop in whose pages they were clicked."""
        self.update(shop=shop)

    def begin_sending(self, rows: Sequence[Conversion], seconds: float) -> list[Conversion]:
        """Mark orders as being reported, under the order id that is reported."""
        order_ids = {row.pk: row.order_id for row in rows}
        columns = self._columns({"order_id": order_ids}, len(rows))
        return self._begin(rows, seconds, status=ConversionStatus.SENDING, **columns)

    @retry_on_deadlock
    def reassess(self, shop: ShopState) -> int:
        """Ask again of all orders that wait and whose clicks are kept; behind those that changed."""
        waiting = self.of(shop).filter(status=ConversionStatus.WAITING, due_at=None)
        unpaid = waiting.exclude(clicks="").order_by()
        return unpaid.update(**changed_once_more(), lane=Lane.BACKFILL)

    def requeueable(self) -> Self:
        """Rows of orders that were not reported."""
        return self.exclude(status=ConversionStatus.SENT).order_by()

    @retry_on_deadlock
    def requeue(self) -> int:
        """Make these orders due, all but those that were reported."""
        return self.requeueable().update(**changed_once_more(), lane=Lane.LIVE)

    def retry_rejected(self, shop: ShopState) -> int:
        """Make every rejected order due, whatever was refused."""
        return self.of(shop).filter(status=ConversionStatus.REJECTED).requeue()

    @retry_on_deadlock
    def prune(self, older_than: float) -> None:
        """Delete rows of that many seconds ago in which nothing is kept and nothing was clicked."""
        settled = [ConversionStatus.WAITING, ConversionStatus.NOT_ATTRIBUTED]
        old = self.filter(status__in=settled, created_at__lt=from_now(-older_than))
        old.filter(clicks="", due_at=None).order_by()._raw_delete(self.db)

    def _touch(self, rows: Sequence[Conversion]) -> None:
        """Make known rows due, with their clicks as they are now."""
        if rows:
            values = {name: {row.pk: getattr(row, name) for row in rows} for name in FORGOTTEN}
            kept = self._columns(values, len(rows))
            touched = self.filter(RawIn("pk", [row.pk for row in rows]))
            touched.update(**changed_once_more(), lane=Lane.LIVE, **kept)

    @retry_on_deadlock
    def wipe_clicks(self, older_than: float) -> int:
        """Forget clicks made that many seconds ago, at any shop id, unless their order is due."""
        made_by = timezone.now() - timedelta(seconds=older_than)
        old = self.filter(clicked_at__lt=made_by, due_at=None).exclude(clicks="")
        return old.update(**FORGOTTEN)


def _storable(amount: Decimal | int) -> Decimal | None:
    """Return an amount, None for one that no shop can mean and the column cannot hold."""
    return Decimal(amount) if amount < MOST_VALUE else None


def _clicked_at(changes: Sequence[Change]) -> datetime | None:
    """Return when the latest of these clicks were recorded; None where there are none."""
    return max((change.created_at for change in changes if change.clicks), default=None)


class Conversion(Delivery):
    """One order of the shop and what became of its report."""

    Status = ConversionStatus

    order_id = models.CharField(_("order"), max_length=255, default="", blank=True, db_index=True)
    status = models.CharField(
        _("status"),
        max_length=20,
        choices=ConversionStatus.choices,
        default=ConversionStatus.PENDING,
    )
    clicks = models.TextField(_("clicks"), default="", blank=True)
    # Which products had the clicked ids then, as `Clicked` writes it.
    clicked_owners = models.TextField(default="", blank=True)
    clicked_at = models.DateTimeField(_("clicked"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True, db_index=True)
    # Of the order when it was reported, and of those of its lines that a search led to.
    value = models.DecimalField(_("value"), max_digits=18, decimal_places=2, null=True)
    attributed_value = models.DecimalField(
        _("attributed value"), max_digits=18, decimal_places=2, null=True
    )
    currency = models.CharField(_("currency"), max_length=3, default="", blank=True)

    objects = PrimaryManager.from_queryset(ConversionQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("conversion")
        verbose_name_plural = _("conversions")
        constraints = [
            models.UniqueConstraint(fields=["key", "shop"], name="neuroon_one_row_per_order")
        ]
        indexes = [
            models.Index(fields=["lane", "due_at", "shop"], name="neuroon_conversion_due"),
            models.Index(fields=["object_pk", "model", "shop"], name="neuroon_conversion_owner"),
            models.Index(fields=["clicked_at"], name="neuroon_conversion_clicked"),
            models.Index(fields=["status", "shop"], name="neuroon_conversion_status"),
        ]

    @property
    def clicked(self) -> Clicked:
        """Return what the shopper clicked, as far as it is kept."""
        return Clicked.read(self.clicks, self.clicked_owners)

    def __str__(self) -> str:
        return self.order_id or f"{self.model} {self.object_pk}"
