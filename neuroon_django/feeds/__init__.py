"""Feeds: the shop's object in, a wire value out.

`declarations` holds what a shop subclasses, `source` a feed bound to its model and shop, `rendering`
and `reporting` how a product becomes a payload and an order a report, inside the one `context`.
`lookups` compiles entries, `paths` says which relations they pass through, `cleaning` how values are
cleaned, `registry` who is registered.
"""

from neuroon_django.feeds.context import payload_context
from neuroon_django.feeds.declarations import ConversionLine, Feed, OrderFeed, ProductFeed
from neuroon_django.feeds.registry import Registry, register, registry
from neuroon_django.feeds.rendering import ProductSource, Rendered, Unlisted
from neuroon_django.feeds.reporting import ORDER, OrderSource, Report, Waiting
from neuroon_django.feeds.source import Invalid, Source

__all__ = [
    "ORDER",
    "ConversionLine",
    "Feed",
    "Invalid",
    "OrderFeed",
    "OrderSource",
    "ProductFeed",
    "ProductSource",
    "Registry",
    "Rendered",
    "Report",
    "Source",
    "Unlisted",
    "Waiting",
    "payload_context",
    "register",
    "registry",
]
