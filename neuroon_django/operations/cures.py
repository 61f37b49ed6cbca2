"""What to do about an answer of Neuroon, in one sentence for the person who can do it."""

from __future__ import annotations

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


def cure_for(status: int | None) -> str:
    """Return what ends a pause that an answer of this status began; "" where it ends by itself."""
    if status == 401:
        return "Correct NEUROON_API_KEY, then run: manage.py neuroon_verify"
    if status in (403, 404):
        return "To see what to correct, run: manage.py neuroon_verify"
    return ""


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
