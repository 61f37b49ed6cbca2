"""Whose fault a refusal is that names nobody else (law 8): a row's own, or the configuration's.

A batch is narrowed down by halves until one row stands alone. Where something was accepted in this
run, that row is rejected for its own sake. Until then its rejection is provisional and a witness is
sent: a row that Neuroon is known to hold, or else rows from the other end of the line. Only where the
witness is refused in the same words, the whole group is blocked, and the reason names the rows; the
block doubles and is retried. What is provisional when a run ends waits behind all others with its
reason on the row, so that evidence adds up over the short runs of tasks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from neuroon_django.delivery.channel import Channel, Request
from neuroon_django.exceptions import Refused
from neuroon_django.models import Endpoint, Lane

Q = TypeVar("Q", bound=Request[Any])
Words = frozenset[str]

ENOUGH = 4  # rows refused alike, from both ends of the line, where Neuroon holds no witness
ENOUGH_OF_ALL = 2  # the same, where there are no more rows and nothing was ever accepted
ENOUGH_IN_DOUBT = 3  # the same, where something was accepted once, in an earlier run
MAX_REJECTED = 10  # rows in a row, on the evidence of one acceptance
NAMED = 5  # rows that the reason of a block names
NAME_LENGTH, MESSAGE_LENGTH = 40, 300  # characters in that reason

WORD_WITH_DIGITS = re.compile(r"[\w-]*\d[\w-]*")


class Refusal(NamedTuple):
    """One row that was refused, and the words in which it was."""

    request: Any
    error: Refused
    words: Words


class Blame(Generic[Q]):
    """The provisional rejections of one channel in one run.

    `reject` makes one final; `keep` writes them on the rows, which are tried again behind all others;
    `find_witness` returns a request for one row that Neuroon holds. Requests are of one row each.
    """

    def __init__(
        self,
        channel: Channel[Any],
        reject: Callable[[Q, str], None],
        keep: Callable[[Sequence[tuple[Q, str]]], None],
        find_witness: Callable[[], Q | None] = lambda: None,
    ) -> None:
        self.channel = channel
        self.reject = reject
        self.keep = keep
        self.find_witness = find_witness
        self.configuration_confirmed = False  # something was accepted in this run
        self.rejected = 0  # since then
        self.provisional: list[Refusal] = []
        self._forget_witness()

    def _forget_witness(self) -> None:
        self.witness: Q | None = None
        self.witness_words: Words = frozenset()  # in which it was refused
        self.has_no_witness = False

    # What was answered

    def confirm_configuration(self, request: Request[Any]) -> None:
        """Note that something was accepted: provisional rejections become final."""
        if self.is_witness(request) or request.rows[0].lane == Lane.REFUSED:
            self._endpoint.row.note_acceptance()
        self.configuration_confirmed, self.rejected = True, 0
        self._forget_witness()
        self._reject_provisional()

    def refused(self, request: Q, error: Refused) -> None:
        """Note that one row was refused, for the reason that the error's message is."""
        words = words_of(error.message, str(request.rows[0]))
        if request.rows[0] in self._witness_rows:
            self.witness_words = words
        elif self.configuration_confirmed:
            self.reject(request, error.message)
            self.rejected += 1
            self.configuration_confirmed = self.rejected < MAX_REJECTED
        else:
            self.provisional.append(Refusal(request, error, words))

    def is_witness(self, request: Request[Any]) -> bool:
        """Return whether the request is for the row that Neuroon holds."""
        return request.rows == self._witness_rows

    @property
    def _witness_rows(self) -> list[Any]:
        return self.witness.rows if self.witness is not None else []

    # What it means

    def retry_refused(self) -> None:
        """Try what was refused before: behind a witness, unless a run has met one a moment ago."""
        if self.configuration_confirmed or self._endpoint.row.use_acceptance():
            self.configuration_confirmed = True
        else:
            self.call_witness()

    def weigh(self, *, at_end: bool = False) -> None:
        """Decide what the provisional rejections are, or get more evidence; `at_end` there is none."""
        if self.witness_words and not self.provisional:
            self._believe_witness()
        if not self.provisional or self._is_awaited() or self.call_witness():
            return
        if self.witness_words:
            alike = [one for one in self.provisional if one.words & self.witness_words]
            self._block(alike) if alike else self._reject_provisional()
            return
        at_end = at_end or self._is_last()
        common = frozenset.intersection(*(one.words for one in self.provisional))
        count = len(self.provisional) + sum(bool(words & common) for words in self._remembered())
        if not common:
            self._reject_provisional()
        elif count >= ENOUGH or (at_end and count >= self._enough_at_end()):
            self._block(self.provisional)
        elif at_end:
            self._reject_provisional()
        elif self.wants_newest:
            self.channel.ready.rotate(1)

    def _believe_witness(self) -> None:
        """Count those that wait behind a refused witness by what they were refused for before."""
        for request in [one for one in self.channel.ready if len(one.rows) == 1]:
            row = request.rows[0]
            if row.lane == Lane.REFUSED and words_of(row.last_error, str(row)) & self.witness_words:
                self.channel.ready.remove(request)
                error = Refused(row.last_error, method="POST", path="", status=None)
                self.provisional.append(Refusal(request, error, self.witness_words))

    def call_witness(self) -> bool:
        """Send a row that Neuroon holds ahead of all others; return False where that is no help."""
        if self.configuration_confirmed or self.witness_words or self.has_no_witness:
            return False
        self.witness = self.find_witness()
        self.has_no_witness = self.witness is None
        if self.witness is not None:
            self.channel.ready.appendleft(self.witness)
        return not self.has_no_witness

    @property
    def refused_limit(self) -> int:
        """How many rows that were refused before are claimed at once.

        A task tries them one by one, the one first that was tried longest ago, as the others are
        evidence; once something was accepted, they go together.
        """
        tries_all = self.channel.engine.foreground or self.configuration_confirmed
        return self.channel.limit if tries_all else 1

    @property
    def wants_newest(self) -> bool:
        """Whether the next row should come from the end of the line: every second one."""
        return self.has_no_witness and len(self.provisional) % 2 == 1

    def _is_awaited(self) -> bool:
        """Return whether the witness is to be sent or being sent."""
        out = (*self.channel.ready, *self.channel.engine.in_flight.values())
        return any(request is self.witness for request in out)

    def _enough_at_end(self) -> int:
        return ENOUGH_IN_DOUBT if self._endpoint.confirmed_at else ENOUGH_OF_ALL

    @property
    def _endpoint(self) -> Endpoint:
        return self.channel.shop.endpoint(self.channel.group)

    def _remembered(self) -> Iterator[Words]:
        """Yield in which words rows were refused that earlier runs have tried, and none tries now.

        A row that this run has claimed is about to tell it anew. A run in the foreground tries all.
        """
        if self.channel.engine.foreground:
            return
        rows = self.channel.claimable.of(self.channel.shop).waiting().filter(lane=Lane.REFUSED)
        for row in rows.filter(lease="").order_by("-due_at")[: ENOUGH - 1]:
            yield words_of(row.last_error, str(row))

    def _is_last(self) -> bool:
        """Return whether nobody is left to try; a task counts those that earlier runs have tried."""
        channel = self.channel
        sending = (r for r in channel.engine.in_flight.values() if r.channel is channel)
        left = [row for request in (*channel.ready, *sending) for row in request.rows]
        if not channel.engine.foreground:
            left = [row for row in left if row.lane != Lane.REFUSED]
        if left or channel.goes_on:
            return False
        lanes = [Lane.LIVE, Lane.BACKFILL]
        if channel.engine.foreground:  # it tries those as well
            lanes.append(Lane.REFUSED)
        return not channel.claimable.of(channel.shop).filter(lane__in=lanes).due().exists()

    # What is done about it

    def _reject_provisional(self) -> None:
        provisional, self.provisional = self.provisional, []
        for one in provisional:
            self.reject(one.request, one.error.message)

    def _block(self, alike: Sequence[Refusal]) -> None:
        """Block the group: no row's fault. The rows are tried again behind all others."""
        first, names = alike[0].error, _names([str(one.request.rows[0]) for one in alike])
        message = f"{first.message[:MESSAGE_LENGTH]} (refused: {names})"
        cause = Refused(message, method=first.method, path=first.path, status=first.status)
        self.keep_provisional()
        self._forget_witness()
        self.channel.engine.errors.block(self.channel.group, cause)

    def keep_provisional(self) -> None:
        """Write provisional rejections on their rows: another run decides."""
        provisional, self.provisional = self.provisional, []
        self.keep([(one.request, one.error.message) for one in provisional])


def words_of(text: str, name: str) -> Words:
    """Return a refusal without ids, indexes and numbers: as it is, and without the row's own name.

    Two refusals are the same if they share one of the two: a name may be a word of the message.
    """
    own = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
    return frozenset(WORD_WITH_DIGITS.sub("#", one) for one in (text, own.sub("#", text)))


def _names(names: Sequence[str]) -> str:
    shown = [name if len(name) <= NAME_LENGTH else f"{name[:NAME_LENGTH]}…" for name in names[:NAMED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
