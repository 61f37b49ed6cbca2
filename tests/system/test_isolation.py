"""The app beside a busy shop, at each isolation level that shops set (laws 1 and 6)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from neuroon_django import clicks
from neuroon_django.models import FoldLock, ShopState
from tests.factories import current_shop, make_product
from tests.shop.models import Brand, Order, Product
from tests.threads import side_by_side

pytestmark = pytest.mark.django_db(transaction=True)

LEVELS: dict[str, dict[str, Any]] = {
    "sqlite": {"its only one": None},
    "mysql": {"repeatable read": "repeatable read", "serializable": "serializable"},
    "postgresql": {"repeatable read": 3, "serializable": 4},  # psycopg's `IsolationLevel`
}
SHOPPERS, ROUNDS = 4, 8


@pytest.fixture(params=LEVELS[connection.vendor])
def level(request, monkeypatch) -> Iterator[str]:
    """Every connection that is opened from here on, this thread's too, has that level."""
    chosen = LEVELS[connection.vendor][request.param]
    if chosen is not None:
        options = connection.settings_dict["OPTIONS"] | {"isolation_level": chosen}
        monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
        connection.close()
    yield request.param
    monkeypatch.undo()
    connection.close()


class Shopper:
    """One of the shop's requests after the other, each on rows of its own."""

    def __init__(self, number: int, retries: int) -> None:
        self.sku = f"P{number}"
        self.brand = Brand.objects.create(name=self.sku)
        self.retries = retries
        make_product(self.sku, brand=self.brand)

    def work(self) -> None:
        for number in range(ROUNDS):
            self.attempt(lambda number=number: self.request(number))

    def attempt(self, request: Callable[[], None]) -> None:
        """Serve a request, again where the shop has to do so even without the app beside it."""
        for left in range(self.retries, -1, -1):
            try:
                with transaction.atomic():
                    request()
                return
            except OperationalError:
                if not left:
                    raise

    def request(self, number: int) -> None:
        product = Product.objects.get(sku=self.sku)
        product.title = f"title {number}"
        product.save()
        self.brand.save()
        record = product.stockrecords.get()
        record.price = number + 1
        record.save()
        with clicks.serving(None, f'{{"{self.sku}": "search"}}'):
            order = Order.objects.create(number=f"{self.sku}-{number}", total=1, status="paid")
        order.lines.create(product=product, quantity=1, total=1)
        if number % 3 == 2:
            product.stockrecords.all().delete()
            product.stockrecords.create(price=number + 1)


def test_law_01_no_request_of_the_shop_fails_and_no_run_does(neuroon, flush, flush_orders, level):
    retries = 0 if level == "repeatable read" else 200  # elsewhere the shop's own requests collide
    shoppers = [Shopper(number, retries) for number in range(SHOPPERS)]
    over = threading.Event()

    def shop() -> None:
        try:
            side_by_side(*(shopper.work for shopper in shoppers))
        finally:
            over.set()

    def worker(run: Callable[..., Any]) -> None:
        while not over.is_set():
            run(foreground=False)

    side_by_side(shop, lambda: worker(flush), lambda: worker(flush_orders), lambda: worker(flush))
    flush()
    flush_orders()
    sent = {sku: (product["name"], product["price"]) for sku, product in neuroon.products.items()}
    assert sent == {one.sku: (f"title {ROUNDS - 1}", ROUNDS) for one in shoppers}
    assert len(neuroon.conversions) == SHOPPERS * ROUNDS


def test_law_06_what_a_page_keeps_in_the_shops_row_waits_for_no_fold(level):
    """MariaDB would lock all rows that a fold's statements look at, wherever they find nothing."""
    if connection.vendor == "sqlite":
        pytest.skip("one writer at a time, whatever it writes")
    if level == "serializable":
        pytest.skip("there whatever is read is locked")
    shop = current_shop()
    ShopState.objects.set(shop.pk, scanned_at=timezone.now())
    with transaction.atomic():
        FoldLock.objects.hold_all([shop])
        ShopState.objects.request_other_scans([shop.pk])
        side_by_side(lambda: ShopState.objects.set(shop.pk, token="new"))
