"""What all workers share about one shop id at one API address: the scan, the way, the token."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from neuroon_django.api.messages import WAYS, Route, Way
from neuroon_django.models.endpoint import Endpoint, Group
from neuroon_django.models.fold_lock import FoldLock
from neuroon_django.models.index_times import add_times
from neuroon_django.models.monitoring import MonitoringColumns, MonitoringQuerySet
from neuroon_django.models.several_shops import SeveralShopsQuerySet
from neuroon_django.models.sql import DbNow, PrimaryManager, from_now, retry_on_deadlock
from neuroon_django.models.verification import VerificationColumns

if TYPE_CHECKING:
    from neuroon_django.conf import ShopConfig


logger = logging.getLogger("neuroon_django")

SUCCESS_REST = timedelta(seconds=10)  # between two notes of a success


class TokenMethod(models.TextChoices):
    """How a widget token came about; `NEUROON_WIDGET_TOKEN` may fix it."""

    ISSUE = "issue"
    SIGN = "sign"


class ShopStateQuerySet(SeveralShopsQuerySet, MonitoringQuerySet):  # type: ignore[override]
    """What happens to a shop's row."""

    def for_config(self, config: ShopConfig) -> ShopState:
        """Return the row of a configured shop, made where there is none, with the database's time."""
        shop: ShopState
        rows: Any = self.annotate(read_at=DbNow())
        shop, created = rows.get_or_create(shop_id=config.SHOP_ID, api_url=config.API_URL)
        if created:
            FoldLock.objects.get_or_create(shop=shop)
            shop = rows.get(pk=shop.pk)
        shop.config = config
        return shop

    def request_scan(self, pk: int, cursor: str = "") -> None:
        """Make the next run scan, from the beginning, whatever was scanned before."""
        unscanned: dict[str, Any] = {"scanned_at": None, "scanned_labels": [], "scan_retry_at": None}
        self.filter(pk=pk).update(scan_cursor=cursor, **unscanned)

    def request_scans(self) -> None:
        """Make every shop scan, whether or not its settings are there."""
        self.update(scanned_at=None, scanned_labels=[], scan_cursor="", scan_retry_at=None)

    def note_run(self, pk: int) -> None:
        """Note that a worker is here."""
        self.filter(pk=pk).update(run_at=DbNow())

    def move_scan(self, pk: int, old: str, new: str, *, retry_in: float | None = None) -> bool:
        """Advance the scan's cursor; return False where another worker did so first.

        With `retry_in` the scan goes on after so many seconds.
        """
        retry_at = None if retry_in is None else from_now(retry_in)
        mine = self.filter(pk=pk, scan_cursor=old)
        return bool(mine.update(scan_cursor=new, run_at=DbNow(), scan_retry_at=retry_at))

    def end_scan(self, pk: int, old: str, labels: Sequence[str]) -> bool:
        """Note that the scan went through the catalogue, as far as it is of these labels.

        What was not folded is found.
        """
        mine = self.filter(pk=pk, scan_cursor=old)
        ended: dict[str, Any] = {"scanned_at": DbNow(), "scan_ended_at": DbNow(), "fold_error": ""}
        return bool(mine.update(scan_cursor="", scanned_labels=list(labels), **ended))

    @retry_on_deadlock
    def set(self, pk: int, **values: Any) -> None:
        """Remember facts: the route found, the verified domain, the token, …"""
        self.filter(pk=pk).update(**values)


class ShopState(MonitoringColumns, VerificationColumns):
    """One shop id at one API address. `config` is the shop of the settings that it stands for."""

    id = models.BigAutoField(primary_key=True)
    shop_id = models.CharField(max_length=200)
    api_url = models.CharField(max_length=255)

    run_at = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    scan_cursor = models.TextField(default="", blank=True)
    scan_retry_at = models.DateTimeField(null=True, blank=True)
    fold_error = models.TextField(default="", blank=True)  # why it scans in place of folds; "": they go
    scan_warning = models.TextField(default="", blank=True)  # why it took nothing out; "": it did
    scanned_at = models.DateTimeField(null=True, blank=True)
    scanned_labels = models.JSONField(default=list, blank=True)  # the feeds that it went through
    # By which path and in which form Neuroon has accepted products, and which ways it has refused.
    route = models.CharField(max_length=10, default="", blank=True)
    body = models.CharField(max_length=10, default="", blank=True)
    refused_ways = models.JSONField(default=list, blank=True)
    verified_domain = models.CharField(max_length=255, default="", blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    token = models.TextField(default="", blank=True)
    token_issued_at = models.DateTimeField(null=True, blank=True)
    token_key = models.CharField(max_length=16, default="", blank=True)  # the API key's fingerprint
    token_method = models.CharField(max_length=10, choices=TokenMethod.choices, default="", blank=True)

    config: ShopConfig  # set by `for_config`
    read_at: datetime | None = None
    in_neuroon: int  # of its products, where `unconfigured()` counted them
    _endpoints: dict[str, Endpoint] | None = None

    objects = PrimaryManager.from_queryset(ShopStateQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("shop")
        verbose_name_plural = _("shops")
        constraints = [
            models.UniqueConstraint(fields=["shop_id", "api_url"], name="neuroon_one_shop_state")
        ]

    def __str__(self) -> str:
        return f"{self.shop_id} at {self.api_url}"

    def is_past(self, moment: datetime | None, age: timedelta = timedelta(0)) -> bool:
        """Return whether a moment that the database stamped is so long ago, or is none.

        The process may have another clock: without `USE_TZ` it counts in the local time zone.
        """
        if moment is None or self.read_at is None:
            return True
        return self.read_at - moment >= age

    @property
    def identity(self) -> tuple[str, str]:
        """The shop id and the API address, as `ShopConfig.identity` has them."""
        return self.shop_id, self.api_url

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """The shop's endpoints by their group, read once; made where there are none."""
        if self._endpoints is None:
            self._endpoints = self._read_endpoints()
        if len(self._endpoints) < len(Group.values):
            Endpoint.objects.create_missing(self)
            self._endpoints = self._read_endpoints()
        return self._endpoints

    def _read_endpoints(self) -> dict[str, Endpoint]:
        rows = list(Endpoint.objects.filter(shop=self))
        for row in rows:
            row.shop = self
        return {row.group: row for row in rows}

    def forget_endpoints(self) -> None:
        """Read the endpoints anew when they are asked for."""
        self._endpoints = None

    def endpoint(self, group: str) -> Endpoint:
        """Return the endpoint of a group."""
        return self.endpoints[group]

    @property
    def ways(self) -> list[Way]:
        """The ways in which products may be sent, as the settings have it (`API.md`, "Products")."""
        fixed = self.config.PRODUCTS_API
        return [way for way in WAYS if fixed in ("auto", way.route)]

    @property
    def known_way(self) -> Way | None:
        """The way in which products are sent, None as long as it is being found."""
        ways = self.ways
        found = [way for way in ways if way.route == self.route and self.body in ("", way.body)]
        return next(iter(found if len(ways) > 1 else ways), None)

    @property
    def known_route(self) -> Route | None:
        """The path of products where it is known, by the settings or by what was accepted."""
        fixed = self.config.PRODUCTS_API
        known: Any = self.route if fixed == "auto" else fixed
        return known or None

    def fold_failed(self, reason: str) -> None:
        """Scan in the stead of changes that could not be folded; tell why, once per reason."""
        ShopState.objects.fold_failed(self.pk, reason)
        if reason != self.fold_error:
            logger.error("not_folded shop=%s reason=%s", self.config.alias, reason)
        self.fold_error = reason

    def way_found(self, way: Way) -> None:
        """Remember the way in which a product was accepted."""
        self.route, self.body, self.refused_ways = way.route, way.body, []
        ShopState.objects.set(self.pk, route=way.route, body=way.body, refused_ways=[])

    def set_refused_ways(self, refusals: list[dict[str, Any]]) -> None:
        """Remember which ways were refused while one is looked for, so that no run begins anew."""
        self.refused_ways = refusals
        ShopState.objects.set(self.pk, refused_ways=refusals)

    def token_replaced(self, text: str, now: float, method: TokenMethod) -> None:
        """Store a widget token of the present key that is good from `now` (POSIX seconds) on."""
        self.token, self.token_method = text, method
        self.token_issued_at = datetime.fromtimestamp(now, tz=UTC if settings.USE_TZ else None)
        self.token_key = self.config.key_fingerprint
        columns = ("token", "token_method", "token_issued_at", "token_key")
        ShopState.objects.set(self.pk, **{name: getattr(self, name) for name in columns})

    def note_totals(self, **totals: int | None) -> None:
        """Remember how many products there were: `shop`, `neuroon` and `quota`; None is unknown.

        What is not named stays as it was.
        """
        known = {name: n for name, n in (self.totals | totals).items() if n is not None}
        ShopState.objects.set(self.pk, totals=known, compared_at=timezone.now())

    def note_success(self, index_seconds: Sequence[float] = ()) -> None:
        """Remember, every few seconds at most, that Neuroon accepted something.

        `index_seconds` is how long each live edit took that was accepted; these are always kept.
        """
        now = timezone.now()
        resting = self.last_success_at is not None and now - self.last_success_at <= SUCCESS_REST
        if resting and not index_seconds:
            return
        self.last_success_at = now
        noted: dict[str, Any] = {"last_success_at": now}
        if index_seconds:  # else a run over the orders would write down the times as it once read them
            self.index_times = noted["index_times"] = add_times(self.index_times, index_seconds)
        ShopState.objects.set(self.pk, **noted)

    def pauses(self) -> list[Endpoint]:
        """Return the endpoints that are blocked for a reason."""
        return [self.endpoints[group] for group in Group.values if self.endpoints[group].reason]

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """Read the row anew; where that is the whole row, its endpoints too when they are asked for."""
        super().refresh_from_db(*args, **kwargs)
        if not kwargs.get("fields"):
            self.forget_endpoints()
