"""The token itself: its age, where it is kept for all processes, and how one is issued.

The cache is only in front of the shop's row, which is the truth; the row's gate is the lease by which
one issuer at a time asks Neuroon.
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
from dataclasses import dataclass
from typing import Any

from django.core.cache import caches
from django.utils import timezone

from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.exceptions import ApiError, RateLimited, Unavailable
from neuroon_django.models import ShopState
from neuroon_django.querysets.clock import DbNow

logger = logging.getLogger("neuroon_django")

HOUR = 3_600.0
REPLACE_AFTER = 23 * HOUR  # S2S: rotate at 23 h
SERVE_UNTIL = 24 * HOUR - 300  # S2S: a margin of five minutes before the end
JITTER = 300  # seconds by which the tokens of different shops are replaced earlier
TRIES = 3

Here = tuple[str, str, str]  # shop id, API address, fingerprint of the key


@dataclass(frozen=True, slots=True)
class Token:
    """A widget token and the time it was issued (POSIX seconds)."""

    text: str
    issued_at: float

    @property
    def age(self) -> float:
        return time.time() - self.issued_at

    @property
    def servable(self) -> bool:
        return -300 < self.age < SERVE_UNTIL

    @property
    def fresh(self) -> bool:
        return self.servable and self.age < REPLACE_AFTER - _jitter()


def refresh_token() -> bool:
    """Replace the token where it is due; what beat calls, so that no page waits. True if issued."""
    if not conf.can_send:
        return False
    shop = ShopState.current()
    kept = stored(shop)
    if kept and kept.fresh:
        return False
    token = issue(shop, conf.TIMEOUT)
    if token:
        share(here(), token)
    return token is not None


def _jitter() -> int:
    """Up to five minutes, the same for one shop, so that not all shops ask at one moment."""
    return int(hashlib.sha256(conf.SHOP_ID.encode()).hexdigest()[:6], 16) % JITTER


def here() -> Here:
    """What a token is for; it holds for nothing else."""
    return conf.SHOP_ID, conf.API_URL, conf.key_fingerprint


def cache_key(here: Here) -> str:
    return f"neuroon:token:{hashlib.sha256(repr(here).encode()).hexdigest()[:32]}"


def cached(here: Here) -> Token | None:
    """The token that another process put into the cache."""
    try:
        value = caches[conf.CACHE].get(cache_key(here))
    except Exception as error:  # any backend's own
        logger.warning("cache_failed error=%s", type(error).__name__)
        return None
    match value:
        case [str(text), float(issued_at)]:
            return Token(text, issued_at)
    return None


def share(here: Here, token: Token) -> None:
    """Into the cache, for the other processes."""
    seconds = max(1, int(SERVE_UNTIL - token.age))
    try:
        caches[conf.CACHE].set(cache_key(here), [token.text, token.issued_at], seconds)
    except Exception as error:
        logger.warning("cache_failed error=%s", type(error).__name__)


def stored(shop: ShopState) -> Token | None:
    """The token in the shop's row."""
    if not shop.token or shop.token_key != conf.key_fingerprint or shop.token_issued_at is None:
        return None
    return Token(shop.token, shop.token_issued_at.timestamp())


def issue(shop: ShopState, seconds: float) -> Token | None:
    """Ask Neuroon for a token, if it is this caller's turn: the gate is the issuer's lease."""
    lease = 2 * seconds
    gates = ShopState.objects
    if gates.take_slot(shop.pk, "token", lease, probe=lease, near=0) is None:
        return None
    shop.refresh_from_db()
    if (kept := stored(shop)) and kept.fresh:
        return kept
    issued_at = timezone.now()
    try:
        text = _ask(time.monotonic() + seconds)
    except ApiError as error:
        shop.failed("token", error)
        return None
    shop.succeeded("token")
    facts = {"token": text, "token_issued_at": issued_at, "token_key": conf.key_fingerprint}
    gates.set(shop.pk, token_gate=DbNow(), **facts)
    logger.info("token_issued shop_id=%s", conf.SHOP_ID)
    return Token(text, issued_at.timestamp())


def _ask(deadline: float) -> str:
    """Up to three attempts before the deadline, for what is temporary only."""
    for attempt in range(TRIES):
        left = deadline - time.monotonic()
        options: dict[str, Any] = conf.client_options(timeout=max(0.1, left))
        try:
            with Client(**options) as client:
                return client.issue_token()
        except (Unavailable, RateLimited) as error:
            pause = 0.2 * 2**attempt * random.uniform(0.5, 1)
            pause = pause if error.retry_after is None else error.retry_after
            if attempt + 1 == TRIES or time.monotonic() + pause >= deadline:
                raise
        time.sleep(pause)
    raise AssertionError("unreachable")
