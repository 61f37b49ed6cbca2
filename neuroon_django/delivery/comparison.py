"""One page of the catalogue beside its rows: what is the same, what differs, what may be claimed.

The scan asks for it page by page, claims what is `claimable` and makes the rest that differs due.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from neuroon_django.delivery.planning import plan_changes
from neuroon_django.feeds import Invalid, ProductSource, Rendered, Unlisted
from neuroon_django.feeds.rendering import RenderResult
from neuroon_django.models import Lane, ProductStatus, ShopState, SyncedProduct


@dataclass
class PageComparison:
    """What differs on one page, by primary keys as text; `rows` are the rows that its products have.

    `claimable` are the products that differ and need nothing but to be sent as they were rendered;
    `differing` are the others that differ. `absent` are the rows, by their ids, of products that the
    shop lists no more and Neuroon has.
    """

    rows: dict[str, SyncedProduct]
    claimable: dict[str, Rendered] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)
    absent: list[int] = field(default_factory=list)


def compare(
    shop: ShopState, source: ProductSource[Any], pks: list[str], *, hands_over: bool
) -> PageComparison:
    """Compare products with what was last accepted or refused of them.

    Without a hand-over, products without a row, or with one that is not settled, need not be rendered:
    they differ, and what is rendered now is not sent.
    """
    owned = SyncedProduct.objects.of(shop).filter(model=source.label, object_pk__in=pks)
    page = PageComparison({row.object_pk: row for row in owned})
    under_way = {pk for pk, row in page.rows.items() if _will_be_rendered(row)}
    asked = [pk for pk in pks if pk not in under_way]
    if not hands_over:
        asked = [pk for pk in asked if pk in page.rows and _is_settled(page.rows[pk])]
    rendered = source.render_many(asked)
    plan_changes(shop, {(source.label, pk): result for pk, result in rendered.items()})
    for pk in pks:
        if pk in under_way:
            continue
        row, result = page.rows.get(pk), rendered.get(pk)
        if row and result is not None and _is_settled(row) and _is_same(result, row):
            continue  # a row that somebody sends just now never is: what was read for it may be older
        if row and row.in_neuroon and isinstance(result, Unlisted):
            page.absent.append(row.pk)
        elif hands_over and isinstance(result, Rendered) and _is_plain(row, result):
            page.claimable[pk] = result
        else:
            page.differing.append(pk)
    return page


def _is_plain(row: SyncedProduct | None, result: Rendered) -> bool:
    """Return whether nothing about the row changes but that the product is sent."""
    if row is None:
        return True
    idle = row.due_at is None and not row.lease and not row.id_conflict
    return idle and row.external_id == result.external_id and row.lane != Lane.DELETES


def _will_be_rendered(row: SyncedProduct) -> bool:
    """Return whether a worker will read the product after this: due, and claimed by nobody."""
    return row.due_at is not None and not row.lease and row.lane != Lane.DELETES


def _is_settled(row: SyncedProduct) -> bool:
    """Return whether the row says what came of its product, and nobody is sending it now."""
    known = bool(row.digest) or row.status in (ProductStatus.UNLISTED, ProductStatus.REJECTED)
    return known and not row.lease


def _is_same(result: RenderResult, row: SyncedProduct) -> bool:
    """Return whether sending this product again would change nothing."""
    if isinstance(result, Unlisted):
        return row.status in (ProductStatus.UNLISTED, ProductStatus.DELETING)
    if isinstance(result, Invalid):
        return row.status == ProductStatus.REJECTED and row.last_error.startswith(result.reason)
    known = (result.digest, result.refused_digest)
    return result.external_id == row.external_id and (row.id_conflict or row.digest in known)
