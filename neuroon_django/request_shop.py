"""Which of several shops a request is for: its pages, and the clicks that are made in them (law 20).

`NEUROON_SHOP_FOR_REQUEST` tells, where it is set; else the host, as the shops' storefronts have it;
else the language. One shop alone is every request's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.utils import translation
from django.utils.module_loading import import_string

from neuroon_django.conf import ShopConfig, conf
from neuroon_django.rules import ascii_address

logger = logging.getLogger("neuroon_django")


def shop_for_request(request: HttpRequest | None) -> ShopConfig | None:
    """Return the shop that a request is for, None where nothing tells; it never raises.

    Without a request, as in a command, only the active language is asked.
    """
    shops = conf.shops()
    if len(shops) == 1:
        return next(iter(shops.values()))
    if request is not None and conf.SHOP_FOR_REQUEST:
        alias = _alias_of(request)
        if alias:
            return shops.get(alias)
    candidates = list(shops.values())
    if request is not None:
        candidates = _of_host(candidates, request) or candidates
    return candidates[0] if len(candidates) == 1 else _of_language(candidates, _language(request))


def _alias_of(request: HttpRequest) -> str:
    """Return what the project's own function says, "" where it says nothing or fails."""
    try:
        alias_of: Callable[[HttpRequest], Any] = import_string(conf.SHOP_FOR_REQUEST)
        alias = alias_of(request)
    except Exception as error:
        failed = type(error).__name__
        logger.warning("shop_for_request_failed function=%s error=%s", conf.SHOP_FOR_REQUEST, failed)
        return ""
    return alias if isinstance(alias, str) else ""


def _of_host(shops: Iterable[ShopConfig], request: HttpRequest) -> list[ShopConfig]:
    """Return the shops whose storefront is on the request's host; a leading "www." tells nothing."""
    try:
        host = _host(f"//{request.get_host()}")
    except DisallowedHost:
        return []
    written = ((shop, ShopConfig.STOREFRONT_URL.written(shop)) for shop in shops)
    return [shop for shop, url in written if isinstance(url, str) and _host(url) == host]


@lru_cache(maxsize=100)
def _host(url: str) -> str:
    """Return the host of an address as a request names it, without "www."; "" where it has none."""
    try:
        host = urlsplit(ascii_address(url.strip())).hostname or ""
    except ValueError:
        return ""
    return host.lower().removeprefix("www.")


def _language(request: HttpRequest | None) -> str:
    """Return the language of a request in lower case: what its middleware chose, or the active one."""
    language = getattr(request, "LANGUAGE_CODE", None) or translation.get_language()
    return str(language or "").lower()


def _of_language(shops: Iterable[ShopConfig], language: str) -> ShopConfig | None:
    """Return the only shop of a language, which Django may serve for a variant of it or the reverse."""
    shops = list(shops)
    for same in (str, _served, _main):
        found = [shop for shop in shops if same(shop.LANGUAGE.lower()) == same(language)]
        if len(found) == 1:
            return found[0]
    return None


def _served(language: str) -> str:
    """Return the variant of a language that Django serves."""
    try:
        return translation.get_supported_language_variant(language).lower()
    except LookupError:
        return language


def _main(language: str) -> str:
    return language.partition("-")[0]
