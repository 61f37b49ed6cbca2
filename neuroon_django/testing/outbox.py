"""What a test's changes would send: read off the change rows, built by the feeds, never sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.test import override_settings

from neuroon_django.api import messages
from neuroon_django.feeds import ORDER, Invalid, ProductSource, Rendered, registry
from neuroon_django.feeds.rendering import RenderResult
from neuroon_django.models import Change

EVERYTHING = 1_000_000


class Outbox:
    """What was recorded since it was opened; read it when the changes are made."""

    def __init__(self) -> None:
        self._last = Change.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    @property
    def changes(self) -> list[tuple[str, str]]:
        """What was recorded: (model label, primary key as text), each once, in order."""
        rows = Change.objects.filter(pk__gt=self._last).order_by("pk").values_list("model", "object_pk")
        return list(dict.fromkeys((model.removeprefix(ORDER), pk) for model, pk in rows))

    @property
    def products(self) -> dict[str, dict[str, Any]]:
        """The payloads that would be sent, by external id, their numbers exact."""
        return self._sort().products

    @property
    def rejected(self) -> dict[str, str]:
        """Why products would be kept back."""
        return self._sort().rejected

    @property
    def unlisted(self) -> list[str]:
        """What is not to be in Neuroon: unlisted, deleted, or outside of `get_queryset()`."""
        return self._sort().unlisted

    def _sort(self) -> Sorted:
        found = Sorted()
        for source in registry.products():
            self._add(found, source)
        return found

    def _add(self, found: Sorted, source: ProductSource[Any]) -> None:
        named = [pk for label, pk in self.changes if label == source.label]
        pks = dict.fromkeys(source.pks(named))
        for path in source.paths:
            changed = [pk for label, pk in self.changes if label == path.target._meta.label_lower]
            reached = source.dependents(path, changed, "", EVERYTHING) if changed else []
            pks.update(dict.fromkeys(map(str, reached)))
        external_ids = source.external_ids(source.pks(pks).values())
        results = source.render_many(pks)
        for pk in pks:
            found.add(external_ids.get(pk) or f"{source.label} {pk}", results.get(pk))


class Sorted:
    """Products by what would become of them."""

    def __init__(self) -> None:
        self.products: dict[str, dict[str, Any]] = {}
        self.rejected: dict[str, str] = {}
        self.unlisted: list[str] = []

    def add(self, name: str, result: RenderResult | None) -> None:
        """Add a product by its external id, or by how the shop knows it where it has none."""
        if isinstance(result, Rendered):
            self.products[name] = messages.decode(result.payload)
        elif isinstance(result, Invalid):
            self.rejected[name] = result.reason
        else:
            self.unlisted.append(name)


@contextmanager
def recorded() -> Iterator[Outbox]:
    """The app switched on, with nobody to wake and no key to send with."""
    with override_settings(NEUROON_ENABLED=True, NEUROON_AUTO_SYNC=False, NEUROON_API_KEY=""):
        yield Outbox()
