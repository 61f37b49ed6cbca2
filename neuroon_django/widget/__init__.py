"""The widget's token: memory, cache, `ShopState`, and one issuer for all processes (law 14).

`pages` is what a page asks, `token` is what stands behind it and what beat asks, and `issuing` says
how a new one comes about.
"""

from __future__ import annotations

from asgiref.sync import sync_to_async

from neuroon_django.conf import conf
from neuroon_django.request_shop import shop_for_request
from neuroon_django.widget.pages import token_for
from neuroon_django.widget.token import refresh_token

__all__ = ["aget_token", "get_token", "refresh_token", "token_for"]


def get_token(alias: str = "") -> str:
    """Return the token of the shop of that alias, without one of the shop of the active language."""
    shop = conf.shops().get(alias) if alias else shop_for_request(None)
    return token_for(shop) if shop else ""


async def aget_token(alias: str = "") -> str:
    """Return what `get_token` returns, without holding an event loop up."""
    return await sync_to_async(get_token, thread_sensitive=False)(alias)
