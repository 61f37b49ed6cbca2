"""The host never feels it: rolled back is never sent, no trouble of ours is the shop's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.template import engines

from neuroon_django.models import Change, SyncedProduct
from tests.factories import make_product
from tests.shop.models import Order, Product
from tests.threads import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


class OhNo(Exception):
    pass


def test_law_02_rolled_back_is_never_sent(neuroon, flush):
    product = make_product("A")
    flush()
    neuroon.clear()
    with pytest.raises(OhNo), transaction.atomic():
        product.title = "never"
        product.save()
        make_product("never")
        Product.objects.get(sku="A").delete()
        raise OhNo
    assert not Change.objects.exists()
    flush()
    assert neuroon.requests == []


def test_law_02_a_savepoint_that_is_rolled_back_takes_its_own_changes_only(neuroon, flush):
    with transaction.atomic():
        make_product("kept")
        with pytest.raises(OhNo), transaction.atomic():
            make_product("never")
            raise OhNo
        make_product("kept too")
    flush()
    assert neuroon.products.keys() == {"kept", "kept too"}


def test_law_06_no_transaction_is_open_during_http(neuroon, flush):
    """While a request is in flight, others may write to every row of ours."""
    make_product("A")
    with neuroon.held("sync") as hold:
        thread = elsewhere(flush)
        hold.wait()
        assert SyncedProduct.objects.update(last_error="written meanwhile") == 1
        make_product("B")
        hold.release()
        thread.join()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of somebody who accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def no_sockets(monkeypatch) -> None:
    """In the shop's thread nobody connects; the publisher's own thread may."""
    shop, connect = threading.current_thread(), socket.socket.connect

    def guarded(self, address):
        if threading.current_thread() is shop and self.family != socket.AF_UNIX:
            raise AssertionError(f"the shop's thread connects to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


BROKERS = ["", "redis://{}/0", "redis://127.0.0.1:9/0", "amqp://guest:guest@{}//", "memory://"]


@pytest.mark.parametrize("broker", BROKERS, ids=lambda b: b or "none")
def test_law_01_no_trouble_of_ours_reaches_the_shop(
    neuroon,
    client,
    silent,
    no_sockets,
    settings,
    celery,
    broker,
):
    """Neuroon and the broker gone or hanging: save, checkout and delete go on."""
    settings.NEUROON_API_URL = f"http://{silent}"
    settings.NEUROON_DEBOUNCE = 0
    celery(broker_url=broker.format(silent))
    product = make_product("A")
    product.title = "Changed"
    product.save()
    with transaction.atomic():
        order = Order.objects.create(number="1", total=1, status="paid")
        order.lines.create(product=product, total=1)
    product.delete()
    assert not Product.objects.exists()
    changed = [change.model for change in Change.objects.order_by("pk")]
    order_and_line = ["order:shop.order"] * 2
    assert changed == ["shop.product"] * 3 + order_and_line + ["shop.product"]
    assert neuroon.requests == []


def test_law_01_a_page_goes_without_the_widget(neuroon, silent, settings):
    """The one render that may wait for a token waits no longer than it is told to."""
    settings.NEUROON_API_URL = f"http://{silent}"
    settings.NEUROON_WIDGET_TIMEOUT = 0.2
    page = engines["django"].from_string("{% load neuroon %}before{% neuroon_widget %}after").render()
    assert page == "beforeafter"


def test_law_01_the_cache_is_gone(neuroon, settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:9/0",
        }
    }
    make_product("A")
    page = engines["django"].from_string("{% load neuroon %}{% neuroon_widget %}").render()
    assert f'data-token="{neuroon.tokens[0]}"' in page
