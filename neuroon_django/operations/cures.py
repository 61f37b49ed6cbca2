"""What to do about an answer of Neuroon, in one sentence for the person who can do it."""

from __future__ import annotations

import re

from neuroon_django.conf import DEFAULT_API_URL, conf
from neuroon_django.exceptions import (
    ApiError,
    Forbidden,
    KeyRefused,
    NotFound,
    RateLimited,
    Refused,
    Unavailable,
)

QUOTED_STATUS = re.compile(r"\b[A-Z]+ /\S*: (\d{3}) ")  # in the text of an ApiError


def cure_for(status: int | None) -> str:
    """Return what ends a pause that an answer of this status began; "" where it ends by itself."""
    if status == 401:
        return "Correct NEUROON_API_KEY, then run: manage.py neuroon_verify"
    if status in (403, 404):
        return "To see what to correct, run: manage.py neuroon_verify"
    return ""


def status_in(reason: str) -> int | None:
    """Return the status that a pause's reason quotes, None where it quotes none."""
    quoted = QUOTED_STATUS.search(reason)
    return int(quoted[1]) if quoted else None


def advice(error: ApiError) -> str:
    """Return what to do about a request that failed (`API.md`, "Domain verification", "Errors")."""
    if isinstance(error, KeyRefused):
        return f"Correct NEUROON_API_KEY. {_environment()}"
    if isinstance(error, Refused) and error.status == 409:
        return "Another shop has verified this domain: open a support ticket with Neuroon."
    if isinstance(error, NotFound):
        return f"{_identity()} {_environment()}"
    if isinstance(error, Forbidden):
        return _identity()
    if isinstance(error, RateLimited):
        return f"Wait {error.retry_after or 60:.0f} s, then run this again."
    if isinstance(error, Unavailable):
        return "Is NEUROON_API_URL right, and does this machine reach it? Run this again."
    return "Run this again. If it fails again, send this line to Neuroon's support."


def _identity() -> str:
    """Return which two settings have to belong to the key."""
    return (
        f"NEUROON_SHOP_ID must be the shop of this key (it is {conf.SHOP_ID}), and "
        "NEUROON_STOREFRONT_URL its address at Neuroon, shop.url in the dashboard (it is "
        f"{conf.STOREFRONT_URL}): correct the one that is not, then run this again."
    )


def _environment() -> str:
    """Return the reminder that a key belongs to one of Neuroon's two services."""
    return (
        f"A key of https://dev-api.neuroon.ai does not work at {DEFAULT_API_URL}, nor the other way "
        f"round; NEUROON_API_URL is {conf.API_URL}."
    )
