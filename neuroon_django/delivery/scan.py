"""Scan: compare the whole catalogue with what Neuroon was last known to hold.

It finds what no signal told: `update()`, `bulk_create`, raw SQL, a restored backup. It walks by
primary key, a page at a time, and remembers where it is in the shop's row. What differs and is the
usual case is claimed for this run in the statement that makes it due, and sent from what was rendered
for the comparison; the rest is made due behind all live edits.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from neuroon_django.delivery.comparison import PageComparison, compare
from neuroon_django.delivery.fold import make_due
from neuroon_django.feeds import ProductSource, Rendered, registry
from neuroon_django.feeds.source import NOT_THE_SHOPS, format_error
from neuroon_django.models import FoldLock, Lane, ShopState, SyncedProduct, unseen

logger = logging.getLogger("neuroon_django")

PAGE = 500
RUN_GAP = 300.0  # seconds without a run after which the shop counts as unattended
HEARTBEAT = 20.0  # seconds between two notes that a worker is here

# Where a scan is: which of two walks, the feed's label, and the last key seen.
Cursor = tuple[str, str, str]
SHOP, MIRROR = "shop", "mirror"


class Scan:
    """One walk over the shop's catalogue, then one over the mirror for what the shop has no more.

    `handed` are rows that are claimed for `lease_seconds`, with their rendered products; without a
    lease everything goes the ordinary way.
    """

    def __init__(self, shop: ShopState, *, lease_seconds: float = 0.0) -> None:
        self.shop = shop
        self.lease_seconds = lease_seconds
        self.handed: deque[tuple[SyncedProduct, Rendered]] = deque()
        self.seen = 0
        self.failed = ""  # the first feed that could not be asked; the next run begins with it
        self.over = False

    @classmethod
    def due(cls, shop: ShopState, *, asked: bool = False) -> Scan | None:
        """Return a scan, begun or gone on with, where the shop needs one; notes that a run is here.

        It is needed where the shop was never scanned at this address, where a scan was interrupted,
        and where changes may have gone unseen: the app was switched off, which no row can tell, so a
        time without any run counts as that.
        """
        since = timezone.now() - shop.run_at if shop.run_at else timedelta.max
        unattended = since > timedelta(seconds=RUN_GAP)
        if since > timedelta(seconds=HEARTBEAT):
            ShopState.objects.note_run(shop.pk)
        anew = unattended or asked or unseen.is_set()
        if anew:
            unseen.clear()
            ShopState.objects.request_scan(shop.pk)
        elif shop.scanned_at is not None and not shop.scan_cursor:
            return None
        shop.refresh_from_db(fields=["scan_cursor", "scanned_at"])
        scan = cls(shop)
        scan.begin()
        return scan

    @property
    def cursor(self) -> str:
        return self.shop.scan_cursor

    def begin(self) -> None:
        """Start, or go on with a scan that was interrupted."""
        label = self._label_after("")
        if not self.cursor and label:
            self._move((SHOP, label, ""))

    def step(self) -> bool:
        """Scan one page; return False when the scan is over. Another worker may have moved it on."""
        self.shop.refresh_from_db(fields=["scan_cursor"])
        if not self.cursor or self.over:
            return False
        walk, label, after = json.loads(self.cursor)
        if walk == MIRROR:
            last = self._mirror_page(int(after or 0))
            if not last and self.failed:
                self.over = True
                self._move((SHOP, self.failed, ""))
                return False
            self._move((MIRROR, "", last) if last else None)
        else:
            source = registry.product_source(label, self.shop.config)
            last = self._shop_page(source, after) if source else ""
            following = self._label_after(label)
            if last:
                self._move((SHOP, label, last))
            else:
                self._move((SHOP, following, "") if following else (MIRROR, "", ""))
        return bool(self.cursor)

    # The shop's catalogue

    def _shop_page(self, source: ProductSource[Any], after: str) -> str:
        """Compare products after that key; return the page's last key, "" at the end."""
        folds = FoldLock.objects.folds(self.shop) if self.lease_seconds else 0
        try:
            pks = source.keys_after(after, PAGE)
        except NOT_THE_SHOPS:
            raise
        except Exception as error:  # its own get_queryset(); the other feeds are scanned
            logger.warning("not_scanned feed=%s error=%s", source.label, format_error(error))
            self.failed = self.failed or source.label
            return ""
        if not pks:
            return ""
        self.seen += len(pks)
        page = compare(self.shop, source, list(map(str, pks)), hands_over=bool(self.lease_seconds))
        self._write(source.label, page, folds)
        return source.encode_cursor(pks[-1])

    def _write(self, label: str, page: PageComparison, folds: int) -> None:
        """Make due what differs; what was folded since the page was read is looked at anew."""
        if not page.differing and not page.claimable:
            return
        claimed: list[SyncedProduct] = []
        differing = page.differing
        with transaction.atomic(ShopState.objects.db):
            FoldLock.objects.hold(self.shop)
            if page.claimable and FoldLock.objects.folds(self.shop) == folds + 1:
                claimed, left = self._claim(label, page)
                differing = differing + left
            else:
                differing = [*differing, *page.claimable]
            if differing:
                make_due(self.shop, label, differing, Lane.BACKFILL)
        self.handed.extend((row, page.claimable[row.object_pk]) for row in claimed)

    def _claim(self, label: str, page: PageComparison) -> tuple[list[SyncedProduct], list[str]]:
        """Return the rows claimed for what was rendered, and the products that go the ordinary way."""
        external_ids = {pk: one.external_id for pk, one in page.claimable.items()}
        claimed = SyncedProduct.objects.claim_scanned(
            self.shop, label, external_ids, page.rows, self.lease_seconds
        )
        taken = {row.object_pk for row in claimed}
        return claimed, [pk for pk in page.claimable if pk not in taken]

    # The mirror

    def _mirror_page(self, after: int) -> str:
        """Take out rows after that id whose object is gone; return the page's last id."""
        owned = SyncedProduct.objects.of(self.shop).filter(pk__gt=after).exclude(model="")
        rows = list(owned.order_by("pk").values_list("pk", "model", "object_pk")[:PAGE])
        for label in dict.fromkeys(model for _, model, _ in rows):
            pks = {object_pk for _, model, object_pk in rows if model == label}
            gone = sorted(pks - self._alive(label, pks))
            if gone:
                with transaction.atomic(ShopState.objects.db):
                    FoldLock.objects.hold(self.shop)
                    make_due(self.shop, label, gone, Lane.BACKFILL)
        return str(rows[-1][0]) if rows else ""

    def _alive(self, label: str, texts: set[str]) -> set[str]:
        source = registry.product_source(label, self.shop.config)
        if source is None:
            return set()
        try:
            return source.existing(texts)
        except NOT_THE_SHOPS:
            raise
        except Exception:  # what cannot be looked for is not taken for gone
            return texts

    # The cursor

    def _label_after(self, label: str) -> str:
        """Return the next feed's label, in their order; "" after the last."""
        labels = [source.label for source in registry.products(self.shop.config)]
        return min((other for other in labels if other > label), default="")

    def _move(self, cursor: Cursor | None) -> None:
        """Write down where the scan is; where another worker moved it on, follow that one."""
        old, new = self.cursor, json.dumps(cursor, ensure_ascii=False) if cursor else ""
        scans = ShopState.objects
        moved = scans.move_scan(self.shop.pk, old, new) if new else scans.end_scan(self.shop.pk, old)
        FoldLock.objects.hold(self.shop)  # a page that another scan has read meanwhile is read anew
        if moved:
            self.shop.scan_cursor = new
        else:
            self.shop.refresh_from_db(fields=["scan_cursor"])
