"""The health of a shop: its status, the verdict on it, and what the plan allows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from neuroon_django.api import Client
from neuroon_django.conf import ShopConfig
from neuroon_django.exceptions import ApiError
from neuroon_django.models import ShopState
from neuroon_django.operations.causes import problems_of
from neuroon_django.operations.problems import Problem
from neuroon_django.operations.status import Status, status_of
from neuroon_django.operations.verdict import Verdict, judge

MAX_AGE = 3600.0  # seconds a change may wait
QUOTA_TIMEOUT = 5  # seconds


@dataclass
class Health:
    """The facts, the verdict on them, and what the plan allows, where Neuroon was asked."""

    status: Status
    verdict: Verdict
    quota: dict[str, Any] = field(default_factory=dict)

    @property
    def problems(self) -> list[Problem]:
        """What is wrong, the worst first."""
        return self.verdict.problems

    def as_json(self) -> dict[str, Any]:
        """Return all of it as one document."""
        problems = [asdict(problem) for problem in self.problems]
        verdict = self.verdict.as_json()
        facts = self.status.as_json()
        return {"verdict": verdict, **facts, "quota": self.quota, "problems": problems}


def health_of(
    shop: ShopState, *, max_age: float = MAX_AGE, max_rejected: int = 0, asks: bool = False
) -> Health:
    """Judge a shop: changes may wait `max_age` seconds, `max_rejected` rows may be rejected.

    With `asks` Neuroon is asked for the quota, unless the settings are wrong, and the workers whether
    they are there, where none was seen; without, nobody is.
    """
    status = status_of(shop)
    problems = problems_of(status, max_age=max_age, max_rejected=max_rejected, asks=asks)
    wrong = any(one.id and one.level == "red" for one in problems)
    return Health(
        status, judge(status, problems), fetch_quota(shop.config) if asks and not wrong else {}
    )


def fetch_quota(shop: ShopConfig) -> dict[str, Any]:
    """Return what the plan allows; {} where Neuroon cannot be asked or does not tell."""
    if not shop.can_send:
        return {}
    try:
        with Client(**shop.client_options(timeout=QUOTA_TIMEOUT)) as client:
            return client.me()
    except ApiError:
        return {}
