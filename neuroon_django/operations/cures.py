"""What to do about each cause, in one sentence for the person who can do it.

`CURES` is the table of them all; what a failed step of the verification says depends on the settings,
and is `advice`.
"""

from __future__ import annotations

from typing import NamedTuple

from neuroon_django.conf import DEFAULT_API_URL, ShopConfig
from neuroon_django.exceptions import (
    ApiError,
    Forbidden,
    KeyRefused,
    NotFound,
    RateLimited,
    Refused,
    Unavailable,
)


class Cure(NamedTuple):
    """A sentence, and the name of the overview's button that does it, "" where none does."""

    text: str
    action: str = ""


CURES: dict[str, Cure] = {
    # Nothing is sent
    "switched off": Cure("Set NEUROON_ENABLED = True."),
    "no key": Cure("Set it from Neuroon's dashboard."),
    "tests": Cure("Override NEUROON_API_URL in the test."),
    "no feed": Cure("Write <app>/neuroon.py with a ProductFeed and @register(Product)."),
    "migrations": Cure("Run: manage.py migrate"),
    # Neuroon refuses it
    "key": Cure("Correct NEUROON_API_KEY, then run: manage.py neuroon_verify", "verify"),
    "forbidden": Cure("To see what to correct, run: manage.py neuroon_verify", "verify"),
    "content": Cure(
        "Correct the feed or the setting that it is about: it is tried again then.", "resume"
    ),
    "by itself": Cure("", "resume"),
    # Nobody sends it
    "no worker": Cure("Start one: celery -A <project> worker --beat", "sync"),
    "no beat": Cure(
        "Run celery beat with CELERY_BEAT_SCHEDULE = neuroon_django.schedules.beat_schedule()", "sync"
    ),
    "no cron": Cure("Run manage.py neuroon_sync from cron, or neuroon_sync --watch.", "sync"),
    "queue": Cure("Start a Celery worker with beat, or run: manage.py neuroon_sync", "sync"),
    # The catalogue and the domain
    "verify": Cure("Run: manage.py neuroon_verify", "verify"),
    "scan": Cure("Run: manage.py neuroon_sync --scan", "scan"),
    "unreadable feed": Cure("Correct the feed; the log says what it raised (not_scanned).", "scan"),
    "brake": Cure("If they are gone indeed, run: manage.py neuroon_sync --scan --force"),
    "fold": Cure("Correct the feed or the setting; the shop is scanned by itself then."),
    "rejected": Cure("Fix {them}, then run: manage.py neuroon_sync --retry", "retry"),
    # What surrounds it
    "cache": Cure("Start the cache that NEUROON_CACHE names, or correct CACHES."),
    "clock": Cure("Set both clocks by a time server (NTP)."),
    "unknown models": Cure("If they are gone for good, run: manage.py neuroon_reconcile --fix"),
    "former shop": Cure("If it is gone for good, run: manage.py neuroon_status --forget {shop_id}"),
}


def pause_cause(status: int | None) -> str:
    """Return the cause, in the table, of a pause that an answer of this status began."""
    if status == 401:
        return "key"
    if status in (400, 409, 413, 422):
        return "content"
    needs_nobody = status is None or status >= 500 or status in (408, 429, 499)
    return "by itself" if needs_nobody else "forbidden"


def cure_for(status: int | None) -> str:
    """Return what ends a pause that an answer of this status began; "" where it ends by itself."""
    cause = pause_cause(status)
    return "" if cause == "content" else CURES[cause].text


def advice(error: ApiError, shop: ShopConfig) -> str:
    """Return what to do about a request that failed (`API.md`, "Domain verification", "Errors")."""
    if isinstance(error, KeyRefused):
        return f"Correct NEUROON_API_KEY. {_environment(shop)}"
    if isinstance(error, Refused) and error.status == 409:
        return "Another shop has verified this domain: open a support ticket with Neuroon."
    if isinstance(error, NotFound):
        return f"{_identity(shop)} {_environment(shop)}"
    if isinstance(error, Forbidden):
        return _identity(shop)
    if isinstance(error, RateLimited):
        return f"Wait {error.retry_after or 60:.0f} s, then run this again."
    if isinstance(error, Unavailable):
        return "Is NEUROON_API_URL right, and does this machine reach it? Run this again."
    return "Run this again. If it fails again, send this line to Neuroon's support."


def _identity(shop: ShopConfig) -> str:
    """Return which two settings have to belong to the key."""
    return (
        f"NEUROON_SHOP_ID must be the shop of this key (it is {shop.SHOP_ID}), and "
        "NEUROON_STOREFRONT_URL its address at Neuroon, shop.url in the dashboard (it is "
        f"{shop.STOREFRONT_URL}): correct the one that is not, then run this again."
    )


def _environment(shop: ShopConfig) -> str:
    """Return the reminder that a key belongs to one of Neuroon's two services."""
    return (
        f"A key of https://dev-api.neuroon.ai does not work at {DEFAULT_API_URL}, nor the other way "
        f"round; NEUROON_API_URL is {shop.API_URL}."
    )
