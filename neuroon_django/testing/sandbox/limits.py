"""Neuroon's rate limits: one count per endpoint, in fixed or sliding windows."""

from __future__ import annotations

import math
import time
from collections import deque

from .errors import Refusal
from .state import State

OWN_LIMITS = {"verify": (5, 5), "verification-data": (20, 1), "me": (60, 1)}  # requests, windows


def count_request(state: State, endpoint: str) -> dict[str, str]:
    """Count a request to an endpoint and return the headers that show how much is left.

    Raise a 429 with `Retry-After` when the limit is used up.
    """
    if state.rate_limit is None:
        return {}
    limit, windows = OWN_LIMITS.get(endpoint, (state.rate_limit, 1))
    length, moment, hits = state.rate_window * windows, time.monotonic(), state.hits[endpoint]
    _forget_old(hits, moment - length, state.sliding)
    free = len(hits) < limit
    after = max(1, math.ceil((hits[0] if hits else moment) + length - moment))
    if free:
        hits.append(moment)
    left = max(0, limit - len(hits))
    headers = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left)}
    if not free:
        message = f"Rate limit exceeded. Retry after {after} seconds."
        raise Refusal(429, message, headers=headers | {"Retry-After": str(after)})
    return headers


def _forget_old(hits: deque[float], until: float, sliding: bool) -> None:
    """Drop what no longer counts; a fixed window begins with its first request and ends at once."""
    if not sliding and hits and hits[0] <= until:
        hits.clear()
    while hits and hits[0] <= until:
        hits.popleft()
