"""Trying again in place, for the few calls that an operator waits for (`API.md`, "Errors")."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from neuroon_django.exceptions import RateLimited, Unavailable

T = TypeVar("T")

TRIES = 4
PAUSE = 0.5  # seconds before the second attempt; doubled with each


def call_with_retries(call: Callable[[], T], seconds: float) -> T:
    """Call until it succeeds, up to four times and not beyond that many seconds."""
    deadline = time.monotonic() + seconds
    for attempt in range(TRIES):
        try:
            return call()
        except (Unavailable, RateLimited) as error:
            pause = PAUSE * 2**attempt * random.uniform(0.75, 1)
            if error.retry_after is not None:
                pause = error.retry_after
            if attempt + 1 == TRIES or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
    raise AssertionError("unreachable")
