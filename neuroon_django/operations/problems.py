"""A problem is what needs a person: a sentence, and what to do about it.

Commands end with problems and the overview lists them; those of the settings are found by the system
checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.core import checks

from neuroon_django.conf import ShopConfig, conf
from neuroon_django.feeds import registry
from neuroon_django.operations.wording import sentence


@dataclass(frozen=True)
class Problem:
    """Something that needs a person; `id` is the system check's that found it."""

    text: str
    cure: str = ""
    id: str = ""

    def __str__(self) -> str:
        check = f"({self.id})" if self.id else ""
        return " ".join(filter(None, [sentence(self.text), self.cure, check]))


SWITCHED_OFF = Problem(
    "Nothing is sent: NEUROON_ENABLED is False, or NEUROON_SHOP_ID or NEUROON_API_KEY is not set"
)
NO_FEED = Problem(
    "No product feed is registered: nothing reaches Neuroon",
    "Write <app>/neuroon.py with a ProductFeed and @register(Product).",
)


def check_messages(*, deploy: bool = False) -> list[checks.CheckMessage]:
    """Return what this app's system checks say, but for what the project has silenced.

    With `deploy` what `manage.py check --deploy` says in addition, and nothing else.
    """
    said = checks.run_checks(tags=["neuroon"], include_deployment_checks=deploy)
    plain = checks.run_checks(tags=["neuroon"]) if deploy else []
    return [message for message in said if message not in plain and not message.is_silenced()]


def wrong_settings() -> list[Problem]:
    """Return what cannot work in the settings or in a feed."""
    return [Problem(m.msg, m.hint or "", m.id or "") for m in check_messages() if m.is_serious()]


def obstacles(shop: ShopConfig, *, feeds: bool = True) -> Iterator[Problem]:
    """Yield why nothing can be sent for this shop; with `feeds`, one has to be registered."""
    yield from wrong_settings()
    if not conf.ENABLED:
        yield Problem("NEUROON_ENABLED is False")
    for setting in (ShopConfig.SHOP_ID, ShopConfig.API_KEY):
        if not getattr(shop, setting.name):
            yield Problem(f"{setting.flat} is not set")
    if feeds and not registry.feeds:
        yield NO_FEED
