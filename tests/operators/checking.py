"""What the tests of the system checks share."""

from __future__ import annotations

from django.core.checks import run_checks
from django.db.models import Value

REQUIRED = {
    "external_id": "pk",
    "name": Value("name"),
    "price": Value(1),
    "url": Value("https://mystore.com/"),
    "currency": Value("EUR"),
}  # what a product feed has to say, without a look at its model


def messages(*, deploy: bool = False) -> list[tuple[str, str, str]]:
    """Return what `manage.py check` says: ids, messages and hints."""
    found = run_checks(tags=["neuroon"], include_deployment_checks=deploy)
    return [(message.id or "", message.msg, message.hint or "") for message in found]
