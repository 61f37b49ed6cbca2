"""The token itself: its age, where it is kept for all processes, and how one is issued (law 14).

The cache is only in front of the shop's row, which is the truth; the run lease of the token's
endpoint lets one issuer at a time ask Neuroon.
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
from neuroon_django.conf import ShopConfig, conf
from neuroon_django.exceptions import ApiError, RateLimited, Unavailable
from neuroon_django.models import Group, ShopState

logger = logging.getLogger("neuroon_django")

HOUR = 3_600.0
REPLACE_AFTER = 23 * HOUR  # S2S: rotate at 23 h
SERVE_UNTIL = 24 * HOUR - 300  # S2S: a margin of five minutes before the end
JITTER = 300  # seconds by which the tokens of different shops are replaced earlier
ATTEMPTS = 3

TokenKey = tuple[str, str, str]  # what a token is for: shop id, API address, fingerprint of the key


@dataclass(frozen=True, slots=True)
class Token:
    """A widget token and the time it was issued (POSIX seconds)."""

    text: str
    issued_at: float

    @property
    def age(self) -> float:
        """Seconds since it was issued."""
        return time.time() - self.issued_at

    @property
    def servable(self) -> bool:
        """Whether a page may still be given it."""
        return -300 < self.age < SERVE_UNTIL

    def is_fresh(self, config: ShopConfig) -> bool:
        """Return whether it need not be replaced yet."""
        return self.servable and self.age < REPLACE_AFTER - _jitter(config)


def refresh_token() -> bool:
    """Replace the tokens that are due, as beat asks, so that no page waits; True if one was issued."""
    issued = [_refresh(config) for config in conf.shops().values() if config.can_send]
    return any(issued)


def _refresh(config: ShopConfig) -> bool:
    shop = ShopState.objects.for_config(config)
    kept = stored(shop)
    if kept and kept.is_fresh(config):
        return False
    token = issue(shop, config.TIMEOUT)
    if token:
        share(token_key(config), token)
    return token is not None


def _jitter(config: ShopConfig) -> int:
    """Return up to five minutes, the same for one shop, so that not all shops ask at one moment."""
    return int(hashlib.sha256(config.SHOP_ID.encode()).hexdigest()[:6], 16) % JITTER


def token_key(config: ShopConfig) -> TokenKey:
    """Return what a shop's token is for; it holds for nothing else."""
    return config.SHOP_ID, config.API_URL, config.key_fingerprint


def cache_key(key: TokenKey) -> str:
    """Return the key that processes share a token under, in the cache that `NEUROON_CACHE` names."""
    return f"neuroon:token:{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}"


def cached(key: TokenKey) -> Token | None:
    """Return the token that another process put into the cache."""
    try:
        value = caches[conf.CACHE].get(cache_key(key))
    except Exception as error:  # any backend's own
        logger.warning("cache_failed error=%s", type(error).__name__)
        return None
    match value:
        case [str(text), float(issued_at)]:
            return Token(text, issued_at)
    return None


def share(key: TokenKey, token: Token) -> None:
    """Put a token into the cache, for the other processes."""
    seconds = max(1, int(SERVE_UNTIL - token.age))
    try:
        caches[conf.CACHE].set(cache_key(key), [token.text, token.issued_at], seconds)
    except Exception as error:
        logger.warning("cache_failed error=%s", type(error).__name__)


def stored(shop: ShopState) -> Token | None:
    """Return the token in the shop's row, where it is one of the present key."""
    issued_at = shop.token_issued_at
    if not shop.token or shop.token_key != shop.config.key_fingerprint or issued_at is None:
        return None
    return Token(shop.token, issued_at.timestamp())


def issue(shop: ShopState, seconds: float) -> Token | None:
    """Ask Neuroon for a token, if it is this caller's turn and the endpoint is not blocked."""
    endpoint = shop.endpoint(Group.TOKEN)
    turn = endpoint.begin_exclusive(2 * seconds)
    if not turn:
        return None
    try:
        shop.refresh_from_db()
        kept = stored(shop)
        if kept and kept.is_fresh(shop.config):
            return kept
        return _ask(shop, time.monotonic() + seconds)
    finally:
        endpoint.row.release_run(turn)


def _ask(shop: ShopState, deadline: float) -> Token | None:
    endpoint, config = shop.endpoint(Group.TOKEN), shop.config
    issued_at = timezone.now()
    try:
        text = _issued(config, deadline)
    except ApiError as error:
        endpoint.failed(error)
        return None
    endpoint.succeeded()
    facts = {"token": text, "token_issued_at": issued_at, "token_key": config.key_fingerprint}
    ShopState.objects.set(shop.pk, **facts)
    logger.info("token_issued shop_id=%s", config.SHOP_ID)
    return Token(text, issued_at.timestamp())


def _issued(config: ShopConfig, deadline: float) -> str:
    """Return a new token, after up to three attempts before the deadline for what is temporary."""
    for attempt in range(ATTEMPTS):
        left = deadline - time.monotonic()
        options: dict[str, Any] = config.client_options(timeout=max(0.1, left))
        try:
            with Client(**options) as client:
                return client.issue_token()
        except (Unavailable, RateLimited) as error:
            pause = 0.2 * 2**attempt * random.uniform(0.5, 1)
            pause = pause if error.retry_after is None else error.retry_after
            if attempt + 1 == ATTEMPTS or time.monotonic() + pause >= deadline:
                raise
        time.sleep(pause)
    raise AssertionError("unreachable")
