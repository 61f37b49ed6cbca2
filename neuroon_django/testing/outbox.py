"""What a test's changes would send: read off the change rows, built by the feeds, never sent.

`neuroon_outbox` of `neuroon_django.testing` opens it; nothing here reaches the tables of the workers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.test import override_settings

from neuroon_django import clicks
from neuroon_django.api import messages
from neuroon_django.clicks import Clicked
from neuroon_django.feeds import ORDER, Invalid, OrderSource, ProductSource, Rendered, Report, registry
from neuroon_django.models import Change

EVERYTHING = 1_000_000


class Outbox:
    """What was recorded since it was opened; each attribute is read from the database when asked for.

    `neuroon_outbox` tells what the attributes hold.
    """

    def __init__(self) -> None:
        self._last = Change.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    @property
    def changes(self) -> list[tuple[str, str]]:
        """Return what was recorded: (model label, primary key as text), each once, in order."""
        rows = self._rows.values_list("model", "object_pk")
        return list(dict.fromkeys((model.removeprefix(ORDER), pk) for model, pk in rows))

    @property
    def products(self) -> dict[str, dict[str, Any]]:
        """Return the payloads that would be sent, by external id, their numbers exact."""
        return self._contents().products

    @property
    def conversions(self) -> dict[str, dict[str, Any]]:
        """Return the reports of paid orders that would be sent, by order id."""
        return self._contents().conversions

    @property
    def rejected(self) -> dict[str, str]:
        """Return why products, by external id, and orders, by order id, would be kept back."""
        return self._contents().rejected

    @property
    def unlisted(self) -> list[str]:
        """Return what is not to be in Neuroon: unlisted, deleted, or outside of `get_queryset()`."""
        return self._contents().unlisted

    @property
    def _rows(self) -> Any:
        return Change.objects.filter(pk__gt=self._last).order_by("pk")

    def _contents(self) -> Contents:
        """Build everything that was recorded, as it is now."""
        contents = Contents()
        for product_source in registry.products():
            self._add_products(contents, product_source)
        for order_source in registry.orders():
            self._add_orders(contents, order_source)
        return contents

    def _add_products(self, contents: Contents, source: ProductSource[Any]) -> None:
        changes = self.changes
        named = [pk for label, pk in changes if label == source.label]
        pks = dict.fromkeys(source.pks(named))
        for path in source.paths:
            changed = [pk for label, pk in changes if label == path.target._meta.label_lower]
            reached = source.dependents(path, changed, "", EVERYTHING) if changed else []
            pks.update(dict.fromkeys(map(str, reached)))
        external_ids = source.external_ids(source.pks(pks).values())
        results = source.render_many(pks)
        for pk in pks:
            contents.add_product(external_ids.get(pk) or f"{source.label} {pk}", results.get(pk))

    def _add_orders(self, contents: Contents, source: OrderSource[Any]) -> None:
        clicked: defaultdict[str, list[str]] = defaultdict(list)
        for row in self._rows.filter(model=source.topic):
            clicked[row.object_pk].append(row.clicks)
        results = source.report_many(
            {pk: Clicked.read(clicks.merge(texts)) for pk, texts in clicked.items()}
        )
        for pk, result in results.items():
            contents.add_order(result.order_id or f"{source.label} {pk}", result)


class Contents:
    """Products and orders by what would become of them."""

    def __init__(self) -> None:
        self.products: dict[str, dict[str, Any]] = {}
        self.conversions: dict[str, dict[str, Any]] = {}
        self.rejected: dict[str, str] = {}
        self.unlisted: list[str] = []

    def add_product(self, name: str, result: object) -> None:
        """Add a product by its external id, or by how the shop knows it where it has none."""
        if isinstance(result, Rendered):
            self.products[name] = messages.decode(result.payload)
        elif isinstance(result, Invalid):
            self.rejected[name] = result.reason
        else:
            self.unlisted.append(name)

    def add_order(self, name: str, result: object) -> None:
        """Add a paid order that a search led to, or one that cannot be reported."""
        if isinstance(result, Invalid):
            self.rejected[name] = result.reason
        elif isinstance(result, Report) and result.body:
            self.conversions[name] = messages.decode(result.body)


@contextmanager
def recorded() -> Iterator[Outbox]:
    """Switch the app on, with nobody to wake and no key to send with, and yield the outbox."""
    with override_settings(NEUROON_ENABLED=True, NEUROON_AUTO_SYNC=False, NEUROON_API_KEY=""):
        yield Outbox()
