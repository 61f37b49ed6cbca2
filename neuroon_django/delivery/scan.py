"""Scan: compare the whole catalogue with what Neuroon was last known to hold.

It finds what no signal told: `update()`, `bulk_create`, raw SQL, a restored backup. It walks by
primary key, a page at a time, remembers where it is in the shop's row, and makes due, behind all
live edits, only what differs.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from django.db import transaction
from django.db.models import Model

from neuroon_django.api import messages
from neuroon_django.delivery.fold import place
from neuroon_django.delivery.parcels import refused_digest
from neuroon_django.exceptions import InvalidProduct
from neuroon_django.feeds import ProductFeed, payload_context, registry
from neuroon_django.feeds.feed import format_error
from neuroon_django.models import ShopState, SyncedProduct, unseen
from neuroon_django.querysets import Lane, ProductStatus

logger = logging.getLogger("neuroon_django")

PAGE = 500
RUN_GAP = 300.0  # seconds without a run after which the shop counts as unattended

# Where a scan is: which of two walks, the feed's label, and the last key seen.
Cursor = tuple[str, str, str]
SHOP, MIRROR = "shop", "mirror"


class Scan:
    """One walk over the shop's catalogue, then one over the mirror for what the shop has no more."""

    def __init__(self, shop: ShopState) -> None:
        self.shop = shop
        self.seen = 0
        self.found = 0
        self.failed = ""  # the first feed that could not be asked; the next run begins with it
        self.over = False

    @classmethod
    def due(cls, shop: ShopState, *, asked: bool = False) -> Scan | None:
        """A scan, begun or gone on with, where the shop needs one; notes that a worker is here.

        Needed where the shop was never scanned at this address, where a scan was interrupted, and
        where changes may have gone unseen: the app was switched off, which no row can tell, so a
        time without any run counts as that.
        """
        if ShopState.objects.begin_run(shop.pk, RUN_GAP) or asked or unseen.is_set():
            unseen.clear()
            ShopState.objects.ask_for_scan(shop.pk)
        shop.refresh_from_db(fields=["scan_cursor", "scanned_at"])
        if shop.scanned_at is not None and not shop.scan_cursor:
            return None
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
        """One page; False when the scan is over. Another worker may have moved it on."""
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
            feed = registry.product_feed(label)
            last = self._shop_page(feed, after) if feed else ""
            following = self._label_after(label)
            if last:
                self._move((SHOP, label, last))
            else:
                self._move((SHOP, following, "") if following else (MIRROR, "", ""))
        return bool(self.cursor)

    def _shop_page(self, feed: ProductFeed[Any], after: str) -> str:
        """Products after that key, compared; returns the page's last key, "" at the end."""
        try:
            queryset = feed.beyond(feed.present(), after)
        except Exception as error:  # its own get_queryset(); the other feeds are scanned
            logger.warning("not_scanned feed=%s error=%s", feed.label, format_error(error))
            self.failed = self.failed or feed.label
            return ""
        pks = list(dict.fromkeys(queryset.values_list("pk", flat=True)[:PAGE]))
        if not pks:
            return ""
        self.seen += len(pks)
        self._place(feed.label, self._differing(feed, pks))
        return feed.mark(pks[-1])

    def _differing(self, feed: ProductFeed[Any], pks: list[Any]) -> list[str]:
        """Those whose payload is not the one last accepted or refused; the unknown are not built."""
        owned = SyncedProduct.objects.of(self.shop).filter(
            model=feed.label, object_pk__in=[str(pk) for pk in pks]
        )
        rows = {row.object_pk: row for row in owned}
        compared = [pk for pk in pks if (row := rows.get(str(pk))) and _is_settled(row)]
        loaded = feed.load(compared) if compared else {}
        with payload_context():
            same = {pk for pk, product in loaded.items() if _is_same(feed, product, rows[pk])}
        under_way = {pk for pk, row in rows.items() if row.due_at and row.lane != Lane.DELETES}
        return [str(pk) for pk in pks if str(pk) not in same | under_way]

    def _mirror_page(self, after: int) -> str:
        """Rows after that id whose object the shop has no more; returns the page's last id."""
        owned = SyncedProduct.objects.of(self.shop).filter(pk__gt=after).exclude(model="")
        rows = list(owned.order_by("pk").values_list("pk", "model", "object_pk")[:PAGE])
        for label in dict.fromkeys(model for _, model, _ in rows):
            pks = {object_pk for _, model, object_pk in rows if model == label}
            self._place(label, sorted(pks - self._alive(label, pks)))
        return str(rows[-1][0]) if rows else ""

    def _alive(self, label: str, texts: set[str]) -> set[str]:
        feed = registry.product_feed(label)
        if feed is None:
            return set()
        try:
            present = feed.present()
        except Exception:  # nobody is taken for gone who cannot be looked for
            return texts
        there = present.filter(pk__in=list(feed.pks(texts).values()))
        return set(map(str, there.values_list("pk", flat=True)))

    def _place(self, label: str, pks: list[str]) -> None:
        if not pks:
            return
        self.found += len(pks)
        with transaction.atomic(ShopState.objects.db):
            ShopState.objects.hold(self.shop.pk)
            place(self.shop, label, pks, Lane.BULK)

    def _label_after(self, label: str) -> str:
        """The next feed's, in the order of labels; "" after the last."""
        return min((feed.label for feed in registry.products() if feed.label > label), default="")

    def _move(self, cursor: Cursor | None) -> None:
        """Write down where the scan is; where another worker moved it on, follow that one."""
        old, new = self.cursor, json.dumps(cursor, ensure_ascii=False) if cursor else ""
        scans = ShopState.objects
        moved = scans.move_scan(self.shop.pk, old, new) if new else scans.end_scan(self.shop.pk, old)
        if moved:
            self.shop.scan_cursor = new
        else:
            self.shop.refresh_from_db(fields=["scan_cursor"])


def _is_settled(row: SyncedProduct) -> bool:
    return bool(row.digest) or row.status in (ProductStatus.UNLISTED, ProductStatus.REJECTED)


def _is_same(feed: ProductFeed[Any], product: Model, row: SyncedProduct) -> bool:
    """Whether sending this product again would change nothing."""
    try:
        if not feed.value("is_listed", product):
            return row.status in (ProductStatus.UNLISTED, ProductStatus.DELETING)
        external_id, payload = feed.payload(product)
    except InvalidProduct as invalid:
        return row.status == ProductStatus.REJECTED and row.last_error.startswith(str(invalid))
    known = (messages.digest(payload), refused_digest(payload))
    return external_id == row.external_id and (row.contested or row.digest in known)
