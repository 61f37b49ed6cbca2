"""How a new token comes about: Neuroon issues it, or it is signed here (law 14, `API.md`).

With `NEUROON_WIDGET_TOKEN = "auto"` Neuroon is asked first, each time a token is due, so that the day
on which it can issue tokens is noticed; where it has no such endpoint the token is signed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import time
from collections.abc import Callable
from typing import TypeVar

from neuroon_django.api import Client
from neuroon_django.conf import ShopConfig
from neuroon_django.exceptions import ApiError, RateLimited, Unavailable
from neuroon_django.models import Group, ShopState, TokenMethod

T = TypeVar("T")

ATTEMPTS = 3
NO_ENDPOINT = (404, 405)  # statuses of a path, or a method of it, that does not exist


def new_token(shop: ShopState, now: float, deadline: float) -> tuple[str, TokenMethod]:
    """Return a token that is good from `now` (POSIX seconds) on, and how it came about.

    Neuroon is asked until the deadline (monotonic seconds); its last error is raised.
    """
    config = shop.config
    if config.WIDGET_TOKEN == TokenMethod.SIGN:
        return sign(config, now), TokenMethod.SIGN
    try:
        return _ask(config, deadline, Client.issue_token), TokenMethod.ISSUE
    except ApiError as error:
        if config.WIDGET_TOKEN == TokenMethod.ISSUE or not _may_sign(shop, error, deadline):
            raise
    return sign(config, now), TokenMethod.SIGN


def sign(config: ShopConfig, now: float) -> str:
    """Return a token that is signed with the API key, and does not hold it."""
    message = f"{config.SHOP_ID}:{int(now)}"
    signature = hmac.new(config.API_KEY.encode(), message.encode(), hashlib.sha256).hexdigest()
    return base64.urlsafe_b64encode(f"{message}:{signature}".encode()).rstrip(b"=").decode()


def _may_sign(shop: ShopState, error: ApiError, deadline: float) -> bool:
    """Return whether Neuroon issues no tokens, as its answer says or an earlier one did.

    An earlier one counts while Neuroon cannot answer at all. Raise what the key is refused with.
    """
    if isinstance(error, Unavailable | RateLimited):
        return shop.token_method == TokenMethod.SIGN
    return error.status in NO_ENDPOINT and _accepts_key(shop, deadline)


def _accepts_key(shop: ShopState, deadline: float) -> bool:
    """Return whether Neuroon accepts this key for this shop at another endpoint."""
    try:
        _ask(shop.config, deadline, Client.verification_data)
    except ApiError as error:
        if error.status not in NO_ENDPOINT:
            raise
        return shop.endpoint(Group.PRODUCTS).confirmed_at is not None
    return True


def _ask(config: ShopConfig, deadline: float, request: Callable[[Client], T]) -> T:
    """Return the answer, after up to three attempts before the deadline for what is temporary."""
    for attempt in range(ATTEMPTS):
        left = max(0.1, deadline - time.monotonic())
        try:
            with Client(**config.client_options(timeout=left)) as client:
                return request(client)
        except (Unavailable, RateLimited) as error:
            pause = 0.2 * 2**attempt * random.uniform(0.5, 1)
            pause = pause if error.retry_after is None else error.retry_after
            if attempt + 1 == ATTEMPTS or time.monotonic() + pause >= deadline:
                raise
        time.sleep(pause)
    raise AssertionError("unreachable")
