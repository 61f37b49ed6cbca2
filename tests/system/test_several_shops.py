"""The whole circle for three shops at once: Spanish, British, and one of a part of the products.

One is paused, one is slow and one has a feed that fails, all at one Neuroon; each has messages of its
own, which are run here as workers run them, each in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import connections
from django.utils import translation

from neuroon_django import clicks, get_widget_token, tasks
from neuroon_django.conf import conf
from neuroon_django.models import Change, Conversion, ShopState, SyncedProduct
from neuroon_django.operations.health import health_of
from tests.factories import end_blocks, make_order, make_product, shop_called
from tests.shop.models import Brand, Order, Product
from tests.shop.neuroon import CatalogueFeed, CheckoutFeed

pytestmark = pytest.mark.django_db(transaction=True)

ALIASES = ("es", "uk", "outlet")
failing: set[str] = set()


class MarketFeed(CatalogueFeed):
    """The catalogue in the shop's language; the outlet has the products whose SKU begins with X."""

    currency = None

    def get_queryset(self):
        if self.shop.alias in failing:
            raise ConnectionError("the price list is away")
        products = super().get_queryset()
        return products.filter(sku__startswith="X") if self.shop.alias == "outlet" else products

    def name(self, product: Product) -> str:
        return f"{product.title} [{translation.get_language()}]"


class Workers:
    """Workers that take one message each: the task by that name, in a thread of its own."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.taken: list[tuple[str, str]] = []

    def take(self, name: str, *, countdown: float = 0.0, kwargs: dict[str, str]) -> None:
        self.taken.append((name, kwargs["shop"]))
        thread = threading.Thread(target=self._work, args=(name, kwargs))
        self.threads.append(thread)
        thread.start()

    def _work(self, name: str, kwargs: dict[str, str]) -> None:
        try:
            getattr(tasks, name)(**kwargs)
        finally:
            connections.close_all()

    def rest(self) -> None:
        """Wait until all messages are done, those that they made included."""
        while self.threads:
            self.threads.pop().join(timeout=60)


@pytest.fixture
def workers(monkeypatch) -> Iterator[Workers]:
    made = Workers()
    monkeypatch.setattr(tasks, "send_task", made.take)
    yield made
    made.rest()


@pytest.fixture
def deliver(workers) -> Callable[[], None]:
    """Run the two tasks as beat does, until every shop's messages are done."""

    def run() -> None:
        for task in (tasks.flush_products, tasks.flush_conversions):
            task()
            workers.rest()

    return run


@pytest.fixture
def market(shops, use_feeds, settings) -> dict[str, object]:
    use_feeds((Product, MarketFeed), (Order, CheckoutFeed))
    settings.CELERY_TASK_ALWAYS_EAGER = False
    failing.clear()
    return shops


def names(shop: object) -> dict[str, str]:
    return {sku: f"{p['name']} {p['currency']}" for sku, p in shop.products.items()}


def expected(alias: str) -> dict[str, str]:
    """Return what a shop's feed says of the catalogue as it is."""
    config = conf.shop(alias)
    skus = Product.objects.filter(is_published=True).values_list("sku", "title")
    return {
        sku: f"{title} [{config.LANGUAGE}] {config.CURRENCY}"
        for sku, title in skus
        if alias != "outlet" or sku.startswith("X")
    }


def test_law_20_three_shops_with_different_trouble_end_equal(market, workers, deliver, caplog):
    brand = Brand.objects.create(name="b")
    for n in range(6):
        make_product(f"{'XA'[n % 2]}-{n}", brand=brand)
    deliver()
    deliver()
    assert {alias: names(market[alias]) for alias in ALIASES} == {a: expected(a) for a in ALIASES}

    # The Spanish shop is refused, the British one is slow, and the outlet's feed fails.
    market["es"].shop_url = "https://moved.es"
    failing.add("outlet")
    with market["uk"].held("sync") as hold:
        Product.objects.get(sku="A-1").delete()
        changed = Product.objects.get(sku="X-0")
        changed.title = "changed"
        changed.save()
        assert Change.objects.count() == 2
        brand.name = "other"
        brand.save()
        make_product("X-9")
        tasks.flush_products()
        hold.wait()
        assert not Change.objects.exists()  # folded for all, whoever came first
        assert shop_called("es").pauses()
        # Neither the slow request nor the pause keeps the outlet waiting, once it can be asked.
        failing.clear()
        tasks.flush_products(shop="outlet")
        assert names(market["outlet"]) == expected("outlet")
        assert names(market["es"]) != expected("es")
        assert names(market["uk"]) != expected("uk")
    workers.rest()
    market["es"].shop_url = "https://mystore.es"
    end_blocks()
    for _ in range(3):
        deliver()
        end_blocks()
    assert {alias: names(market[alias]) for alias in ALIASES} == {a: expected(a) for a in ALIASES}
    assert {alias: market[alias].overlaps for alias in ALIASES} == {alias: [] for alias in ALIASES}
    assert not SyncedProduct.objects.waiting().exists()
    assert not Change.objects.exists()


def test_law_20_a_shop_that_fails_says_so_and_the_others_do_not(market, deliver, caplog):
    make_product("X-1")
    failing.add("outlet")
    deliver()
    deliver()
    problems = {
        alias: [str(problem) for problem in health_of(shop_called(alias)).problems] for alias in ALIASES
    }
    uk = shop_called("outlet")
    told = [row.last_error for row in SyncedProduct.objects.of(uk)] + problems["outlet"]
    assert "not_scanned feed=shop.product error=ConnectionError" in caplog.text or any(told)
    assert names(market["es"]) == expected("es")
    assert names(market["uk"]) == expected("uk")
    failing.clear()


def test_law_20_every_order_is_reported_in_its_own_shop(market, deliver):
    product = make_product("X-1")
    for alias in ALIASES:
        token = clicks.current_shop.set(conf.shop(alias).fingerprint)
        try:
            make_order(f"order-{alias}", product)
        finally:
            clicks.current_shop.reset(token)
    deliver()
    deliver()
    reported = {alias: list(market[alias].conversions) for alias in ALIASES}
    assert reported == {alias: [f"order-{alias}"] for alias in ALIASES}
    assert Conversion.objects.filter(status="sent").count() == 3


def test_law_20_each_shop_has_messages_of_its_own(market, workers):
    for task in (tasks.flush_products, tasks.flush_conversions, tasks.refresh_widget_token):
        task()
        workers.rest()
        name = task.name.rpartition(".")[2]
        assert workers.taken == [(name, "uk"), (name, "outlet")]
        workers.taken.clear()
    assert [get_widget_token(alias) for alias in ALIASES] == [
        market[alias].tokens[0] for alias in ALIASES
    ]
    assert ShopState.objects.count() == 3


def test_law_20_each_shop_is_verified_by_a_message_of_its_own(market, workers):
    states = {alias: shop_called(alias) for alias in ALIASES}
    for state in (states["es"], states["outlet"]):
        ShopState.objects.request_verification(state.pk)
    tasks.verify_shop()
    workers.rest()
    assert workers.taken == [("verify_shop", "outlet")]
    for alias, state in states.items():
        state.refresh_from_db()
        assert (state.verification_requested_at is None, bool(state.verification)) == (
            True,
            alias != "uk",
        )
