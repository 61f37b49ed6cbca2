"""What a page gets: this process's memory, and the thread behind it that looks further.

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

from neuroon_django.conf import conf
from neuroon_django.models import ShopState
from neuroon_django.widget import token as issuing
from neuroon_django.widget.token import Here, Token

logger = logging.getLogger("neuroon_django")

TRUST = 30.0  # seconds a process trusts the token it knows before it looks again
MOMENT, MINUTE = 2.0, 60.0  # seconds it believes that there is none: the first time, and at most
BRIEFLY = 0.1  # seconds that a page waits for what is stored, while another one waits in earnest


@dataclass(frozen=True, slots=True)
class Known:
    """What this process found: a token, or `misses` times in a row that there is none."""

    token: Token | None
    misses: int = 0
    found_at: float = field(default_factory=time.monotonic)

    @property
    def text(self) -> str:
        return self.token.text if self.token and self.token.servable else ""

    @property
    def settled(self) -> bool:
        """Whether there is no reason to look again."""
        if self.token:
            return self.token.servable and time.monotonic() - self.found_at < TRUST
        believed: float = min(MOMENT * 2**self.misses, MINUTE)
        return time.monotonic() - self.found_at < believed


memory: dict[Here, Known] = {}


def get_token() -> str:
    """The token to put into a page now, or "" where there is none; never raises."""
    if not conf.can_send:
        return ""
    here = issuing.here()
    known = memory.get(here)
    if known is None or not known.settled:
        lookup, mine = lookups.join(here)
        if known is None or (known.token and not known.text):
            if not _in_event_loop():
                lookup.wait(patiently=mine)
            known = memory.get(here)
            if known is None:
                known = memory.setdefault(here, Known(None))
            elif not known.text:
                known = memory[here] = Known(None)
    return known.text


def _in_event_loop() -> bool:
    """Whether waiting here would hold up every other request of this process."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _remember(here: Here, token: Token | None) -> None:
    """Know this from now on; that there is none is believed longer each time.

    Where nothing was found, since the database was away perhaps, a token that still serves is kept.
    """
    old = memory.get(here)
    if token is None and old and old.text:
        token = old.token
    misses = old.misses + 1 if old and not old.token and not token else 0
    memory[here] = Known(token, min(misses, 10))


class Lookup(threading.Thread):
    """Finds the token away from the page's thread, and has one issued where it is missing or old."""

    def __init__(self, here: Here, *, cached: bool) -> None:
        super().__init__(daemon=True, name="neuroon-token")
        self.here = here
        self.cached = cached
        self.deadline = time.monotonic() + conf.WIDGET_TIMEOUT
        self.read = threading.Event()  # what is stored is known
        self.done = threading.Event()  # and what can be issued has been
        self.promising = False

    @property
    def left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    @property
    def stuck(self) -> bool:
        """Whether it has been in the cache's hands for too long."""
        return self.cached and not self.left and self.read.is_set() == self.done.is_set()

    def wait(self, *, patiently: bool) -> None:
        """Until it is known what is stored; patiently: until one is issued, where none was stored."""
        self.read.wait(self.left if patiently else min(self.left, BRIEFLY))
        if patiently and self.promising:
            self.done.wait(self.left)

    def run(self) -> None:
        token = None
        try:
            token = self._find()
        except Error as error:
            logger.warning("token_not_read error=%s", type(error).__name__)
        finally:
            _remember(self.here, token)
            self.read.set()
            self.done.set()
        try:
            if token and self.cached:
                issuing.share(self.here, token)
        finally:
            connections.close_all()

    def _find(self) -> Token | None:
        token = issuing.cached(self.here) if self.cached else None
        if token and token.fresh:
            return token
        shop = ShopState.current()
        token = issuing.stored(shop) or token
        token = token if token and token.servable else None
        if token:
            _remember(self.here, token)
            if token.fresh:
                return token
        self.promising = token is None and not shop.token_failures
        self.read.set()
        return issuing.issue(shop, conf.WIDGET_TIMEOUT) or token


class Lookups:
    """One lookup at a time in this process, and anew in every fork."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Here, Lookup] = {}
        self._hung: Lookup | None = None

    def join(self, here: Here) -> tuple[Lookup, bool]:
        """The lookup under way, or a new one, and whether it is the caller's own.

        Behind one that hangs in the cache, the next goes to the database without it.
        """
        with self._lock:
            running = self._running.get(here)
            if running and running.is_alive():
                if running.stuck:
                    self._hung = running
                elif not running.done.is_set():
                    return running, False
            lookup = Lookup(here, cached=not (self._hung and self._hung.is_alive()))
            self._running[here] = lookup
            try:
                lookup.start()
            except RuntimeError:  # no more threads, or the process is ending
                lookup.deadline = 0.0
            return lookup, True


lookups = Lookups()
