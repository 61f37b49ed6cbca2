"""The message that goes on with a run which ended before its work did (law 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from neuroon_django.delivery.engine import Engine

BEAT = 60.0  # seconds within which beat wakes a worker anyway
TIMER_PRECISION = 1.0  # seconds by which Celery's own timer may be late: shorter waits need none
HAND_OVER_GRACE = 5.0  # seconds that others leave a run alone which a message is to go on with


class FollowUp(NamedTuple):
    """The message that goes on with a run: after how many seconds, and with the token of which."""

    countdown: float
    resumes: str = ""


def follow_up_of(run: Engine) -> FollowUp | None:
    """Decide when a run that ends before its work is gone on with, and by whom; None for nobody."""
    if run.lease.is_held and run.open_groups:
        closed = min(run.shop.endpoint(group).seconds_closed() for group in run.open_groups)
        return _hand_over(run, closed) if closed < BEAT else None
    if not run.statistics.stops:
        return None
    blocked = map(run.shop.endpoint, run.statistics.stops)
    seconds = min(max(1.0, endpoint.seconds_closed()) for endpoint in blocked)
    scheduled = seconds < BEAT and run.lease.endpoint.row.schedule_retry(seconds)
    return FollowUp(seconds) if scheduled else None


def _hand_over(run: Engine, closed: float) -> FollowUp:
    """Leave the work to a message, which comes when requests may leave again."""
    countdown = closed if closed > TIMER_PRECISION else 0.0
    run.lease.hand_over(countdown + HAND_OVER_GRACE)
    return FollowUp(countdown, run.lease.token)
