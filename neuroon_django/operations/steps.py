"""One step of the verification, and the two that look at the project alone: settings and tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor

from neuroon_django.conf import ShopConfig
from neuroon_django.models import SyncedProduct
from neuroon_django.operations.problems import check_messages

Result = Literal["ok", "warning", "failed"]

SILENT = "Tests run here, and none said where Neuroon is: override NEUROON_API_URL in the test."


@dataclass
class Step:
    """What one step found. A warning hinders nothing; `cure` says what to do."""

    name: str
    result: Result
    text: str
    cure: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Tell whether something has to be corrected first."""
        return self.result == "failed"

    def as_json(self) -> dict[str, Any]:
        """Return the facts under their names."""
        return asdict(self)


def check_settings(shop: ShopConfig) -> Step:
    """Run the system checks of this app."""
    found = check_messages(shop)
    shown = [message for message in found if message.is_serious()] or found
    if shown or not shop.can_send:
        text = "; ".join(f"{message.msg} ({message.id})" for message in shown)
        cure = "; ".join(dict.fromkeys(message.hint for message in shown if message.hint))
        failed = not shop.can_send or shown[0].is_serious()
        result: Result = "failed" if failed else "warning"
        reason = SILENT if shop.is_silent else "NEUROON_ENABLED is False."
        return Step("settings", result, text or reason, cure)
    text = f"shop {shop.SHOP_ID} at {shop.API_URL} for {shop.STOREFRONT_URL}"
    return Step("settings", "ok", text)


def check_deployment(shop: ShopConfig) -> Iterator[Step]:
    """Yield a warning for each thing that is right on a developer's machine only."""
    for message in check_messages(shop, deploy=True):
        yield Step("settings", "warning", f"{message.msg} ({message.id})", message.hint or "")


def check_tables() -> Step:
    """Look whether this app's migrations ran."""
    try:
        executor = MigrationExecutor(connections[SyncedProduct.objects.db])
        targets = executor.loader.graph.leaf_nodes(SyncedProduct._meta.app_label)
        missing = executor.migration_plan(targets)
    except DatabaseError as error:
        return Step("tables", "failed", str(error), "Does the database in DATABASES exist?")
    if missing:
        return Step("tables", "failed", "migrations are missing", "Run: manage.py migrate")
    return Step("tables", "ok", "migrated")
