"""What is rejected, in few lines: one for each reason in a run, and one when it is much (law 19)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from neuroon_django.models import Conversion, ShopState, SyncedProduct

logger = logging.getLogger("neuroon_django")

MANY_REJECTED = 20  # rows; more than so many are a cause of their own, and not a typing error
EXAMPLES = 3  # products or orders of one reason that a line names


def tell_rejections(shop: ShopState, rejections: Mapping[tuple[str, str], Sequence[str]]) -> None:
    """Log a run's rejections, which are names by kind and reason; then whether there are many by now.

    The shop's row decides who logs the latter, so that ten workers make one line.
    """
    alias = shop.config.alias
    for (kind, reason), names in rejections.items():
        shown = ",".join(map(repr, names[:EXAMPLES])) + ("…" if len(names) > EXAMPLES else "")
        count = len(names)
        logger.warning("rejected %s=%d examples=%s reason=%s", kind, count, shown, reason)
    if not rejections and not shop.many_rejected:
        return
    products = SyncedProduct.objects.of(shop).filter(status=SyncedProduct.Status.REJECTED).count()
    orders = Conversion.objects.of(shop).filter(status=Conversion.Status.REJECTED).count()
    many = products + orders > MANY_REJECTED
    if many == shop.many_rejected or not ShopState.objects.set_many_rejected(shop, many=many):
        return
    if many:
        logger.error("many_rejected shop=%s products=%d orders=%d", alias, products, orders)
    else:
        logger.info("many_rejected_ended shop=%s products=%d orders=%d", alias, products, orders)
