"""Finding the way in which Neuroon takes products: by which path, and in which form of the body.

The documents disagree, so the first product is sent in each way until one is accepted (`API.md`,
"Products"). What was refused is remembered in the shop's row: a run whose time is up between two tries
loses nothing. A path that does not exist, or answers with something else, is so for every product;
that the content was refused counts for the product that was sent.
"""

from __future__ import annotations

from typing import Any

from neuroon_django.api.messages import Way
from neuroon_django.exceptions import ApiError, OtherAnswer, Refused, error_for
from neuroon_django.models import ShopState

ABSENT = (404, 405, 415)  # the path, or this form of the body, whatever the product
REFUSALS = (400, 422, *ABSENT)
FIRST_IN_LINE = -1e7  # seconds: what is due since so long ago goes ahead of all others


def refuses_way(error: ApiError) -> bool:
    """Return whether an error may mean that products go another way."""
    return error.status in REFUSALS or isinstance(error, OtherAnswer)


def next_way(shop: ShopState, external_id: str) -> Way | None:
    """Return the way in which this product is sent next, None where all were refused."""
    refused = {(refusal["route"], refusal["body"]) for refusal in _relevant(shop, external_id)}
    return next((way for way in shop.ways if way not in refused), None)


def note_refusal(shop: ShopState, way: Way, external_id: str, error: ApiError) -> None:
    """Remember that this way was refused with this product."""
    others = [one for one in _relevant(shop, external_id) if (one["route"], one["body"]) != way]
    facts = {"status": error.status, "message": error.message, "unknown": error.unknown}
    refusal = {"route": way.route, "body": way.body, "external_id": external_id, **facts}
    shop.set_refused_ways([*others, refusal])


def conclude(shop: ShopState, external_id: str) -> ApiError:
    """Return the most telling error of a product that was refused in all ways, and forget them."""
    refusals = {(one["route"], one["body"]): one for one in _relevant(shop, external_id)}
    errors = [_error(refusals[way]) for way in shop.ways if way in refusals]
    shop.set_refused_ways([])
    unknown = [error for error in errors if error.unknown]
    if unknown:
        return unknown[0]
    first, last = errors[0], errors[-1]
    if first.status == 415 and len(errors) > 1:
        first = errors[1]
    if len({way.route for way in shop.ways}) == 1:
        return first
    return first if isinstance(first, Refused) and last.status in ABSENT else last


def _relevant(shop: ShopState, external_id: str) -> list[dict[str, Any]]:
    """Return the refusals that count for a product."""
    return [
        one
        for one in shop.refused_ways
        if one["external_id"] == external_id or one["status"] in ABSENT or one["unknown"]
    ]


def _error(refusal: dict[str, Any]) -> ApiError:
    status, unknown = refusal["status"], refusal["unknown"]
    prefix = "/api/plugin" if refusal["route"] == "plugin" else "/api"
    return (OtherAnswer if unknown else error_for(status))(
        refusal["message"],
        method="POST",
        path=f"{prefix}/shops/…/products/sync",
        status=status,
        unknown=unknown,
    )
