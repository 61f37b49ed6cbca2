"""The sandbox's rate limits, by a clock that the tests turn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import requests

from neuroon_django.testing.sandbox import Sandbox, limits
from tests.contract.shop import (
    CONVERSION,
    LIST,
    ME,
    NOW,
    PLUGIN,
    VERIFY,
    Shop,
    product,
)


class Clock:
    moment = 1000.0

    def monotonic(self) -> float:
        return self.moment


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def standing(response: requests.Response) -> tuple[int, str | None, str | None, str | None]:
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "Retry-After")
    limit, remaining, after = (response.headers.get(name) for name in names)
    return response.status_code, limit, remaining, after


def test_over_the_limit(neuroon: Sandbox, shop: Shop, clock: Clock) -> None:
    assert standing(shop("GET", LIST)) == (200, None, None, None)
    neuroon.rate_limit = 2
    answers = [shop.sync(product()) for _ in range(3)]
    limited = [(200, "2", "1", None), (200, "2", "0", None), (429, "2", "0", "60")]
    assert [standing(answer) for answer in answers] == limited
    assert answers[2].json() == {
        "error": "rate_limit_exceeded",
        "message": "Rate limit exceeded. Retry after 60 seconds.",
        "retryAfter": 60,
        "limit": 2,
        "remaining": 0,
        "timestamp": NOW,
    }
    assert standing(shop("GET", LIST)) == (200, "2", "1", None)
    assert standing(shop("POST", CONVERSION, {})) == (400, "2", "1", None)


@pytest.mark.parametrize(("sliding", "later"), [(False, [200, 200]), (True, [200, 429])])
def test_the_window(
    neuroon: Sandbox, shop: Shop, clock: Clock, sliding: bool, later: list[int]
) -> None:
    neuroon.rate_limit, neuroon.rate_window, neuroon.sliding = 2, 10.0, sliding
    assert shop.statuses(1, LIST) == [200]
    clock.moment += 9.5
    assert shop.statuses(1, LIST) == [200]
    assert standing(shop("GET", LIST)) == (429, "2", "0", "1")
    clock.moment += 0.5
    assert shop.statuses(2, LIST) == later


@pytest.mark.parametrize(
    ("path", "body", "limit", "after"),
    [
        (VERIFY, {"domain": "http://localhost:8000"}, 5, "300"),
        (f"{PLUGIN}/verification-data", None, 20, "60"),
        (ME, None, 60, "60"),
    ],
)
@pytest.mark.usefixtures("clock")
def test_the_endpoints_with_a_limit_of_their_own(
    neuroon: Sandbox, shop: Shop, path: str, body: Any, limit: int, after: str
) -> None:
    neuroon.rate_limit, method = 100, "POST" if body else "GET"
    assert {shop(method, path, body).status_code for _ in range(limit)} == {200}
    assert standing(shop(method, path, body)) == (429, str(limit), "0", after)
