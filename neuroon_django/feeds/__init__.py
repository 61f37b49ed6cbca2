"""Feeds: the shop's object in, a wire value out.

`products` and `orders` hold the classes that a shop subclasses, `feed` what both share, `entries` what
their attributes mean, `paths` which relations they pass through, `values` how values are cleaned,
`registry` who is registered, and `watches` whose signals therefore concern them.
"""

from neuroon_django.feeds.feed import Feed, payload_context
from neuroon_django.feeds.orders import ORDER, ConversionLine, OrderFeed
from neuroon_django.feeds.products import ProductFeed
from neuroon_django.feeds.registry import Registry, register, registry

__all__ = [
    "ORDER",
    "ConversionLine",
    "Feed",
    "OrderFeed",
    "ProductFeed",
    "Registry",
    "payload_context",
    "register",
    "registry",
]
