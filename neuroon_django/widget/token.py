"""The token itself: its age, where it is kept for all processes, and when it is replaced (law 14).

The cache is only in front of the shop's row, which is the truth; the run lease of the token's
endpoint lets one process at a time replace it, as `issuing` says.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass

from django.core.cache import caches

from neuroon_django.conf import ShopConfig, conf
from neuroon_django.exceptions import ApiError
from neuroon_django.models import Group, ShopState, TokenMethod
from neuroon_django.widget.issuing import new_token

logger = logging.getLogger("neuroon_django")

HOUR = 3_600.0
REPLACE_AFTER = 23 * HOUR  # S2S: rotate at 23 h
SERVE_UNTIL = 24 * HOUR - 300  # S2S: a margin of five minutes before the end
JITTER = 300  # seconds by which the tokens of different shops are replaced earlier

# What a token is for: shop id, API address, fingerprint of the key, and how it is to come about.
TokenKey = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Token:
    """A widget token, and since when it has been good (POSIX seconds)."""

    text: str
    issued_at: float

    @property
    def age(self) -> float:
        """Return the seconds since it was issued or signed."""
        return time.time() - self.issued_at

    @property
    def servable(self) -> bool:
        """Return whether a page may still be given it."""
        return -300 < self.age < SERVE_UNTIL

    def is_fresh(self, config: ShopConfig) -> bool:
        """Return whether it need not be replaced yet."""
        return self.servable and self.age < REPLACE_AFTER - _jitter(config)


def refresh_token(shop: ShopState) -> bool:
    """Replace a shop's token if it is due, so that no page waits; return whether it was."""
    config, kept = shop.config, stored(shop)
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
    """Return what a shop's token is for; it is good for nothing else."""
    return config.SHOP_ID, config.API_URL, config.key_fingerprint, config.WIDGET_TOKEN


def cache_key(key: TokenKey) -> str:
    """Return the key that processes share a token under, in the cache that `NEUROON_CACHE` names."""
    return f"neuroon:token:{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}"


def cached(key: TokenKey) -> Token | None:
    """Return the token that another process put into the cache, None where there is none."""
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
    """Return the token in the shop's row, if it is of the present key and came about as is wanted."""
    config, issued_at = shop.config, shop.token_issued_at
    if not shop.token or shop.token_key != config.key_fingerprint or issued_at is None:
        return None
    if config.WIDGET_TOKEN not in ("auto", shop.token_method):
        return None
    return Token(shop.token, issued_at.timestamp())


def issue(shop: ShopState, seconds: float) -> Token | None:
    """Return a new token, if it is this caller's turn and the endpoint is not blocked.

    Return the stored one where another caller has replaced it meanwhile.
    """
    endpoint = shop.endpoint(Group.TOKEN)
    turn = endpoint.begin_exclusive(2 * seconds)
    if not turn:
        return None
    try:
        shop.refresh_from_db()
        kept = stored(shop)
        if kept and kept.is_fresh(shop.config):
            return kept
        return _replace(shop, time.monotonic() + seconds)
    finally:
        endpoint.row.release_run(turn)


def _replace(shop: ShopState, deadline: float) -> Token | None:
    """Store and return a new token; block the endpoint where there is none to be had."""
    endpoint, now = shop.endpoint(Group.TOKEN), time.time()
    try:
        text, method = new_token(shop, now, deadline)
    except ApiError as error:
        endpoint.failed(error)
        return None
    if method == TokenMethod.ISSUE:
        endpoint.succeeded()
    elif endpoint.failures:
        endpoint.resume()
    shop.token_replaced(text, now, method)
    logger.info("token_issued shop_id=%s method=%s", shop.config.SHOP_ID, method)
    return Token(text, now)
