"""A run: fold, claim, send and settle until nothing is due, the time is up, or a gate is closed.

Rows change hands only through the verbs of `querysets`; a run that dies anywhere leaves rows that
are due again when their lease ends. Requests may fly side by side (`NEUROON_IN_FLIGHT`): the threads
only talk HTTP, the database is the business of the run's own thread.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from django.utils import timezone

from neuroon_django.api import Client, messages
from neuroon_django.conf import conf
from neuroon_django.delivery.fold import fold_all
from neuroon_django.delivery.parcels import Parcel, Removal, TooLate, sort
from neuroon_django.delivery.removals import RemovalVerdicts
from neuroon_django.delivery.scan import Scan
from neuroon_django.delivery.troubles import Tally
from neuroon_django.delivery.verdicts import SUSPECTS, Verdicts
from neuroon_django.exceptions import ApiError
from neuroon_django.feeds.feed import format_error
from neuroon_django.models import Change, ShopState, SyncedProduct
from neuroon_django.models.gates import MOMENT, backoff
from neuroon_django.querysets import Lane, ProductStatus, Settlement

logger = logging.getLogger("neuroon_django")

DELETES_AT_ONCE = 20
QUIET = 0.5  # seconds that a lane found empty is left alone, unless something was folded


class ProductRun:
    """One worker's run over the products of one shop.

    `force` tries now whatever a backoff or a pause says, and sits a `Retry-After` out instead of
    leaving it to the next run; `until` is the monotonic second at which no new request begins.
    """

    def __init__(
        self,
        shop: ShopState,
        client: Client,
        *,
        scan: Scan | None = None,
        force: bool = False,
        until: float = float("inf"),
        on_progress: Callable[[Tally], None] = lambda tally: None,
    ) -> None:
        self.shop = shop
        self.client = client
        self.scan = scan
        self.force = force
        self.until = until
        self.on_progress = on_progress
        self.tally = Tally()
        self.verdicts = Verdicts(shop, client, self.tally, patient=force)
        self.buried = RemovalVerdicts(shop, client, self.tally, patient=force)
        self.removals: deque[Removal] = deque()
        self.in_hand: list[SyncedProduct] = []  # claimed and not yet on the wire
        self.delete_next = False
        self.quiet: dict[Lane, float] = {}  # lanes found empty: until when they are left alone
        self.blamed = 0  # rows that failed alone, one after the other
        self.forced: set[str] = set()  # groups whose pause has been tried once all the same

    def run(self) -> Tally:
        """Until nothing is due; whatever ends it, what is on the wire is settled first."""
        if self.force:
            SyncedProduct.objects.hurry(self.shop)
        flying: dict[Future[Any], Parcel | Removal] = {}
        with ThreadPoolExecutor(conf.IN_FLIGHT, thread_name_prefix="neuroon") as pool:
            try:
                while True:
                    while len(flying) < self._room() and (cargo := self._next()):
                        flying[pool.submit(cargo.send, self.client)] = cargo
                    if not flying:
                        break
                    self._land(flying)
            finally:
                while flying:
                    self._land(flying)
                self._close()
        return self.tally

    @property
    def cut_short(self) -> bool:
        """Whether the run ended before its work did."""
        return bool(self.tally.stops) or time.monotonic() >= self.until

    def seconds_to_next(self) -> float:
        """When it is worth while to go on: at once, or when the first gate that is closed opens."""
        return min((max(1.0, self.shop.seconds_closed(g)) for g in self.tally.stops), default=0.0)

    def _room(self) -> int:
        """How many requests may fly; one at a time as long as the route is being found."""
        return conf.IN_FLIGHT if self.verdicts.route else 1

    def _next(self) -> Parcel | Removal | None:
        """The next request, leased and with its slot taken; None where there is none to be sent."""
        while time.monotonic() < self.until:
            asked_all = not self.quiet
            if cargo := self._pick():
                if self._ready(cargo):
                    self.tally.requests += 1
                    return cargo
            elif self._scan():
                self.quiet.pop(Lane.BULK, None)
            elif asked_all:
                return None
            else:
                self.quiet.clear()
        return None

    def _scan(self) -> bool:
        """One page of the scan; whether there was one, and what it found may be sent now."""
        if self.scan is None or "products" in self.tally.stops or not self.scan.step():
            return False
        self.tally.scanned = self.scan.seen
        self.on_progress(self.tally)
        return True

    def _pick(self) -> Parcel | Removal | None:
        """Halves of a refused batch first; then changes and deletes, turn and turn about.

        A group that has stopped has no turn; the other goes on without it.
        """
        products, deletes = (group not in self.tally.stops for group in ("products", "deletes"))
        if products and self.verdicts.parts:
            return self.verdicts.parts.popleft()
        turns = [products and self._pick_parcel, deletes and self._pick_removal]
        if self.delete_next:
            turns.reverse()
        self.delete_next = not self.delete_next
        return next((cargo for pick in turns if pick and (cargo := pick())), None)

    def _pick_parcel(self) -> Parcel | None:
        """Claimed rows that need sending; those that need none are settled on the way."""
        self._fold()
        limit = conf.BATCH_SIZE if self.verdicts.route else 1
        while time.monotonic() < self.until:
            if not (rows := self._claim(Lane.CHANGES, limit) or self._claim(Lane.BULK, limit)):
                return None
            try:
                found = sort(rows)
            except Exception as error:
                self._put_back(rows, error)
                continue
            self.blamed = 0
            for row, reason in found.rejected:
                self.verdicts.tell_rejected(row, reason)
            Change.objects.append(found.moved)
            SyncedProduct.objects.settle(found.done_rows, found.done)
            self.tally.unchanged += found.unchanged
            if found.rows:
                return Parcel(found.rows, found.payloads, self.verdicts.route or "plugin")
            if found.moved:
                self._fold()
            self.on_progress(self.tally)
        return None

    def _put_back(self, rows: list[SyncedProduct], error: Exception) -> None:
        """The shop's database or code failed for these, one of them perhaps: fewer at a time, and
        the one that is left alone later and later."""
        self.in_hand = []
        reason = messages.text_of(format_error(error))
        logger.warning("not_built rows=%d error=%s", len(rows), reason)
        outcome, alone = Settlement(), len(rows) == 1
        for row in rows:
            told: dict[str, Any] = {"status": ProductStatus.PENDING, "last_error": reason}
            outcome.add(row, again=True, **(told if alone else {}))
        delay = backoff(rows[0].attempts, MOMENT) if alone else 0
        SyncedProduct.objects.settle(rows, outcome, delay)
        self.blamed += alone
        if self.blamed == SUSPECTS:  # it is no product's trouble: a migration is missing, say
            raise error

    def _pick_removal(self) -> Removal | None:
        if not self.removals:
            rows = self._claim(Lane.DELETES, DELETES_AT_ONCE)
            SyncedProduct.objects.bury([row for row in rows if not row.held])
            route = self.verdicts.route or "plugin"
            self.removals.extend(Removal(row, route) for row in rows if row.held)
        return self.removals.popleft() if self.removals else None

    def _claim(self, lane: Lane, limit: int) -> list[SyncedProduct]:
        """Claimed rows of a lane; none where it was found empty a moment ago."""
        if time.monotonic() < self.quiet.get(lane, 0.0):
            return []
        rows = SyncedProduct.objects.claim(self.shop, lane, limit, seconds=self._lease)
        if not rows:
            self.quiet[lane] = time.monotonic() + QUIET
        self.in_hand = rows
        return rows

    def _fold(self) -> None:
        """What was folded may be due in any lane."""
        if fold_all(self.shop):
            self.quiet.clear()

    @property
    def _lease(self) -> float:
        """Seconds a row is leased for: twice what its request can take (law 5)."""
        return 2 * conf.TIMEOUT

    def _ready(self, cargo: Parcel | Removal) -> bool:
        """Wait for the slot, then write on the rows that they are on the messages."""
        self.in_hand = cargo.rows
        force = self.force and cargo.group not in self.forced
        self.forced.add(cargo.group)
        if closed := self.shop.await_turn(
            cargo.group, force=force, until=self.until, patient=self.force
        ):
            self.tally.stops[cargo.group] = closed
            SyncedProduct.objects.release(cargo.rows)
            return False
        self.in_hand = []
        cargo.leave_by = time.monotonic() + conf.TIMEOUT
        kept = SyncedProduct.objects.begin_sending(cargo.rows, self._lease, **cargo.on_the_wire)
        if len(kept) < len(cargo.rows) and isinstance(cargo, Parcel):
            part = cargo.part(kept)
            cargo.rows, cargo.payloads = part.rows, part.payloads
        return bool(kept)

    def _land(self, flying: dict[Future[Any], Parcel | Removal]) -> None:
        """Settle what has come back."""
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            cargo = flying.pop(future)
            verdicts: Any = self.buried if isinstance(cargo, Removal) else self.verdicts
            try:
                answer = future.result()
            except TooLate:
                SyncedProduct.objects.release(cargo.rows)
            except ApiError as error:
                verdicts.failed(cargo, error)
            else:
                verdicts.succeeded(cargo, answer)
            self.on_progress(self.tally)

    def _close(self) -> None:
        """Give back what was claimed and not sent."""
        kept_back = [*self.in_hand, *(removal.row for removal in self.removals)]
        SyncedProduct.objects.release(kept_back)
        self.verdicts.close(finished=not self.cut_short)
        if self.tally.requests or self.tally.scanned:
            logger.info("run_ended %s", self.tally.line)
        if self.tally.synced or self.tally.deleted:
            ShopState.objects.set(self.shop.pk, last_success_at=timezone.now())
