"""The engine: claim, slot, send and settle until nothing is due, the time is up, or all is blocked.

It alone owns the run's lease and budget, claims, slots, requests in flight, the error policy, and what
is given back; a channel says what its next request is and what an answer means. Rows of a run that died
are due again when their lease ends. Threads of requests in flight (`NEUROON_IN_FLIGHT`) only talk HTTP.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from django.utils import timezone

from neuroon_django.api import Client
from neuroon_django.api.transport import TooLate, clock
from neuroon_django.delivery.channel import Channel, Request
from neuroon_django.delivery.error_policy import ErrorPolicy
from neuroon_django.delivery.follow_up import FollowUp, follow_up_of
from neuroon_django.delivery.history import record_run
from neuroon_django.delivery.pacing import LEASE_LOST, Pacing
from neuroon_django.delivery.rejection_alert import tell_rejections
from neuroon_django.delivery.statistics import RunStatistics
from neuroon_django.exceptions import ApiError, ConfigurationError
from neuroon_django.models import Group, Lane, ShopState
from neuroon_django.models.run_lease import RunLease
from neuroon_django.models.sql import manual_commits

logger = logging.getLogger("neuroon_django")

EMPTY_LANE_REST = 0.5  # seconds that a lane found empty is left alone, unless something was folded


class Engine:
    """One run over some channels of one shop.

    `foreground` tries now whatever a backoff or a block says, waits for the run at work, and sits
    waits out instead of leaving them to the next run. `until` is the monotonic second at which no new
    request begins. `resumes` is the token of the run that ran out of time and handed over to this
    one. `has_work` looks in one statement whether anything is left to do. With `keys` only rows that
    have one of them are sent. After the run `follow_up` is the message that should go on with it,
    None for none.
    """

    def __init__(
        self,
        shop: ShopState,
        client: Client,
        group: Group,
        *,
        foreground: bool = False,
        until: float = float("inf"),
        resumes: str = "",
        keys: Collection[str] | None = None,
        has_work: Callable[[], bool] = lambda: True,
        on_progress: Callable[[RunStatistics], None] = lambda statistics: None,
        on_wait: Callable[[float, str], None] = lambda seconds, reason: None,
    ) -> None:
        self.shop = shop
        self.lease_seconds = (
            2 * shop.config.TIMEOUT
        )  # of a row: twice what its request can take (law 5)
        self.client = client
        self.foreground = foreground
        self.until = until
        self.has_work = has_work
        self.keys = keys
        self.on_progress = on_progress
        self.statistics = RunStatistics()
        self.pacing = Pacing(shop, foreground, until, self._keep_leases, on_wait)
        self.lease = RunLease(shop.endpoint(group), resumes=resumes)
        self.follow_up: FollowUp | None = None
        self.channels: list[Channel[Any]] = []
        self.in_flight: dict[Future[Any], Request[Any]] = {}
        self.empty_lanes: dict[Any, float] = {}  # until when each is left alone
        self.progressed = False  # in this round: what was found may be due in another lane
        self.drained = False  # fewer rows were claimed than asked for: perhaps none is left
        self.errors = ErrorPolicy(shop, self.statistics, foreground=foreground)

    def run(self) -> RunStatistics:
        """Work until nothing is due; whatever ends it, what is in flight is settled first."""
        if reason := manual_commits(ShopState.objects.db):
            raise ConfigurationError(reason)
        if not self.lease.begin(wait_until=self.until if self.foreground else 0.0):
            return self.statistics
        began_at = timezone.now()
        try:
            for channel in self.channels:
                self.shop.endpoint(channel.group).trust_what_was_read()
            if self.foreground:
                self.channels[0].table.reset_backoff(self.shop)
            self._work()
            self.follow_up = None if self.foreground else follow_up_of(self)
        finally:
            self.lease.release()
            record_run(self, began_at)
        return self.statistics

    @property
    def has_time(self) -> bool:
        """Return whether a new request may begin, and the run is still this one's."""
        if not self.lease.extend():
            self.statistics.stops.setdefault(self.lease.endpoint.group, LEASE_LOST)
        return self.lease.is_held and time.monotonic() < self.until

    def _work(self) -> None:
        """Drain until nobody asks for another look, the time is up, or all channels are blocked."""
        while True:
            self._drain()
            if not self.has_time or not self.open_groups or self.lease.end():
                return
            self.empty_lanes.clear()

    @property
    def open_groups(self) -> list[Group]:
        """Return the groups of this run in which requests may still leave."""
        return [c.group for c in self.channels if c.group not in self.statistics.stops]

    # Requests

    def _drain(self) -> None:
        """Send until nothing is due; settle what is in flight, and give back what was not sent."""
        with ThreadPoolExecutor(self.shop.config.IN_FLIGHT, thread_name_prefix="neuroon") as pool:
            try:
                while True:
                    while len(self.in_flight) < self._capacity() and (request := self._next()):
                        self.in_flight[pool.submit(request.send, self.client)] = request
                    if not self.in_flight:
                        break
                    self._collect()
            finally:
                try:
                    while self.in_flight:
                        self._collect()
                finally:
                    self._close()

    def _capacity(self) -> int:
        """Return how many requests may be in flight."""
        alone = any(channel.goes_alone for channel in self.channels)
        return 1 if alone else self.shop.config.IN_FLIGHT

    def _next(self) -> Request[Any] | None:
        """Return the next request, leased and with its slot taken; None where there is none now."""
        while self.has_time:
            if self.drained and not self._has_more() and not self.has_work():
                return None
            self.drained = False
            asked_all, self.progressed = not self.empty_lanes, False
            request = next(self._offers(), None)
            if request is not None:
                if self._make_ready(request):
                    self.statistics.requests += 1
                    return request
            elif asked_all and not self.progressed:
                return None
            else:
                self.empty_lanes.clear()
        return None

    def _has_more(self) -> bool:
        return any(channel.has_more for channel in self.channels)

    def _offers(self) -> Iterator[Request[Any]]:
        """Yield what the channels would send next, each in its turn; a stopped one has none."""
        for channel in list(self.channels):
            if channel.group not in self.statistics.stops and (request := channel.next_request()):
                self.channels.remove(channel)
                self.channels.append(channel)
                yield request

    def _keep_leases(self) -> bool:
        """Keep the run's lease and what it has claimed while it waits; False where it was lost."""
        for channel in self.channels:
            for lease, lane in {(row.lease, row.lane) for row in channel.claimed}:
                channel.table.extend_lease(lease, lane, self.lease_seconds)
        return self.lease.extend()

    def _make_ready(self, request: Request[Any]) -> bool:
        """Wait for the slot, then mark the rows as being sent; False where nothing is sent."""
        channel = request.channel
        channel.building = request.rows
        if closed := self.pacing.wait_for_slot(channel.group):
            self.statistics.stops[channel.group] = closed
            channel.give_back(request, request.rows)
            channel.building = ()
            return False
        request.leave_by = clock() + self.shop.config.TIMEOUT
        kept = channel.begin(request.rows, self.lease_seconds)
        channel.building = ()  # from here on only the end of its lease says that it is over
        if len(kept) < len(request.rows):
            channel.give_back(request, [row for row in request.rows if row not in kept])
            request.keep(kept)
        return bool(kept)

    def _collect(self) -> None:
        """Settle what has come back."""
        for future in wait(self.in_flight, return_when=FIRST_COMPLETED).done:
            request = self.in_flight.pop(future)
            try:
                answer = future.result()
            except TooLate:
                request.channel.give_back(request, request.rows)
            except ApiError as error:
                channel = request.channel
                handle = channel.refused_again if request.outcome_unknown else channel.refused
                if not handle(request, error):
                    self.errors.put_off(request, error)
            else:
                self.statistics.note_sent(request.rows)
                request.channel.accepted(request, answer)
            self.on_progress(self.statistics)

    def _close(self) -> None:
        for channel in self.channels:
            channel.close()
        done = self.statistics
        if done.requests or done.scanned:
            logger.info("run_ended %s", done.line)
        tell_rejections(self.shop, done.rejections)
        if done.synced or done.deleted or done.reported:
            self.shop.note_success(done.index_seconds)
        done.forget_told()

    # What channels call

    def found_work(self) -> None:
        """Ask every lane anew: what was folded may be due in any of them."""
        self.empty_lanes.clear()
        self.progressed = True

    def claim(
        self, channel: Channel[Any], lane: Lane, limit: int, *, newest: bool = False
    ) -> list[Any]:
        """Return claimed rows of a lane; none where it was found empty a moment ago."""
        key = (channel.group, lane)
        if time.monotonic() < self.empty_lanes.get(key, 0.0):
            return []
        seconds, claimable = self.lease_seconds, channel.claimable
        if self.keys is not None:
            claimable = claimable.filter(key__in=self.keys)
        rows = claimable.claim(self.shop, lane, limit, seconds=seconds, newest=newest)
        if not rows:
            self.empty_lanes[key] = time.monotonic() + EMPTY_LANE_REST
        self.progressed = self.progressed or bool(rows)
        self.drained = len(rows) < limit
        return rows
