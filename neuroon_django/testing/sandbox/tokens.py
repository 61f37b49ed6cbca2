"""Widget tokens: issued by Neuroon (S2S), or signed by the shop itself with its key (docs)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from .errors import Refusal
from .messages import Answer, Request
from .state import State

CLOCK_SKEW = 60  # seconds by which a shop's clock may be ahead


def issue(state: State, request: Request, data: Any) -> Answer:
    """Issue a new widget token; the older ones stay valid."""
    if not state.verified:
        raise Refusal(403, "The domain is not verified")
    issued = f"wt_{secrets.token_urlsafe(32)}"
    state.tokens.append(issued)
    state.issued[issued] = time.monotonic()
    return Answer.from_json({"token": issued}, 201)


def is_valid(state: State, token: str) -> bool:
    """Return whether a token lets a widget search: one that was issued, or one that was signed."""
    issued = state.issued.get(token)
    if issued is not None:
        return time.monotonic() - issued < state.token_lifetime
    return state.signed_tokens and state.verified and _is_signed(state, token)


def _is_signed(state: State, token: str) -> bool:
    """Return whether it is `shopId:unixSeconds:hex(HMAC-SHA256)` in URL-safe Base64, unpadded."""
    try:
        text = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        shop_id, seconds, signature = text.rsplit(":", 2)
        age = time.time() - int(seconds)
    except ValueError:
        return False
    message = f"{shop_id}:{seconds}"
    wanted = hmac.new(state.api_key.encode(), message.encode(), hashlib.sha256).hexdigest()
    unpadded = urlsafe_b64encode(text.encode()).decode().rstrip("=") == token
    in_time = -CLOCK_SKEW <= age < state.token_lifetime
    is_right = shop_id == state.shop_id and hmac.compare_digest(signature.encode(), wanted.encode())
    return unpadded and in_time and is_right
