"""The verification of a shop, step by step: from the settings to the widget token.

A step says what it found and what to do about it. The domain's verification at Neuroon is one of
them; where none fails, all pauses end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone

from neuroon_django import widget
from neuroon_django.api import Client, messages
from neuroon_django.api.retry import call_with_retries
from neuroon_django.conf import ShopConfig
from neuroon_django.exceptions import ApiError
from neuroon_django.models import Group, ShopState, TokenMethod
from neuroon_django.operations.cures import advice
from neuroon_django.operations.domains import domain_of
from neuroon_django.operations.feed_trials import try_feeds
from neuroon_django.operations.status import is_servable, resume, token_age, waits_of
from neuroon_django.operations.steps import Step, check_deployment, check_settings, check_tables
from neuroon_django.operations.wording import count
from neuroon_django.operations.worker_probe import probe_workers

logger = logging.getLogger("neuroon_django")

REQUEST_SECONDS = 15.0  # for one request, since a person waits
REQUIRED = ("settings", "tables", "api")  # without these the following steps make no sense
BEFORE_NEUROON = ("settings", "tables")  # where these fail, nothing was asked


class Verification:
    """One walk through all steps. With `check` nothing is changed, here or at Neuroon.

    `worker` is the name of the worker that it runs in, "" where a person waits for it. A domain that
    is none raises ValueError.
    """

    client: Client  # made once the settings are known to be right
    shop: ShopState  # read once the tables are known to exist

    def __init__(
        self,
        config: ShopConfig,
        domains: Sequence[str] = (),
        *,
        check: bool = False,
        worker: str = "",
    ) -> None:
        self.config = config
        self.domains = [*map(domain_of, domains)] or [config.STOREFRONT_URL]
        self.check = check
        self.worker = worker
        self.steps: list[Step] = []  # taken so far
        self.facts: dict[str, Any] = {}  # what Neuroon says of the domain

    def run(self) -> Iterator[Step]:
        """Take all steps, and end every pause where none failed."""
        yield from self._recorded(self._steps())
        if self.passed and not self.check:
            resume(self.shop)

    def unverify(self) -> Iterator[Step]:
        """Give the domain's verification up, after the steps that look at settings and tables."""
        return self._recorded(self._unverify_steps())

    @property
    def passed(self) -> bool:
        """Tell whether no step has failed."""
        return not self.failed

    @property
    def failed(self) -> list[str]:
        """Return the names of the steps that failed, each once."""
        return list(dict.fromkeys(step.name for step in self.steps if step.failed))

    @property
    def could_run(self) -> bool:
        """Tell whether the steps got as far as Neuroon."""
        return not set(self.failed).intersection(BEFORE_NEUROON)

    def as_json(self) -> dict[str, Any]:
        """Return the result and every step that was taken."""
        steps = [step.as_json() for step in self.steps]
        return {"passed": self.passed, "steps": steps, "next": self.next_command}

    @property
    def next_command(self) -> str:
        """Return what to do after this."""
        if not self.passed:
            return "correct what has failed, then run this again"
        if self.check and not self.shop.verified_at:
            return "manage.py neuroon_verify"
        return "manage.py neuroon_status" if self.shop.scan_ended_at else "manage.py neuroon_sync"

    def _recorded(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Yield step by step, up to the first failure without which the next make no sense."""
        for step in steps:
            self.steps.append(step)
            yield step
            if step.failed and step.name in REQUIRED:
                return

    def _steps(self) -> Iterator[Step]:
        yield check_settings(self.config)
        yield from () if settings.DEBUG else check_deployment(self.config)
        yield from try_feeds(self.config)
        yield check_tables()
        self.shop = ShopState.objects.for_config(self.config)
        yield from probe_workers(self.shop, self.worker)
        with self._connected():
            yield self._asked("api", self._ask_api)
            yield self._route()
            if self.check:
                yield self._verified()
            else:
                for domain in self.domains:
                    yield self._asked("domain", partial(self._verify, domain))
            yield self._token()
            yield from self._waits()

    def _unverify_steps(self) -> Iterator[Step]:
        yield check_settings(self.config)
        yield check_tables()
        self.shop = ShopState.objects.for_config(self.config)
        with self._connected():
            yield self._asked("domain", self._unverify)

    def _connected(self) -> Client:
        timeout = min(self.config.TIMEOUT, REQUEST_SECONDS)
        self.client = Client(**self.config.client_options(timeout=timeout))
        return self.client

    def _asked(self, name: str, ask: Callable[[], Step]) -> Step:
        """Return the step that asks Neuroon, or what its error means."""
        try:
            return call_with_retries(ask, REQUEST_SECONDS)
        except ApiError as error:
            return Step(name, "failed", str(error), advice(error, self.config))

    def _ask_api(self) -> Step:
        self.facts = self.client.verification_data()
        return Step("api", "ok", f"{self.config.API_URL} answers, the key is accepted")

    def _route(self) -> Step:
        way, route = self.shop.known_way, self.shop.known_route
        unknown = "not known yet: the first product that is sent finds it"
        text = f"products go by this route: {way}" if way else unknown
        details = {"route": route, "body": way.body if way else None}
        return Step("route", "ok", text, details=details)

    def _verified(self) -> Step:
        """Return what Neuroon said of the domain, with `check`."""
        details, text = _picked(self.facts, "verified", "verificationCode", "instructions")
        if self.facts.get("verified") is True:
            return Step("domain", "ok", text, details=details)
        return Step("domain", "failed", text, "Run: manage.py neuroon_verify", details)

    def _verify(self, domain: str) -> Step:
        """Have Neuroon verify a domain, and remember it as the shop's."""
        if not domain:
            cure = 'Set NEUROON_STOREFRONT_URL = "https://…", the address of the shop.'
            return Step("domain", "failed", "no domain to verify", cure)
        answer = self.client.verify(domain)
        details, text = _picked(answer, "name", "domain", "shopId", "verificationCode")
        verified_shop = answer.get("shopId")
        if verified_shop is not None and str(verified_shop) != self.shop.shop_id:
            cure = f"NEUROON_SHOP_ID is {self.shop.shop_id}: use the shop id that belongs to the key."
            return Step("domain", "failed", text, cure, details)
        logger.info("domain_verified shop_id=%s domain=%s", self.shop.shop_id, domain)
        self._remember(verified_domain=domain[:255], verified_at=timezone.now())
        return Step("domain", "ok", text, details=details)

    def _unverify(self) -> Step:
        self.client.unverify()
        self._remember(verified_domain="", verified_at=None)
        return Step("domain", "ok", "the verification was given up")

    def _remember(self, **values: Any) -> None:
        ShopState.objects.set(self.shop.pk, **values)

    def _token(self) -> Step:
        """Return the widget token's age; where Neuroon answered well, it is replaced if it is due."""
        if not self.check and set(self.failed) <= {"feeds"}:
            resume(self.shop, Group.TOKEN)
            widget.refresh_token(self.shop)
        self.shop.refresh_from_db()
        age = token_age(self.shop)
        if age is not None and is_servable(age):
            text = f"{self._token_method()} {count(int(age.total_seconds() // 60), 'minute')} ago"
            return Step("token", "ok", text, details={"method": self.shop.token_method})
        if self.check:
            return Step("token", "warning", "none was issued yet")
        text = self.shop.endpoint(Group.TOKEN).reason or "none was issued"
        return Step("token", "failed", text, "Correct the steps above, then run this again.")

    def _token_method(self) -> str:
        """Return how the token came about; where it was signed, also why."""
        if self.shop.token_method != TokenMethod.SIGN:
            return "issued"
        if self.shop.config.WIDGET_TOKEN == TokenMethod.SIGN:
            return "signed here, as NEUROON_WIDGET_TOKEN says,"
        return "signed here, since this Neuroon issues none,"

    def _waits(self) -> Iterator[Step]:
        """Yield a warning for each `Retry-After` that has not passed yet."""
        for wait in waits_of(self.shop):
            yield Step("pace", "warning", str(wait), "It ends by itself.")


def _picked(answer: dict[str, Any], *names: str) -> tuple[dict[str, Any], str]:
    """Return these facts of an answer, and the same as one line of text."""
    picked = {name: answer[name] for name in names if name in answer}
    return picked, ", ".join(f"{name}: {messages.text_of(value)}" for name, value in picked.items())
