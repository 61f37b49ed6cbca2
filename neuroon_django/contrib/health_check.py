"""A check for django-health-check: the verdict of `neuroon_status`, without asking anybody.

List it in the `checks` of a `HealthCheckView` that monitoring asks. The one that a load balancer
asks is no place for it: a shop serves its pages whatever its search does.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connections
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable, ServiceWarning

from neuroon_django.conf import conf
from neuroon_django.models import ShopState
from neuroon_django.operations.health import MAX_AGE, health_of


@dataclass
class NeuroonVerdict(HealthCheck):  # type: ignore[misc]  # the package has no types
    """Fails with the verdict's sentence where a shop's is red, and warns where it is amber.

    `shop` is the alias of the only shop to look at; changes may wait `max_age` seconds, and
    `max_rejected` products and orders may be rejected.
    """

    shop: str | None = None
    max_age: float = MAX_AGE
    max_rejected: int = 0

    def run(self) -> None:
        """Judge the shops; the view calls it in a thread of its own, whose connections are closed."""
        try:
            self._judge()
        finally:
            for connection in connections.all(initialized_only=True):
                if not connection.in_atomic_block:
                    connection.close()

    def _judge(self) -> None:
        configs = [conf.shop(self.shop)] if self.shop else conf.shops().values()
        found: dict[str, list[str]] = {"red": [], "amber": []}
        for config in configs:
            shop = ShopState.objects.for_config(config)
            verdict = health_of(shop, max_age=self.max_age, max_rejected=self.max_rejected).verdict
            found.setdefault(verdict.level, []).append(f"{config.alias}: {verdict.text}")
        if found["red"]:
            raise ServiceUnavailable(" ".join(found["red"]))
        if found["amber"]:
            raise ServiceWarning(" ".join(found["amber"]))
