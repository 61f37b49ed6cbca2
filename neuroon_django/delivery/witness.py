"""A witness: one product that Neuroon is known to hold, sent once more as it is (law 8).

If it is refused as well, no product's content is the cause.
"""

from __future__ import annotations

from neuroon_django.delivery.batch import ProductBatch
from neuroon_django.delivery.building import render_rows
from neuroon_django.delivery.channel import Channel
from neuroon_django.feeds import Rendered, registry
from neuroon_django.models import ProductOutcomes, SyncedProduct

CANDIDATES = 3  # products that are looked at: one may have changed without a signal


def find_witness(channel: Channel[SyncedProduct]) -> ProductBatch | None:
    """Return the request of one claimed product that Neuroon holds as it is; None without one."""
    table = SyncedProduct.objects.all()
    known = table.of_labels(registry.product_labels(channel.shop.config))
    rows = known.claim_witnesses(channel.shop, CANDIDATES, channel.engine.lease_seconds)
    results = render_rows(channel.shop, rows)
    outcomes, witness = ProductOutcomes(), None
    for row in rows:
        result = results.get((row.model, row.object_pk))
        if witness is None and isinstance(result, Rendered) and result.digest == row.digest:
            way = channel.shop.known_way or channel.shop.ways[0]
            witness = ProductBatch(channel, [row], [result], way)
        else:
            outcomes.unchanged(row)
    table.settle(outcomes)
    return witness
