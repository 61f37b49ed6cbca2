"""What takes long to count at a million rows is counted once in ten minutes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.cache import caches

from neuroon_django.conf import conf

T = TypeVar("T")

SLOW = 0.1  # seconds; what takes less is counted each time
REST = 600  # seconds

logger = logging.getLogger("neuroon_django")


def remembered(key: str, count: Callable[[], T]) -> T:
    """Return what `count` returns, or what it returned lately if it took long.

    A cache that does not answer is a problem that is told elsewhere: then all is counted.
    """
    name = f"neuroon:counted:{key}"
    known: Any = _quietly(lambda: caches[conf.CACHE].get(name))
    if known is not None:
        found: T = known[0]
        return found
    began = time.perf_counter()
    counted = count()
    if time.perf_counter() - began >= SLOW:
        _quietly(lambda: caches[conf.CACHE].set(name, (counted,), REST))
    return counted


def _quietly(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception as error:  # any backend's own
        logger.debug("not_remembered reason=%s", type(error).__name__)
        return None
