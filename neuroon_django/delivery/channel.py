"""What the engine asks of a channel: its next request, and what an answer to it means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.apps import apps
from django.dispatch import Signal

from neuroon_django.api import Client
from neuroon_django.api.transport import begin_by
from neuroon_django.exceptions import ApiError
from neuroon_django.models import Delivery, Group, Lane

if TYPE_CHECKING:
    from neuroon_django.delivery.blame import Blame, Refusal
    from neuroon_django.delivery.engine import Engine
    from neuroon_django.models.delivery import DeliveryQuerySet

R = TypeVar("R", bound=Delivery)

FOLD_SECONDS = 1.0  # that changes are folded for before the next request


class Request(ABC, Generic[R]):
    """One request and the claimed rows that it is for.

    `leave_by` is the second of the transport's clock by which its first byte must leave.
    """

    def __init__(self, channel: Channel[R], rows: Sequence[R]) -> None:
        self.channel = channel
        self.rows = list(rows)
        self.leave_by = float("inf")
        self.is_part = False  # of a request that was refused
        self.attempts = 0  # that failed
        self.outcome_unknown = False  # of one of them: it may still be carried out

    def send(self, client: Client) -> Any:
        """Make the request, in a thread that only talks HTTP; return what the client read."""
        with begin_by(self.leave_by):
            return self.call(client)

    @abstractmethod
    def call(self, client: Client) -> Any:
        """Call the client's method."""

    def keep(self, rows: Sequence[R]) -> None:
        """Leave out of the request what is not claimed any more."""
        self.rows = list(rows)


class Channel(ABC, Generic[R]):
    """One kind of request of a run: products, deletes or orders.

    `ready` are requests that are built and wait for their slot, `building` the claimed rows of which
    some are being built; both are given back when the run ends.
    """

    group: ClassVar[Group]
    blame: Blame[Any] | None = None

    @property
    @abstractmethod
    def limit(self) -> int:
        """How many rows are claimed at once."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.shop = engine.shop
        self.statistics = engine.statistics
        self.ready: deque[Any] = deque()
        self.building: Sequence[R] = ()

    # Whether only one request may be in flight, as something has to be found out first.
    @property
    def goes_alone(self) -> bool:
        return False

    @property
    @abstractmethod
    def table(self) -> DeliveryQuerySet[R]:
        """The rows that it sends."""

    @property
    @abstractmethod
    def claimable(self) -> DeliveryQuerySet[R]:
        """The rows that this process knows how to send."""

    def next_request(self) -> Request[R] | None:
        """Return claimed rows as a request, None where there is nothing to send now."""
        if not self.ready:
            self.prepare()
        while not self.ready and self.engine.has_time and (rows := self.claim_next()):
            self.building = rows
            try:
                self.ready.extend(self.build(rows))
            except Exception as error:
                self.engine.errors.build_failed(self, rows, error)
            else:
                self.engine.errors.build_failures = 0
            self.building = ()
            self.engine.on_progress(self.statistics)
        return self.ready.popleft() if self.ready else None

    @property
    def claimed(self) -> list[R]:
        """The rows that this run has claimed and not sent yet."""
        waiting = [*self.ready, *(one.request for one in self.provisional)]
        return [*self.building, *(row for request in waiting for row in request.rows)]

    @property
    def provisional(self) -> Sequence[Refusal]:
        """The provisional rejections of this run (law 8)."""
        return self.blame.provisional if self.blame else ()

    # Whether rows are found that are not due in the tables yet.
    @property
    def goes_on(self) -> bool:
        return False

    @property
    def has_more(self) -> bool:
        """Whether there is more to send, or to decide, than what is due in the tables."""
        return bool(self.ready or self.provisional or self.goes_on)

    def prepare(self) -> None:
        """Fold what changed, before rows are claimed."""

    def claim_next(self) -> Sequence[R]:
        """Return rows that are due: live edits ahead of the backfill."""
        claim = self.engine.claim
        return claim(self, Lane.LIVE, self.limit) or claim(self, Lane.BACKFILL, self.limit)

    def claim_refused(self) -> Sequence[R]:
        """Return rows that were refused before, behind a witness; where there are none, decide."""
        if self.blame is None or self.ready or self.group in self.statistics.stops:
            return []
        rows = self.engine.claim(self, Lane.REFUSED, self.blame.refused_limit)
        if rows:
            self.blame.retry_refused()
        elif not any(request.channel is self for request in self.engine.in_flight.values()):
            self.blame.weigh(at_end=True)
        return rows

    @abstractmethod
    def build(self, rows: Sequence[R]) -> Iterable[Request[R]]:
        """Return the requests for claimed rows; what needs none is settled."""

    def notify(self, signal: Signal, label: str, **values: Any) -> None:
        """Send a signal about objects with this label: its sender is the feed's model."""
        signal.send_robust(apps.get_model(label), shop=self.shop.config.alias, **values)

    def begin(self, rows: Sequence[R], seconds: float) -> list[R]:
        """Mark rows as being sent; return those that are still this run's."""
        return self.table.begin_sending(rows, seconds)

    @abstractmethod
    def accepted(self, request: Any, answer: Any) -> None:
        """Handle a 2xx answer."""

    @abstractmethod
    def refused(self, request: Any, error: ApiError) -> bool:
        """Handle an error that lies in what was sent; return False where it does not."""

    def refused_again(self, request: Any, error: ApiError) -> bool:
        """Handle an error after an attempt of unknown outcome; return False where it says nothing."""
        return False

    def give_back(self, request: Request[R], rows: Sequence[R]) -> None:
        """Give rows of a request back unsent, unless an earlier attempt may be on its way (law 5).

        Parts of a request that was refused count as tried, so that fewer are claimed at once.
        """
        if request.outcome_unknown:
            return
        if request.is_part:
            self.retry(rows, 0)
        else:
            self.table.release(rows)

    @abstractmethod
    def retry(self, rows: Sequence[R], delay: float, reason: str = "") -> None:
        """Make rows due after so many seconds, for that reason."""

    def close(self) -> None:
        """Give back what was claimed and not sent; what is undecided another run decides."""
        if self.blame is not None:
            self.blame.keep_provisional()
        for request in self.ready:
            self.give_back(request, request.rows)
        self.ready.clear()
        unknown = self.statistics.unknown_leases  # what was sent once may still be on its way (law 5)
        self.table.release([row for row in self.building if row.lease not in unknown])
