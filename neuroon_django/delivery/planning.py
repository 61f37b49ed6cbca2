"""What changes by the clock alone: `changes_at` of rendered products becomes plans, these changes.

The channel of products and the scan plan what they have rendered; a fold records what has come.
"""

from __future__ import annotations

from neuroon_django.delivery.building import Results
from neuroon_django.feeds import Rendered, Unlisted, registry
from neuroon_django.models import PlannedChange, ShopState


def plans_changes(shop: ShopState) -> bool:
    """Return whether a feed says when its products change; if none does, nothing is asked."""
    return any("changes_at" in source.compiled for source in registry.products(shop.config))


def plan_changes(shop: ShopState, results: Results) -> None:
    """Plan the moments at which rendered products change, those that are not listed yet included."""
    moments = {
        name: result.changes_at
        for name, result in results.items()
        if isinstance(result, Rendered | Unlisted) and result.changes_at
    }
    if moments:
        PlannedChange.objects.plan(shop, moments)


def record_planned(shop: ShopState) -> None:
    """Record the changes whose moment has come."""
    if plans_changes(shop):
        PlannedChange.objects.record(shop)
