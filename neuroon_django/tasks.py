"""The Celery tasks. They carry no data: each drains what is due, so a lost message loses nothing.

A run is a guest in the shop's worker (law 9): it takes a slot of the worker's for five seconds at most
beyond the request it is in, then a message goes on with it; one run of a kind is at work in the whole
system. Of several shops each has messages of its own, so that none waits for another one's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from celery import Task, shared_task
from celery.exceptions import SoftTimeLimitExceeded

from neuroon_django import widget
from neuroon_django.api import Client
from neuroon_django.conf import ShopConfig, conf
from neuroon_django.delivery import (
    Engine,
    Scan,
    notice_changes,
    order_run,
    orders_wait,
    product_run,
    products_wait,
    prune_changes,
)
from neuroon_django.models import Change, Conversion, ShopState
from neuroon_django.operations.verification import Verification
from neuroon_django.recording.publishing import send_task, task_backend
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, VERIFICATION

logger = logging.getLogger("neuroon_django")

TOKEN = "refresh_widget_token"  # noqa: S105 - the name of a task
BUDGET = 4.0  # seconds in which a task begins requests; it may sleep another one for its slot
# A request takes up to `NEUROON_TIMEOUT`, which is 600 s at most, and what is in flight is settled.
LIMITS: dict[str, Any] = {"soft_time_limit": 720, "time_limit": 780, "ignore_result": True}

# What one shop's part of a task does; returns the run that it made, None where nothing was to do.
Work = Callable[[ShopState], Engine | None]


@shared_task(name=f"neuroon_django.tasks.{PRODUCTS}", **LIMITS)
def flush_products(shop: str = "", run: str = "", beat: bool = False) -> None:
    """Send every product that is due; a shop never scanned, or long unattended, is scanned too.

    `shop` is the alias of the only shop to look at, and `run` the token of the run to go on with.
    `beat` says that the message is beat's.
    """
    if beat and conf.ENABLED:
        ShopState.objects.note_beat()

    def work(state: ShopState) -> Engine | None:
        notice_changes(state)
        scan = Scan.due(state)
        if scan is None and not products_wait(state):
            return None
        with Client(**state.config.client_options()) as client:
            engine = product_run(state, client, scan=scan, until=_budget(), resumes=run)
            engine.run()
        return engine

    if not _for_each_shop(PRODUCTS, shop, work) and conf.ENABLED:
        prune_changes()


@shared_task(name="neuroon_django.tasks.scan_catalogue", **LIMITS)
def scan_catalogue() -> None:
    """Compare the whole catalogue, then send what differs; ask of all open orders if paid."""
    for config in _shops():
        shop = ShopState.objects.for_config(config)
        ShopState.objects.request_scan(shop.pk)
        Conversion.objects.reassess(shop)
    flush_products()


@shared_task(name=f"neuroon_django.tasks.{ORDERS}", **LIMITS)
def flush_conversions(shop: str = "", run: str = "") -> None:
    """Report every paid order that a search led to, and forget clicks that grew old.

    `shop` is the alias of the only shop to look at, and `run` the token of the run to go on with.
    """
    if not conf.ENABLED:
        return
    age = conf.KEEP_CLICKS.total_seconds()

    def work(state: ShopState) -> Engine | None:
        if not orders_wait(state):
            Conversion.objects.wipe_clicks(age)
            return None
        with Client(**state.config.client_options()) as client:
            engine = order_run(state, client, until=_budget(), resumes=run)
            engine.run()
        return engine

    if not _for_each_shop(ORDERS, shop, work):
        Change.objects.wipe_clicks(age)


@shared_task(name=f"neuroon_django.tasks.{TOKEN}", **LIMITS)
def refresh_widget_token(shop: str = "") -> None:
    """Replace the widget token before it grows old; only beat asks for it.

    `shop` is the alias of the only shop to look at.
    """

    if conf.ENABLED:
        ShopState.objects.note_beat()

    def work(state: ShopState) -> None:
        widget.refresh_token(state)

    _for_each_shop(TOKEN, shop, work)


@shared_task(name=f"neuroon_django.tasks.{VERIFICATION}", bind=True, **LIMITS)
def verify_shop(task: Task[..., None], shop: str = "") -> None:
    """Verify the shop of this alias, or every one for which that was asked; keep what was found."""

    def work(state: ShopState) -> None:
        verification = Verification(state.config, worker=task.request.hostname or "")
        list(verification.run())
        ShopState.objects.verification_ended(state.pk, verification.as_json())

    states = [ShopState.objects.for_config(config) for config in conf.shops().values()]
    asked = [one.config for one in states if shop == one.config.alias or _verification_asked(one, shop)]
    _for_each(VERIFICATION, asked, work)


def _verification_asked(state: ShopState, alias: str) -> bool:
    return not alias and state.verification_requested_at is not None


def _shops(alias: str = "") -> list[ShopConfig]:
    """Return the shops of that alias, or all of them, as far as they have what a request needs."""
    shops = [config for config in conf.shops().values() if config.can_send]
    return [config for config in shops if alias in ("", config.alias)]


def _for_each_shop(task: str, alias: str, work: Work) -> bool:
    """Work for the shop of this alias, or for all, as far as they can send; return if there is any."""
    return _for_each(task, _shops(alias), work)


def _for_each(task: str, shops: Sequence[ShopConfig], work: Work) -> bool:
    """Publish a message for each shop but the first, whose work is done here.

    The messages come first, so that no shop waits for another one's run. Returns whether there is
    any shop. What fails for one keeps no other from its turn.
    """
    failure = None
    here = shops if task_backend().runs_inline else shops[:1]
    for config in [*shops[len(here) :], *here]:
        try:
            if config in here:
                _go_on(task, config, work(ShopState.objects.for_config(config)))
            else:
                send_task(task, kwargs={"shop": config.alias})
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            logger.warning("task_failed task=%s shop=%s", task, config.alias)
            failure = failure or error
    if failure is not None:
        raise failure
    return bool(shops)


def _go_on(task: str, config: ShopConfig, run: Engine | None) -> None:
    """Publish the message that goes on with a run that ended before its work did."""
    if run is None or run.follow_up is None or task_backend().runs_inline:
        return
    countdown, token = run.follow_up
    send_task(task, countdown=countdown, kwargs={"shop": config.alias, "run": token})


def _budget() -> float:
    """Return the monotonic second until which a task works; eager tasks work to the end."""
    return float("inf") if task_backend().runs_inline else time.monotonic() + BUDGET
