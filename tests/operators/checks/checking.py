"""What the tests of the system checks share."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.db.models import Model, Value

from neuroon_django.feeds import Feed, registry
from neuroon_django.feeds.registry import Registration

REQUIRED = {
    "external_id": "pk",
    "name": Value("name"),
    "price": Value(1),
    "url": Value("https://mystore.com/"),
    "currency": Value("EUR"),
}  # what a product feed has to say, without a look at its model


def use_feed(monkeypatch: pytest.MonkeyPatch, model: type[Model], feed: type[Feed]) -> None:
    """Register a feed, in the place of the model's own, for one test."""
    monkeypatch.setitem(registry.feeds, model._meta.label_lower, Registration(model, feed))


def messages(*, deploy: bool = False) -> list[tuple[str, str, str]]:
    """Return what `manage.py check` says: ids, messages and hints."""
    found = run_checks(tags=["neuroon"], include_deployment_checks=deploy)
    return [(message.id or "", message.msg, message.hint or "") for message in found]
