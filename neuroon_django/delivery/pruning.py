"""What nobody needs any more is deleted, so that no table of the app's grows for ever."""

from __future__ import annotations

import logging

from django.db import transaction

from neuroon_django.feeds import registry
from neuroon_django.models import Change, ShopState

logger = logging.getLogger("neuroon_django")

MOST_CHANGES = 100_000  # that wait for a key; a scan is cheaper than folding more


def prune_changes() -> None:
    """Delete the oldest changes that nobody can fold, and ask for scans in their stead."""
    labels = registry.product_topics() | registry.order_topics()
    last = Change.objects.last_beyond(labels, MOST_CHANGES)
    if last is None:
        return
    with transaction.atomic(Change.objects.db):
        ShopState.objects.request_scans()
        deleted = Change.objects.prune(labels, last)
    logger.warning("changes_pruned count=%d", deleted)
