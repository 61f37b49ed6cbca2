"""What a test's changes would send: read off the change rows, built by the feeds, never sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.test import override_settings

from neuroon_django.api import messages
from neuroon_django.exceptions import InvalidProduct
from neuroon_django.feeds import ORDER, ProductFeed, payload_context, registry
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
        with payload_context():
            for feed in registry.products():
                self._add(found, feed)
        return found

    def _add(self, found: Sorted, feed: ProductFeed[Any]) -> None:
        named = [pk for label, pk in self.changes if label == feed.label]
        pks = dict.fromkeys(feed.pks(named))
        for path in feed.paths:
            hung = [pk for label, pk in self.changes if label == path.target._meta.label_lower]
            reached = feed.hanging_on(path, hung, "", EVERYTHING) if hung else []
            pks.update(dict.fromkeys(map(str, reached)))
        products = feed.load(feed.pks(pks).values())
        for pk in pks:
            found.add(feed, pk, products.get(pk))


class Sorted:
    """Products by what would become of them."""

    def __init__(self) -> None:
        self.products: dict[str, dict[str, Any]] = {}
        self.rejected: dict[str, str] = {}
        self.unlisted: list[str] = []

    def add(self, feed: ProductFeed[Any], pk: str, product: Any) -> None:
        name = (product and feed.external_id_of(product)) or f"{feed.label} {pk}"
        try:
            if product is None or not feed.value("is_listed", product):
                self.unlisted.append(name)
            else:
                self.products[name] = messages.decode(feed.payload(product)[1])
        except InvalidProduct as invalid:
            self.rejected[name] = str(invalid)


@contextmanager
def recorded() -> Iterator[Outbox]:
    """The app switched on, with nobody to wake and no key to send with."""
    with override_settings(NEUROON_ENABLED=True, NEUROON_AUTO_SYNC=False, NEUROON_API_KEY=""):
        yield Outbox()
