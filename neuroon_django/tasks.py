"""The Celery tasks. They carry no data: each drains what is due, so a lost message loses nothing."""

from __future__ import annotations

import time

from celery import current_app, shared_task

from neuroon_django import widget
from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.delivery import ConversionRun, ProductRun, Scan, find_paid
from neuroon_django.models import Change, ShopState
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, send_task

BUDGET = 50.0  # seconds a task sends before it hands over to the next, so that a worker stays free
SOON = 60.0  # seconds: what is due later than that, beat finds


@shared_task(name="neuroon_django.tasks.flush_products", ignore_result=True)
def flush_products() -> None:
    """Send every product that is due; a shop never scanned, or long unattended, is scanned too."""
    if not conf.can_send:
        return
    shop = ShopState.current()
    budget = float("inf") if current_app.conf.task_always_eager else BUDGET
    with Client(**conf.client_options()) as client:
        run = ProductRun(shop, client, scan=Scan.due(shop), until=time.monotonic() + budget)
        run.run()
    if run.cut_short and not current_app.conf.task_always_eager:
        _hand_over(PRODUCTS, shop, "products", run.seconds_to_next())


def _hand_over(task: str, shop: ShopState, group: str, seconds: float) -> None:
    """Wake the next run, unless beat is as soon or another run did; it is taken to last a budget."""
    if seconds < SOON and ShopState.objects.hand_over(shop.pk, group, seconds or BUDGET):
        send_task(task, countdown=seconds)


@shared_task(name="neuroon_django.tasks.scan_catalogue", ignore_result=True)
def scan_catalogue() -> None:
    """Compare the whole catalogue, then send what differs; orders that were paid unseen become due."""
    if conf.can_send:
        shop = ShopState.current()
        ShopState.objects.ask_for_scan(shop.pk)
        find_paid(shop)
        flush_products()


@shared_task(name="neuroon_django.tasks.flush_conversions", ignore_result=True)
def flush_conversions() -> None:
    """Report every paid order that a search led to, and forget clicks that grew old."""
    if not conf.can_send:
        if conf.ENABLED:
            Change.objects.wipe_clicks(conf.KEEP_CLICKS.total_seconds())
        return
    shop = ShopState.current()
    until = float("inf") if current_app.conf.task_always_eager else time.monotonic() + BUDGET
    with Client(**conf.client_options()) as client:
        ConversionRun(shop, client, until=until).run()
    if time.monotonic() >= until:
        _hand_over(ORDERS, shop, "conversions", 0.0)


@shared_task(name="neuroon_django.tasks.refresh_widget_token", ignore_result=True)
def refresh_widget_token() -> None:
    """Replace the widget token before it grows old."""
    widget.refresh_token()
