"""Scan: compare the whole catalogue with what Neuroon was last known to hold.

It finds what no signal told: `update()`, `bulk_create`, raw SQL, a restored backup. It walks the shop's
catalogue by primary key, then the mirror for what the shop has no more, a page at a time, and remembers
where it is in the shop's row. What differs and is the usual case is claimed for this run in the
statement that makes it due, and sent from what was rendered for the comparison; the rest is made due
behind all live edits. What is absent is only marked, and goes when all of it is known (`absent`).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction

from neuroon_django.api import messages
from neuroon_django.conf import conf
from neuroon_django.delivery import absent
from neuroon_django.delivery.comparison import PageComparison, compare
from neuroon_django.delivery.fold import make_due
from neuroon_django.delivery.history import prune
from neuroon_django.delivery.position import ABSENT, FORCED, MIRROR, SHOP, Position
from neuroon_django.feeds import ProductSource, Rendered, registry
from neuroon_django.feeds.source import NOT_THE_SHOPS, format_error
from neuroon_django.models import FoldLock, Lane, ShopState, SyncedProduct
from neuroon_django.models.endpoint import LONG_BACKOFF, backoff

logger = logging.getLogger("neuroon_django")

PAGE = 500
HEARTBEAT = timedelta(seconds=20)  # between two notes that a worker is here


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
        self.failed = ""  # the label of the first feed that could not be read
        self.over = False

    @classmethod
    def due(
        cls,
        shop: ShopState,
        *,
        asked: bool = False,
        forced: bool = False,
        foreground: bool = False,
    ) -> Scan | None:
        """Return a scan, begun or gone on with, where the shop needs one; notes that a run is here.

        It is needed where the shop was never scanned at this address, where a scan was interrupted,
        where an older version of the project has scanned, which does not know a feed of this one,
        where the last complete one is older than `NEUROON_SCAN_EVERY`, and where a process was
        switched off meanwhile. With `forced` whatever is absent is taken out. A feed that could not
        be read is tried later and later, but in the `foreground` at once.
        """
        if shop.is_past(shop.run_at, HEARTBEAT):
            ShopState.objects.note_run(shop.pk)
        asked = ShopState.objects.request_scans_of_unseen() or asked
        if asked or cls._is_old(shop):
            ShopState.objects.request_scan(shop.pk, FORCED if forced else "")
        elif not cls._is_under_way(shop, foreground=foreground):
            return None
        shop.refresh_from_db(fields=["scan_cursor", "scanned_at", "scanned_labels"])
        scan = cls(shop)
        scan.begin()
        return scan

    @staticmethod
    def _is_old(shop: ShopState) -> bool:
        """Return whether the last complete scan is older than the settings allow."""
        every = conf.SCAN_EVERY
        if every is None or shop.scanned_at is None or shop.scan_cursor:
            return False
        return shop.is_past(shop.scanned_at, every)

    @staticmethod
    def _is_under_way(shop: ShopState, *, foreground: bool) -> bool:
        """Return whether a scan is to be begun or gone on with now."""
        unscanned = set(registry.product_labels(shop.config)) - set(shop.scanned_labels)
        if shop.scanned_at is not None and not shop.scan_cursor and not unscanned:
            return False
        return foreground or shop.is_past(shop.scan_retry_at)

    @property
    def position(self) -> Position:
        """Return where the scan is."""
        return Position.read(self.shop.scan_cursor) if self.shop.scan_cursor else Position()

    @property
    def has_more(self) -> bool:
        """Return whether there is more to send or to look at."""
        return bool(self.handed or (self.shop.scan_cursor and not self.over))

    def begin(self) -> None:
        """Start, or go on with a scan that was interrupted."""
        at, walked = self.position, tuple(self.shop.scanned_labels)
        label = self._label_after("", walked)
        if not at.walk:
            absent.withdraw(self.shop)
        if label and not at.walk:
            mirror = SyncedProduct.objects.of(self.shop)
            if not walked:
                mirror.clear_absent()
            counts = mirror.count_by_model()
            self._move(Position(SHOP, label, counts=counts, forced=at.forced, walked=walked))

    def step(self) -> bool:
        """Scan one page; return False when the scan is over. Another worker may have moved it on."""
        self.shop.refresh_from_db(fields=["scan_cursor"])
        if self.over or not self.shop.scan_cursor:
            return False
        walks = {SHOP: self._walk_shop, MIRROR: self._walk_mirror, ABSENT: self._walk_absent}
        at = self.position
        if at.walk != SHOP:  # what else was walked, a process that knows it has to go through anew
            labels = registry.product_labels(self.shop.config)
            at = at._replace(walked=tuple(label for label in at.walked if label in labels))
        if not at.walk:  # asked for meanwhile, from the beginning
            self.begin()
            return self.has_more
        following = walks[at.walk](at)
        if following is None and at.failed:
            self.over, self.failed = True, at.failed
            again = at._replace(walk=SHOP, label=at.failed, after="", failed="")
            again = again._replace(failures=at.failures + 1, kept=())
            self._move(again, retry_in=backoff(at.failures, LONG_BACKOFF))
        else:
            self._move(following, walked=at.walked)
        return self.has_more

    # The walks: each looks at one page, and returns where the next one begins, None at the end

    def _walk_shop(self, at: Position) -> Position | None:
        source = registry.product_source(at.label, self.shop.config)
        last, walked = "", at.walked
        try:
            if source is not None:  # else it is stepped over, for a process that knows it
                last = self._shop_page(source, at.after)
                walked = (*walked, at.label)
        except NOT_THE_SHOPS:
            raise
        except Exception as error:  # the shop's own code or query; the other feeds are scanned
            reason = messages.text_of(format_error(error))
            logger.warning("not_scanned feed=%s error=%s", at.label, reason)
            at = at._replace(failed=at.failed or at.label)
        if last:
            return at._replace(after=last)
        label = self._label_after(at.label, walked)
        return at._replace(walk=SHOP if label else MIRROR, label=label, after="", walked=walked)

    def _walk_mirror(self, at: Position) -> Position | None:
        if last := absent.mark_gone(self.shop, int(at.after or 0), PAGE):
            return at._replace(after=str(last))
        kept = tuple(absent.kept_labels(self.shop, at.counts, forced=at.forced))
        return at._replace(walk=ABSENT, after="", kept=kept)

    def _walk_absent(self, at: Position) -> Position | None:
        last = absent.fold_marked(self.shop, int(at.after or 0), PAGE, kept=at.kept)
        return at._replace(after=str(last)) if last else None

    def _shop_page(self, source: ProductSource[Any], after: str) -> str:
        """Compare products after that key; return the page's last key, "" at the end."""
        folds = FoldLock.objects.folds(self.shop) if self.lease_seconds else 0
        pks = source.keys_after(after, PAGE)
        if not pks:
            return ""
        self.seen += len(pks)
        page = compare(self.shop, source, list(map(str, pks)), hands_over=bool(self.lease_seconds))
        self._write(source, page, folds)
        return source.encode_cursor(pks[-1])

    def _write(self, source: ProductSource[Any], page: PageComparison, folds: int) -> None:
        """Make due what differs; what was folded since the page was read is looked at anew."""
        SyncedProduct.objects.of(self.shop).mark_absent(page.absent)
        if not page.differing and not page.claimable:
            return
        claimed: list[SyncedProduct] = []
        differing: Sequence[str] = page.differing
        with transaction.atomic(ShopState.objects.db):
            FoldLock.objects.hold(self.shop)
            if page.claimable and FoldLock.objects.folds(self.shop) == folds + 1:
                claimed, left = self._claim(source.label, page)
                differing = [*differing, *left]
            else:
                differing = [*differing, *page.claimable]
            if differing:
                make_due(self.shop, source, differing, Lane.BACKFILL)
        self.handed.extend((row, page.claimable[row.object_pk]) for row in claimed)

    def _claim(self, label: str, page: PageComparison) -> tuple[list[SyncedProduct], list[str]]:
        """Return the rows claimed for what was rendered, and the products that go the ordinary way."""
        external_ids = {pk: one.external_id for pk, one in page.claimable.items()}
        claimed = SyncedProduct.objects.claim_scanned(
            self.shop, label, external_ids, page.rows, self.lease_seconds
        )
        taken = {row.object_pk for row in claimed}
        return claimed, [pk for pk in page.claimable if pk not in taken]

    # The cursor

    def _label_after(self, label: str, walked: Sequence[str]) -> str:
        """Return the next feed's label that was not walked, in their order; "" after the last."""
        labels = registry.product_labels(self.shop.config)
        following = (other for other in labels if other > label and other not in walked)
        return min(following, default="")

    def _move(
        self,
        position: Position | None,
        *,
        retry_in: float | None = None,
        walked: Sequence[str] = (),
    ) -> None:
        """Write down where the scan is; where another worker moved it on, follow that one."""
        scans, old, new = ShopState.objects, self.shop.scan_cursor, str(position or "")
        if position is None:
            moved = scans.end_scan(self.shop.pk, old, walked)
            prune(self.shop)
        else:
            moved = scans.move_scan(self.shop.pk, old, new, retry_in=retry_in)
        FoldLock.objects.hold(self.shop)  # a page that another scan has read meanwhile is read anew
        if moved:
            self.shop.scan_cursor = new
        else:
            self.shop.refresh_from_db(fields=["scan_cursor"])
