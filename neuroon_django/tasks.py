"""The Celery tasks. They carry no data: each drains what is due, so a lost message loses nothing.

A run is a guest in the shop's worker (law 9): it takes a slot of the worker's for five seconds at most
beyond the request it is in, then a message goes on with it; one run of a kind is at work in the whole
system.
"""

from __future__ import annotations

import time
from typing import Any

from celery import current_app, shared_task

from neuroon_django import widget
from neuroon_django.api import Client
from neuroon_django.conf import ShopConfig, conf
from neuroon_django.delivery import (
    Engine,
    Scan,
    order_run,
    orders_wait,
    product_run,
    products_wait,
)
from neuroon_django.models import Change, Conversion, ShopState
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, send_task

BUDGET = 4.0  # seconds in which a task begins requests; it may sleep another one for its slot
# A request takes up to `NEUROON_TIMEOUT`, which is 600 s at most, and what is in flight is settled.
LIMITS: dict[str, Any] = {"soft_time_limit": 720, "time_limit": 780, "ignore_result": True}


def _budget() -> float:
    """Return the monotonic second until which a task works; eager tasks work to the end."""
    return float("inf") if current_app.conf.task_always_eager else time.monotonic() + BUDGET


def _go_on(name: str, run: Engine) -> None:
    """Publish the message that goes on with a run that ended before its work did."""
    if run.countdown is not None and not current_app.conf.task_always_eager:
        send_task(name, countdown=run.countdown, kwargs={"handed_over": True})


def _shops() -> list[ShopConfig]:
    return [config for config in conf.shops().values() if config.can_send]


@shared_task(name=f"neuroon_django.tasks.{PRODUCTS}", **LIMITS)
def flush_products(handed_over: bool = False) -> None:
    """Send every product that is due; a shop never scanned, or long unattended, is scanned too."""
    for config in _shops():
        shop = ShopState.objects.for_config(config)
        scan = Scan.due(shop)
        if scan is None and not products_wait(shop):
            continue
        with Client(**config.client_options()) as client:
            run = product_run(shop, client, scan=scan, until=_budget(), handed_over=handed_over)
            run.run()
        _go_on(PRODUCTS, run)


@shared_task(name="neuroon_django.tasks.scan_catalogue", **LIMITS)
def scan_catalogue() -> None:
    """Compare the whole catalogue, then send what differs; ask of all open orders if paid."""
    for config in _shops():
        shop = ShopState.objects.for_config(config)
        ShopState.objects.request_scan(shop.pk)
        Conversion.objects.reassess(shop)
    flush_products()


@shared_task(name=f"neuroon_django.tasks.{ORDERS}", **LIMITS)
def flush_conversions(handed_over: bool = False) -> None:
    """Report every paid order that a search led to, and forget clicks that grew old."""
    if not conf.ENABLED:
        return
    age = conf.KEEP_CLICKS.total_seconds()
    shops = _shops()
    if not shops:
        Change.objects.wipe_clicks(age)
        return
    for config in shops:
        shop = ShopState.objects.for_config(config)
        if not orders_wait(shop):
            Conversion.objects.wipe_clicks(age)
            continue
        with Client(**config.client_options()) as client:
            run = order_run(shop, client, until=_budget(), handed_over=handed_over)
            run.run()
        _go_on(ORDERS, run)


@shared_task(name="neuroon_django.tasks.refresh_widget_token", **LIMITS)
def refresh_widget_token() -> None:
    """Replace the widget token before it grows old."""
    widget.refresh_token()
