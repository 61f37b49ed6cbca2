"""The error policy of a run: what is blocked, what is put off, and for how long (`API.md`, "Errors").

It is for errors that are no row's fault; what a refusal says of a row, its channel decides.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

from neuroon_django.api import messages
from neuroon_django.delivery.channel import Channel, Request
from neuroon_django.delivery.statistics import RunStatistics
from neuroon_django.exceptions import ApiError, Refused, Unavailable
from neuroon_django.feeds.source import format_error
from neuroon_django.models import ShopState
from neuroon_django.models.endpoint import FIRST_BACKOFF, MAX_INLINE_WAIT, backoff

logger = logging.getLogger("neuroon_django")

MAX_BUILD_FAILURES = 3  # rows that fail alone, one after the other, before it is no row's fault
MAX_ATTEMPTS = 3  # of a foreground run, at one request whose outcome is unknown
ROW_BACKOFF_AFTER = 8  # attempts after which a row that goes alone has a backoff of its own


class ErrorPolicy:
    """What a run does about errors. A `foreground` run sits out what is soon over."""

    def __init__(self, shop: ShopState, statistics: RunStatistics, *, foreground: bool) -> None:
        self.shop = shop
        self.statistics = statistics
        self.foreground = foreground
        self.build_failures = 0

    def put_off(self, request: Request[Any], error: ApiError) -> None:
        """Handle an error that is no row's fault: block the endpoint, unless one row always fails.

        Where the outcome is unknown, the rows stay leased: nothing else may be sent for them yet. In
        the foreground the very same bytes are, three times in all.
        """
        request.attempts += 1
        if request.outcome_unknown and isinstance(error, Refused):
            self.statistics.errors.append(str(error))
            return
        channel, rows = request.channel, request.rows
        temporary = isinstance(error, Unavailable)
        if temporary and len(rows) == 1 and rows[0].attempts > ROW_BACKOFF_AFTER:
            seconds = backoff(rows[0].attempts, FIRST_BACKOFF)
            self.statistics.errors.append(str(error))
        else:
            seconds = self.block(channel.group, error)
        request.outcome_unknown = request.outcome_unknown or error.unknown
        if request.outcome_unknown:
            self._try_again(request, error)
            return
        if temporary:
            channel.retry(rows, seconds, error.reason)
        else:
            channel.table.release(rows)

    def _try_again(self, request: Request[Any], error: ApiError) -> None:
        """Let the holder of a lease send the very same bytes once more, or say why it gives up."""
        channel = request.channel
        self.statistics.unknown_leases |= {row.lease for row in request.rows}
        sends_again = self.foreground and channel.group not in self.statistics.stops
        if sends_again and request.attempts < MAX_ATTEMPTS:
            channel.ready.appendleft(request)
            return
        self.statistics.errors.append(str(error))

    def block(self, group: str, error: ApiError) -> float:
        """Block the endpoint and end this group's part in the run; or, where it is soon over, wait.

        Returns the seconds after which the rows concerned are tried again.
        """
        endpoint = self.shop.endpoint(group)
        seconds = endpoint.failed(error)
        if self.foreground and (not endpoint.reason or seconds <= MAX_INLINE_WAIT):
            return 0.0
        self.statistics.stops[group] = str(error)
        return seconds

    def build_failed(self, channel: Channel[Any], rows: Sequence[Any], error: Exception) -> None:
        """Put rows back for which the shop's database or code failed, one of them perhaps.

        Fewer are claimed at a time, and one that fails alone is tried later and later.
        """
        if isinstance(error, SoftTimeLimitExceeded):
            raise error
        reason = messages.text_of(format_error(error))
        logger.warning("not_built rows=%d error=%s", len(rows), reason)
        if len(rows) > 1:
            channel.retry(rows, 0)
            return
        channel.retry(rows, backoff(rows[0].attempts, FIRST_BACKOFF), reason)
        self.build_failures += 1
        if self.build_failures == MAX_BUILD_FAILURES:  # it is no row's fault: a migration is missing
            raise error
