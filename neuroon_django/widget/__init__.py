"""The widget's token: memory, cache, `ShopState`, and one issuer for all processes (law 14).

`pages` is what a page asks, `token` is what stands behind it and what beat asks, and `issuing` says
how a new one comes about.
"""

from __future__ import annotations

from asgiref.sync import sync_to_async

from neuroon_django.widget.pages import get_token
from neuroon_django.widget.token import refresh_token

__all__ = ["aget_token", "get_token", "refresh_token"]


async def aget_token() -> str:
    """Return what `get_token` returns, without holding an event loop up."""
    return await sync_to_async(get_token, thread_sensitive=False)()
