"""What settings or a feed had broken is tried again by itself when they are corrected."""

from __future__ import annotations

import pytest

from neuroon_django import tasks
from neuroon_django.delivery.fingerprint import fingerprint_of
from neuroon_django.feeds import registry
from neuroon_django.feeds.registry import Registration
from neuroon_django.models import Conversion, ShopState, SyncedProduct
from tests.factories import current_shop, make_order, make_product, pauses
from tests.shop.models import Product
from tests.shop.neuroon import CatalogueFeed

pytestmark = pytest.mark.django_db(transaction=True)


def statuses() -> dict[str, str]:
    return dict(SyncedProduct.objects.values_list("external_id", "status"))


class Broken(CatalogueFeed):
    def name(self, product: Product) -> str:
        return product.missing  # type: ignore[attr-defined, no-any-return]


def test_law_08_a_corrected_feed_revives_what_it_had_rejected(neuroon, flush, monkeypatch):
    make_product("A"), make_product("B")
    with monkeypatch.context() as patch:
        patch.setitem(registry.feeds, "shop.product", Registration(Product, Broken))
        flush(foreground=False)
        assert statuses() == {"A": "rejected", "B": "rejected"}
    tasks.flush_products()
    assert statuses() == {"A": "synced", "B": "synced"}
    assert list(neuroon.products) == ["A", "B"]


def test_law_08_a_corrected_setting_revives_what_it_had_rejected(neuroon, flush, settings):
    settings.NEUROON_STOREFRONT_URL = ""
    neuroon.required_headers = ()
    make_product("A")
    flush(foreground=False)
    assert statuses() == {"A": "rejected"}
    settings.NEUROON_STOREFRONT_URL = neuroon.shop_url
    tasks.flush_products()
    assert statuses() == {"A": "synced"}


def test_what_was_refused_as_it_is_is_not_sent_again(neuroon, flush, settings):
    make_product("A"), make_product("B")
    neuroon.reject = {"B": "bad word"}
    flush()
    neuroon.clear()
    settings.NEUROON_LANGUAGE = "en-gb"
    tasks.flush_products()
    assert statuses() == {"A": "synced", "B": "rejected"}
    assert neuroon.sync_requests == []
    assert SyncedProduct.objects.get(external_id="B").last_error == "bad word"


def test_orders_are_tried_again_too(neuroon, flush, flush_orders, settings):
    make_order("1001", make_product("A"), total="-1")
    flush(), flush_orders()
    settings.NEUROON_CURRENCY = "USD"
    tasks.flush_products()
    assert Conversion.objects.get().due_at is not None


def test_law_09_a_pause_for_the_key_ends_when_the_key_changes(neuroon, flush, settings):
    settings.NEUROON_API_KEY = "sk_wrong"
    make_product("A")
    flush(foreground=False)
    assert len(pauses()) == 4
    tasks.flush_products()
    assert len(neuroon.requests) == 1  # the same key is not tried again
    settings.NEUROON_API_KEY = neuroon.api_key
    tasks.flush_products()
    assert list(neuroon.products) == ["A"]
    assert pauses() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEY", "sk_other"),
        ("STOREFRONT_URL", "https://other.test"),
        ("CURRENCY", "SEK"),
        ("LANGUAGE", "es"),
        ("PRODUCTS_API", "shops"),
        ("CONTEXT", "tests.shop.context"),
    ],
)
def test_what_payloads_depend_on_changes_the_fingerprint(neuroon, settings, name, value):
    before = fingerprint_of(current_shop().config)
    assert fingerprint_of(current_shop().config) == before
    setattr(settings, f"NEUROON_{name}", value)
    assert fingerprint_of(current_shop().config) != before


def test_a_pace_changes_no_fingerprint(neuroon, settings):
    before = fingerprint_of(current_shop().config)
    settings.NEUROON_RATE_LIMIT, settings.NEUROON_WIDGET_THEME = 7, "dark"
    assert fingerprint_of(current_shop().config) == before


def test_the_first_run_revives_nothing(neuroon, flush):
    make_product("A", price=None)
    flush()
    ShopState.objects.update(fingerprint="")
    tasks.flush_products()
    assert statuses() == {"A": "rejected"}
