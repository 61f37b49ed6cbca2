"""External ids that several products have: the verification tells them before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from neuroon_django.api.text import text_of
from neuroon_django.conf import ShopConfig
from neuroon_django.feeds import ProductSource, registry
from neuroon_django.operations.wording import join

SHOWN = 3  # ids that are named
SAMPLE = 500  # products of each feed that are compared with those of the others
CURE = "Let external_id name what differs in all products; all but one of those would be rejected."


def repeated_ids(shop: ShopConfig) -> Iterator[str]:
    """Yield a sentence for each feed, and for each two feeds, in which products share an id.

    In one feed the database tells; of two feeds the first products are compared.
    """
    sources = registry.products(shop)
    for source in sources:
        if ids := source.repeated_ids(SHOWN):
            yield f"{source.name}: several products have the external id {_named(ids)}"
    samples = {source.name: _sample(source) for source in sources} if len(sources) > 1 else {}
    for (one, some), (other, others) in combinations(samples.items(), 2):
        if shared := sorted(some & others):
            yield f"{one} and {other}: products of both have the external id {_named(shared[:SHOWN])}"


def _sample(source: ProductSource[Any]) -> set[str]:
    ids = source.external_ids(source.keys_after("", SAMPLE))
    return {external_id for external_id in ids.values() if external_id}


def _named(ids: list[str]) -> str:
    return text_of(join([repr(external_id[:50]) for external_id in ids]))
