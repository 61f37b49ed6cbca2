"""One line for a person when many products or orders are rejected, and one when that is over."""

from __future__ import annotations

import logging

from neuroon_django.models import Conversion, ShopState, SyncedProduct

logger = logging.getLogger("neuroon_django")

MANY_REJECTED = 20  # rows; more than so many are a cause of their own, and not a typing error


def tell_rejections(shop: ShopState) -> None:
    """Log an ERROR when more rows than that are rejected, and an INFO when they are fewer again.

    The shop's row decides who does, so that ten workers make one line.
    """
    products = SyncedProduct.objects.of(shop).filter(status=SyncedProduct.Status.REJECTED).count()
    orders = Conversion.objects.of(shop).filter(status=Conversion.Status.REJECTED).count()
    many = products + orders > MANY_REJECTED
    if many == shop.many_rejected or not ShopState.objects.set_many_rejected(shop, many=many):
        return
    level, event = (logging.ERROR, "many_rejected") if many else (logging.INFO, "many_rejected_ended")
    alias = shop.config.alias
    logger.log(level, "%s shop=%s products=%d orders=%d", event, alias, products, orders)
