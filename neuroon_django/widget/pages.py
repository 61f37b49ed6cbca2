"""What a page gets: the token in this process's memory, kept up to date by a thread behind it.

A page only reads memory. What is missing or old there is looked up by a thread with a database
connection of its own, since the page may be inside the shop's transaction. One page waits for that
thread where nothing is known yet, at most `NEUROON_WIDGET_TIMEOUT`, and never in an event loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from dataclasses import dataclass, field

from django.db import Error, connections

from neuroon_django.conf import ShopConfig, conf
from neuroon_django.models import Group, ShopState
from neuroon_django.widget import token as tokens
from neuroon_django.widget.token import Token, TokenKey

logger = logging.getLogger("neuroon_django")

MEMORY_TTL = 30.0  # seconds that a process keeps the token it knows before it looks again
MISS_TTL, MAX_MISS_TTL = 2.0, 60.0  # seconds that it keeps that there is none: at first, at most
SHORT_WAIT = 0.1  # seconds that a page waits for what is stored, while another one waits longer


@dataclass(frozen=True, slots=True)
class CachedToken:
    """What this process has found: a token or, `misses` times in a row before, that there is none."""

    token: Token | None
    misses: int = 0
    found_at: float = field(default_factory=time.monotonic)

    @property
    def text(self) -> str:
        """Return the token's text, "" where there is none that a page may be given."""
        return self.token.text if self.token and self.token.servable else ""

    @property
    def settled(self) -> bool:
        """Return whether there is no reason to look again yet."""
        if self.token:
            return self.token.servable and time.monotonic() - self.found_at < MEMORY_TTL
        ttl: float = min(MISS_TTL * 2**self.misses, MAX_MISS_TTL)
        return time.monotonic() - self.found_at < ttl


memory: dict[TokenKey, CachedToken] = {}


def token_for(config: ShopConfig) -> str:
    """Return the token to put into a page of a shop now, "" where there is none; it never raises."""
    if not config.can_send:
        return ""
    key = tokens.token_key(config)
    known = memory.get(key)
    if known is None or not known.settled:
        lookup, mine = lookups.join(key, config)
        if known is None or (known.token and not known.text):
            if not _in_event_loop():
                lookup.wait(for_issue=mine)
            known = memory.get(key)
            if known is None:
                known = memory.setdefault(key, CachedToken(None))
            elif not known.text:
                known = memory[key] = CachedToken(None)
    return known.text


def _in_event_loop() -> bool:
    """Return whether waiting here would delay every other request of this process."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _remember(key: TokenKey, token: Token | None) -> None:
    """Keep what was found from now on; that there is none is kept longer each time.

    Where nothing was found, as when the database is away, a token that may still be served is kept.
    """
    old = memory.get(key)
    if token is None and old and old.text:
        token = old.token
    misses = old.misses + 1 if old and not old.token and not token else 0
    memory[key] = CachedToken(token, min(misses, 10))


class Lookup(threading.Thread):
    """A thread that finds the token, and has it replaced where it is missing or old."""

    def __init__(self, key: TokenKey, config: ShopConfig, *, cached: bool) -> None:
        super().__init__(daemon=True, name="neuroon-token")
        self.key = key
        self.config = config
        self.cached = cached
        self.deadline = time.monotonic() + conf.WIDGET_TIMEOUT
        self.read = threading.Event()  # set when it is known what is stored
        self.done = threading.Event()  # set when a new token, if there had to be one, has come or not
        self.can_issue = False

    @property
    def left(self) -> float:
        """Return the seconds that a page may still wait."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def stuck(self) -> bool:
        """Return whether it has been waiting for the cache for too long."""
        return self.cached and not self.left and self.read.is_set() == self.done.is_set()

    def wait(self, *, for_issue: bool) -> None:
        """Wait until it is known what is stored and, where nothing is, until a token is issued."""
        self.read.wait(self.left if for_issue else min(self.left, SHORT_WAIT))
        if for_issue and self.can_issue:
            self.done.wait(self.left)

    def run(self) -> None:
        """Find the token, remember it for this process, then share it with the others."""
        token = None
        try:
            token = self._find()
        except Error as error:
            logger.warning("token_not_read error=%s", type(error).__name__)
        finally:
            _remember(self.key, token)
            self.read.set()
            self.done.set()
        try:
            if token and self.cached:
                tokens.share(self.key, token)
        finally:
            connections.close_all()

    def _find(self) -> Token | None:
        """Return the best token there is: a fresh one, or else one that may still be served."""
        token = tokens.cached(self.key) if self.cached else None
        if token and token.is_fresh(self.config):
            return token
        shop = ShopState.objects.for_config(self.config)
        token = tokens.stored(shop) or token
        token = token if token and token.servable else None
        if token:
            _remember(self.key, token)
            if token.is_fresh(self.config):
                return token
        self.can_issue = token is None and not shop.endpoint(Group.TOKEN).failures
        self.read.set()
        return tokens.issue(shop, conf.WIDGET_TIMEOUT) or token


class Lookups:
    """The lookups of this process: one at a time per token, and none in a new fork."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Begin without a lookup, and with a lock that is free."""
        self._lock = threading.Lock()
        self._running: dict[TokenKey, Lookup] = {}
        self._hung: Lookup | None = None

    def join(self, key: TokenKey, config: ShopConfig) -> tuple[Lookup, bool]:
        """Return the lookup under way, or a new one, and whether it is the caller's own.

        While one hangs in the cache, the next one goes to the database and leaves the cache out.
        """
        with self._lock:
            running = self._running.get(key)
            if running and running.is_alive():
                if running.stuck:
                    self._hung = running
                elif not running.done.is_set():
                    return running, False
            lookup = Lookup(key, config, cached=not (self._hung and self._hung.is_alive()))
            self._running[key] = lookup
            try:
                lookup.start()
            except RuntimeError:  # no more threads, or the process is ending
                lookup.deadline = 0.0
            return lookup, True


lookups = Lookups()
