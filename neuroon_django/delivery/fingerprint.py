"""Settings and feeds that were corrected: what they had broken is tried again by itself (law 8).

The shop's row holds the fingerprint of all that payloads depend on. The run that finds another one
lets requests through again, whatever paused them, and makes rejected rows due: a row whose payload is
still the one that was refused is not sent.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from neuroon_django.conf import VERSION, ShopConfig, conf
from neuroon_django.feeds import Source, registry
from neuroon_django.models import Conversion, Endpoint, ShopState, SyncedProduct

logger = logging.getLogger("neuroon_django")

SETTINGS = (
    ShopConfig.STOREFRONT_URL,
    ShopConfig.CURRENCY,
    ShopConfig.LANGUAGE,
    ShopConfig.PRODUCTS_API,
)


def notice_changes(shop: ShopState) -> None:
    """Try again what settings or feeds had broken, once for each change of theirs."""
    old, new = shop.fingerprint, fingerprint_of(shop.config)
    if old == new or not ShopState.objects.change_fingerprint(shop, new) or not old:
        return
    Endpoint.objects.filter(shop=shop).exclude(reason="").half_open()
    shop.forget_endpoints()
    products = SyncedProduct.objects.revive_rejected(shop)
    orders = Conversion.objects.retry_rejected(shop)
    values = (shop.config.alias, products, orders)
    logger.info("configuration_changed shop=%s products=%d orders=%d", *values)


def fingerprint_of(config: ShopConfig) -> str:
    """Return 64 hex digits that change with the key, with a setting that payloads depend on, a feed."""
    facts = [
        VERSION,
        config.key_fingerprint,
        conf.CONTEXT,
        *(getattr(config, setting.name) for setting in SETTINGS),
        *(digest for source in registry.sources(config).values() for digest in _code_of(source)),
    ]
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()


def _code_of(source: Source[Any]) -> Iterator[str]:
    """Yield what tells one version of a feed from another: the files of the shop's own classes."""
    for cls in type(source.feed).__mro__:
        if not cls.__module__.startswith(("neuroon_django.", "builtins", "typing", "abc")):
            yield f"{source.label} {cls.__qualname__} {_file_digest(cls.__module__)}"


@cache
def _file_digest(module: str) -> str:
    """Return the digest of a module's file as this process found it, "" where it has none."""
    file = getattr(sys.modules.get(module), "__file__", None)
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    except OSError:
        return ""
