"""What is wrong with a shop's status: the problems that need a person, each with its cure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from neuroon_django.api import Client
from neuroon_django.conf import ShopConfig
from neuroon_django.exceptions import ApiError
from neuroon_django.models import ShopState
from neuroon_django.operations.problems import SWITCHED_OFF, Problem, wrong_settings
from neuroon_django.operations.status import Pause, Status, status_of
from neuroon_django.operations.wording import duration, join

MAX_AGE = 3600.0  # seconds a change may wait
QUOTA_TIMEOUT = 5  # seconds


@dataclass
class Health:
    """The facts, what is wrong with them, and what the plan allows, where Neuroon was asked."""

    status: Status
    problems: list[Problem]
    quota: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as one document."""
        problems = [asdict(problem) for problem in self.problems]
        return self.status.as_json() | {"quota": self.quota, "problems": problems}


def health_of(
    shop: ShopState,
    *,
    max_age: float = MAX_AGE,
    max_rejected: int = 0,
    ask_quota: bool = False,
) -> Health:
    """Judge a shop: changes may wait `max_age` seconds, `max_rejected` rows may be rejected.

    With `ask_quota` Neuroon is asked once, unless the settings are wrong; without, nobody is.
    """
    status = status_of(shop)
    wrong = wrong_settings()
    quota = fetch_quota(shop.config) if ask_quota and not wrong else {}
    return Health(status, [*wrong, *_problems(status, max_age, max_rejected)], quota)


def fetch_quota(shop: ShopConfig) -> dict[str, Any]:
    """Return what the plan allows; {} where Neuroon cannot be asked or does not tell."""
    if not shop.can_send:
        return {}
    try:
        with Client(**shop.client_options(timeout=QUOTA_TIMEOUT)) as client:
            return client.me()
    except ApiError:
        return {}


def pause_problems(pauses: list[Pause]) -> Iterator[Problem]:
    """Yield each reason once, with the groups that it holds up and what ends it."""
    for reason in dict.fromkeys(pause.reason for pause in pauses):
        paused = [pause for pause in pauses if pause.reason == reason]
        groups = join([pause.group for pause in paused])
        yield Problem(f"Paused for {groups}: {reason}", paused[0].cure)


def _problems(status: Status, max_age: float, max_rejected: int) -> Iterator[Problem]:
    if not status.can_send:
        yield SWITCHED_OFF
        return
    yield from pause_problems(status.pauses)
    if status.shop.fold_error:
        text = f"Changes do not reach this shop's queue: {status.shop.fold_error}"
        yield Problem(text, "Correct the feed or the setting; the shop is scanned by itself then.")
    if status.queue_age.total_seconds() > max_age:
        text = f"The oldest queued change is {duration(status.queue_age)} old"
        yield Problem(text, "Start a Celery worker with beat, or run: manage.py neuroon_sync")
    if sum(rejected.total for rejected in status.rejections) > max_rejected:
        yield from (Problem(r.text, r.cure) for r in status.rejections if r.total)
    if status.shop.verified_at and not status.has_token:
        yield Problem("There is no widget token that can be served", "Run: manage.py neuroon_verify")
