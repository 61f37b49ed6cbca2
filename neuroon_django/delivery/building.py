"""Claimed rows become what is sent for them, and outcomes for those that need no sending.

The channel of products, the preview and the reconciliation build rows here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from neuroon_django.feeds import Invalid, Rendered, Unlisted, registry
from neuroon_django.feeds.rendering import RenderResult
from neuroon_django.models import ProductOutcomes, ShopState, SyncedProduct

ObjectRef = tuple[str, str]  # an object of the shop: model label, primary key as text
Results = Mapping[ObjectRef, RenderResult]


@dataclass
class BuildResult:
    """What rows need: to be sent as rendered, in the same order, or only to be settled."""

    rows: list[SyncedProduct] = field(default_factory=list)
    rendered: list[Rendered] = field(default_factory=list)
    outcomes: ProductOutcomes = field(default_factory=ProductOutcomes)
    # Objects that have another external id now, or are gone: to be folded again.
    stale: list[ObjectRef] = field(default_factory=list)
    rejected: list[tuple[SyncedProduct, str]] = field(default_factory=list)
    unlisted: list[SyncedProduct] = field(default_factory=list)
    unchanged: int = 0
    put_off: dict[int, str] = field(default_factory=dict)  # rows that wait, with their parents' ids

    def reject(self, row: SyncedProduct, reason: str, digest: str = "") -> None:
        """Note that a product cannot be sent."""
        self.rejected.append((row, reason))
        self.outcomes.rejected(row, reason, digest)

    def add(self, row: SyncedProduct, result: RenderResult | None) -> None:
        """Note what one row needs, by what its product was rendered to."""
        if not row.model:  # it lost its object since it was claimed, and is a delete now
            self.outcomes.retry(row)
        elif result is None:
            self._stale(row, "the shop's object is not there")
        elif isinstance(result, Unlisted):
            self.unlisted.append(row)
            self.outcomes.unlisted(row)
        elif isinstance(result, Invalid):
            self.reject(row, result.reason)
        elif result.external_id != row.external_id:
            self._stale(row, f"its external id is {result.external_id!r} now")
        elif row.digest == result.digest:
            self.unchanged += 1
            self.outcomes.unchanged(row)
        elif row.digest and row.digest == result.refused_digest:
            self.outcomes.still_rejected(row)
        else:
            self.rows.append(row)
            self.rendered.append(result)

    def _stale(self, row: SyncedProduct, reason: str) -> None:
        """Note that the object changed its id or is gone: it is folded again, once per reason."""
        if row.last_error.startswith(reason):
            self.reject(row, reason, row.digest)
        else:
            self.stale.append((row.model, row.object_pk))
            self.outcomes.stale(row, reason)


def render_rows(shop: ShopState, rows: Sequence[SyncedProduct]) -> Results:
    """Return what the products of these rows are now, in a fixed number of queries per model."""
    results: dict[ObjectRef, RenderResult] = {}
    for label in dict.fromkeys(row.model for row in rows):
        source = registry.product_source(label, shop.config)
        if source is not None:
            rendered = source.render_many(row.object_pk for row in rows if row.model == label)
            results |= {(label, pk): result for pk, result in rendered.items()}
    return results


def build(rows: Sequence[SyncedProduct], results: Results) -> BuildResult:
    """Sort claimed rows by what they need; a product that cannot be sent keeps back no other."""
    built = BuildResult()
    for row in rows:
        built.add(row, results.get((row.model, row.object_pk)))
    return built
