"""A problem is what needs a person: a sentence, what to do about it, and how bad it is.

Commands end with problems and the overview lists them; those of the settings are found by the system
checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from django.core import checks

from neuroon_django.conf import ShopConfig, conf
from neuroon_django.feeds import registry
from neuroon_django.operations.cures import CURES
from neuroon_django.operations.phrases import phrase
from neuroon_django.operations.wording import sentence

# Warnings of the checks that are said better by what is seen: no key, no feed, eager, no broker.
SEEN_OTHERWISE = ("neuroon.W001", "neuroon.W004", "neuroon.W007", "neuroon.W008")

Level = Literal["amber", "red"]


@dataclass(frozen=True)
class Problem:
    """Something that needs a person; `id` is the system check's that found it.

    `action` is the name of the overview's button that is its cure, "" where none is.
    """

    text: str
    cure: str = ""
    id: str = ""
    level: Level = "red"
    action: str = ""

    def __str__(self) -> str:
        check = f"({self.id})" if self.id else ""
        return " ".join(filter(None, [sentence(self.text), self.cure, check]))


def problem(text: str, cause: str, level: Level = "red") -> Problem:
    """Return a problem with the cure of its cause."""
    cure = CURES[cause]
    return Problem(text, cure.text, level=level, action=cure.action)


NO_FEED = problem("No product feed is registered: nothing reaches Neuroon", "no feed")


def check_messages(shop: ShopConfig, *, deploy: bool = False) -> list[checks.CheckMessage]:
    """Return what this app's system checks say of a shop, but for what the project has silenced.

    A message about one of several shops begins with its alias. With `deploy` what `manage.py check
    --deploy` says in addition, and nothing else.
    """
    said = checks.run_checks(tags=["neuroon"], include_deployment_checks=deploy)
    plain = checks.run_checks(tags=["neuroon"]) if deploy else []
    found = [message for message in said if message not in plain and not message.is_silenced()]
    own = f'Shop "{shop.alias}": '
    return [m for m in found if m.msg.startswith(own) or not m.msg.startswith('Shop "')]


def settings_problems(shop: ShopConfig) -> list[Problem]:
    """Return what is wrong in the settings or in a feed: red what cannot work, amber what may."""
    found = [m for m in check_messages(shop) if m.level >= checks.WARNING]
    return [
        Problem(m.msg, m.hint or "", m.id or "", level="red" if m.is_serious() else "amber")
        for m in found
        if m.id not in SEEN_OTHERWISE
    ]


def obstacles(shop: ShopConfig, *, feeds: bool = True) -> Iterator[Problem]:
    """Yield why nothing can be sent for this shop; with `feeds`, one has to be registered."""
    yield from (one for one in settings_problems(shop) if one.level == "red")
    if not conf.ENABLED:
        yield problem("Nothing is sent: NEUROON_ENABLED is False", "switched off")
    for setting in (ShopConfig.SHOP_ID, ShopConfig.API_KEY):
        if not getattr(shop, setting.name):
            yield problem(phrase("Nothing is sent: {name} is not set", name=setting.flat), "no key")
    if feeds and not registry.feeds:
        yield NO_FEED
