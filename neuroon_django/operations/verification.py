"""The steps of `neuroon_verify` that ask Neuroon, and the order of all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from neuroon_django import widget
from neuroon_django.api import Client, messages
from neuroon_django.api.retry import call_with_retries
from neuroon_django.conf import DEFAULT_API_URL, ascii_address, conf
from neuroon_django.exceptions import (
    ApiError,
    Forbidden,
    KeyRefused,
    NotFound,
    RateLimited,
    Refused,
    Unavailable,
)
from neuroon_django.models import Group, ShopState
from neuroon_django.operations import steps
from neuroon_django.operations.status import resume, status_of, token_age, waits_until
from neuroon_django.operations.steps import Step
from neuroon_django.widget.token import SERVE_UNTIL

logger = logging.getLogger("neuroon_django")

SECONDS = 15.0  # for one request, since a person waits


class Verification:
    """One walk through all steps. With `check` nothing is changed, here or at Neuroon."""

    client: Client  # made once the settings are known to be right

    def __init__(self, domains: Sequence[str] = (), *, check: bool = False) -> None:
        self.domains = [*map(ascii_address, domains)] or [conf.STOREFRONT_URL]
        self.check = check
        self.taken: list[Step] = []

    def walk(self) -> Iterator[Step]:
        """All steps, and the end of every pause where none failed."""
        yield from self._taking(self._steps())
        if self.passed and not self.check:
            resume(ShopState.objects.for_config(conf.shop()))

    def give_up(self, confirm: Callable[[], None]) -> Iterator[Step]:
        """The steps of giving the verification up; `confirm` raises where that is not wanted."""
        return self._taking(self._steps_back(confirm))

    def _taking(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Step by step; it ends at the first without which the next make no sense."""
        for step in steps:
            self.taken.append(step)
            yield step
            if step.verdict == "failed" and step.name in ("settings", "tables", "api"):
                return

    @property
    def passed(self) -> bool:
        return not any(step.verdict == "failed" for step in self.taken)

    @property
    def could_run(self) -> bool:
        failed = {step.name for step in self.taken if step.verdict == "failed"}
        return not failed & {"settings", "tables"}

    def as_json(self) -> dict[str, Any]:
        return {"passed": self.passed, "steps": [asdict(step) for step in self.taken]}

    def _steps(self) -> Iterator[Step]:
        yield steps.settings()
        yield from steps.feeds()
        yield steps.tables()
        yield steps.celery()
        with self._connected():
            told: dict[str, Any] = {}
            yield self._asked("api", partial(self._api, told))
            yield self._route()
            if self.check:
                yield self._verified(told)
            else:
                for domain in self.domains:
                    yield self._asked("domain", partial(self._domain, domain))
            yield self._token()
            yield from self._waits()

    def _steps_back(self, confirm: Callable[[], None]) -> Iterator[Step]:
        yield steps.settings()
        yield steps.tables()
        confirm()
        with self._connected():
            yield self._asked("domain", self._no_domain)

    def _connected(self) -> Client:
        self.client = Client(**conf.client_options(timeout=min(conf.TIMEOUT, SECONDS)))
        return self.client

    def _asked(self, name: str, ask: Callable[[], Step]) -> Step:
        """A step that asks Neuroon, or what its error means."""
        try:
            return call_with_retries(ask, SECONDS)
        except ApiError as error:
            return Step(name, "failed", str(error), advice(error))

    def _api(self, told: dict[str, Any]) -> Step:
        told.update(self.client.verification_data())
        return Step("api", "ok", _("%s answers, the key is accepted") % conf.API_URL)

    def _route(self) -> Step:
        route = ShopState.objects.for_config(conf.shop()).known_route
        if not route:
            text = _("not known yet; the first product that is sent finds it")
            return Step("route", "ok", text, "", {"route": ""})
        return Step("route", "ok", _("products go by the %s route") % route, "", {"route": route})

    def _verified(self, told: dict[str, Any]) -> Step:
        kept, text = _picked(told, "verified", "verificationCode", "instructions")
        if told.get("verified") is True:
            return Step("domain", "ok", text, "", kept)
        return Step("domain", "failed", text, _("Run neuroon_verify without --check."), kept)

    def _domain(self, domain: str) -> Step:
        if not domain:
            todo = _('Set NEUROON_STOREFRONT_URL = "https://…", the address of the shop.')
            return Step("domain", "failed", _("no domain to verify"), todo)
        told = self.client.verify(domain)
        kept, text = _picked(told, "name", "domain", "shopId", "verificationCode")
        theirs = told.get("shopId")
        if theirs is not None and str(theirs) != conf.SHOP_ID:
            todo = _("NEUROON_SHOP_ID is %s: use the shop id that belongs to the key.") % conf.SHOP_ID
            return Step("domain", "failed", text, todo, kept)
        shop = ShopState.objects.for_config(conf.shop())
        logger.info("domain_verified shop_id=%s domain=%s", conf.SHOP_ID, domain)
        ShopState.objects.set(shop.pk, verified_domain=domain[:255], verified_at=timezone.now())
        return Step("domain", "ok", text, "", kept)

    def _no_domain(self) -> Step:
        self.client.unverify()
        shop = ShopState.objects.for_config(conf.shop())
        ShopState.objects.set(shop.pk, verified_domain="", verified_at=None)
        return Step("domain", "ok", _("the verification was given up"))

    def _token(self) -> Step:
        shop = ShopState.objects.for_config(conf.shop())
        if not self.check and self.passed:
            resume(shop, Group.TOKEN)
            widget.refresh_token()
            shop.refresh_from_db()
        age = token_age(shop)
        if age is not None and age.total_seconds() < SERVE_UNTIL:
            return Step("token", "ok", _("issued %d minutes ago") % (age.total_seconds() // 60))
        if self.check:
            return Step("token", "warning", _("none was issued yet"))
        text = shop.endpoint(Group.TOKEN).reason or _("none was issued")
        return Step("token", "failed", text, _("Correct the steps above, then run this again."))

    def _waits(self) -> Iterator[Step]:
        """A `Retry-After` that is still to be sat out; it ends by itself."""
        shop = ShopState.objects.for_config(conf.shop())
        for wait in status_of(shop).waits:
            yield Step("pace", "warning", waits_until(wait), _("It ends by itself."))


def _picked(told: dict[str, Any], *names: str) -> tuple[dict[str, Any], str]:
    """These facts of an answer, and a line of them."""
    kept = {name: told[name] for name in names if name in told}
    return kept, ", ".join(f"{name}: {messages.text_of(value)}" for name, value in kept.items())


def advice(error: ApiError) -> str:
    """What to do about an error (`API.md`, "Domain verification" and "Errors")."""
    address = {"url": conf.API_URL, "live": DEFAULT_API_URL, "dev": "https://dev-api.neuroon.ai"}
    environment = _(
        "A key of %(dev)s does not work at %(live)s, nor the other way round; "
        "NEUROON_API_URL is %(url)s."
    )
    if isinstance(error, KeyRefused):
        return _("Correct NEUROON_API_KEY.") + " " + environment % address
    if isinstance(error, Refused) and error.status == 409:
        return _("Another shop has verified this domain: open a support ticket with Neuroon.")
    if isinstance(error, Forbidden):
        told = _(
            "NEUROON_SHOP_ID must be the shop of this key (it is %(shop)s), and NEUROON_STOREFRONT_URL "
            "its address at Neuroon, shop.url in the dashboard (it is %(storefront)s): correct the one "
            "that is not, then run this again."
        )
        told %= {"shop": conf.SHOP_ID, "storefront": conf.STOREFRONT_URL}
        return f"{told} {environment % address}" if isinstance(error, NotFound) else told
    if isinstance(error, RateLimited):
        return _("Wait %.0f s, then run this again.") % (error.retry_after or 60)
    if isinstance(error, Unavailable):
        return _("Is NEUROON_API_URL right, and does this machine reach it? Run this again.")
    return _("Run this again; if it stays, ask Neuroon's support with this line.")
