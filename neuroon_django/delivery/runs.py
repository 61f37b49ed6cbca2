"""The two kinds of run that there are: products with their deletes, and orders."""

from __future__ import annotations

from functools import partial, reduce
from operator import or_
from typing import Any

from django.db.models import Exists, QuerySet

from neuroon_django.api import Client
from neuroon_django.delivery.deletes import DeleteChannel
from neuroon_django.delivery.engine import Engine
from neuroon_django.delivery.fingerprint import notice_changes
from neuroon_django.delivery.orders import OrderChannel
from neuroon_django.delivery.planning import plans_changes
from neuroon_django.delivery.products import ProductChannel
from neuroon_django.delivery.scan import Scan
from neuroon_django.feeds import registry
from neuroon_django.models import Change, Conversion, Group, PlannedChange, ShopState, SyncedProduct


def product_run(shop: ShopState, client: Client, *, scan: Scan | None = None, **options: Any) -> Engine:
    """Return a run over the products of a shop; options are `Engine`'s."""
    notice_changes(shop)
    options["has_work"] = partial(products_wait, shop)
    engine = Engine(shop, client, Group.PRODUCTS, **options)
    engine.channels = [ProductChannel(engine, scan), DeleteChannel(engine)]
    return engine


def order_run(shop: ShopState, client: Client, **options: Any) -> Engine:
    """Return a run over the orders of a shop; options are `Engine`'s."""
    options["has_work"] = partial(orders_wait, shop)
    engine = Engine(shop, client, Group.CONVERSIONS, **options)
    engine.channels = [OrderChannel(engine)]
    return engine


def products_wait(shop: ShopState) -> bool:
    """Return whether a run over the products would find anything to do, in one statement."""
    changes = Change.objects.filter(model__in=registry.product_topics(shop.config))
    rows = SyncedProduct.objects.of(shop).of_labels(registry.product_labels(shop.config))
    due: list[QuerySet[Any]] = [rows.waiting().due()]
    if plans_changes(shop):
        due.append(PlannedChange.objects.come(shop))
    return _any_of(shop, changes, *due)


def orders_wait(shop: ShopState) -> bool:
    """Return whether a run over the orders would find anything to do, in one statement."""
    changes = Change.objects.filter(model__in=registry.order_topics(shop.config))
    rows = Conversion.objects.of(shop).of_labels(registry.order_labels(shop.config))
    return _any_of(shop, changes, rows.waiting().due())


def _any_of(shop: ShopState, *rows: QuerySet[Any]) -> bool:
    """Return whether one of these querysets has rows, in one statement."""
    found = reduce(or_, map(Exists, rows))
    return ShopState.objects.filter(pk=shop.pk).filter(found).exists()
