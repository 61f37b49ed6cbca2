"""Which feeds are for which shop, and what a feed of several shops says in each."""

from __future__ import annotations

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext

from neuroon_django.conf import conf
from neuroon_django.feeds import registry
from tests.feeds_in_use import item_feed
from tests.shop.models import Coded, Item, Order, Voucher
from tests.shop.neuroon import CheckoutFeed

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def page(request: HttpRequest, code: str) -> HttpResponse:
    return HttpResponse(code)


urlpatterns = i18n_patterns(path("p/<str:code>/", page, name="item"), prefix_default_language=False)


def feed(*shops: str, **entries: object) -> type:
    return item_feed(shops=list(shops), **entries)


def test_law_20_each_shop_has_the_feeds_that_are_for_it(shops, use_feeds):
    orders = type("Feed", (CheckoutFeed,), {"shops": ["uk"]})
    use_feeds(
        (Item, feed()),
        (Voucher, feed("uk", "outlet", external_id="key")),
        (Coded, feed("nowhere")),
        (Order, orders),
    )
    found = {
        alias: (set(registry.sources(shop)), registry.product_labels(shop), registry.order_labels(shop))
        for alias, shop in conf.shops().items()
    }
    item, voucher, order = "shop.item", "shop.voucher", "shop.order"
    assert found == {
        "es": ({item}, [item], []),
        "uk": ({item, voucher, order}, [item, voucher], [order]),
        "outlet": ({item, voucher}, [item, voucher], []),
    }
    assert set(registry.sources()) == {item, voucher, order}
    assert {s.label: s.shop.alias for s in registry.products()} == {item: "es", voucher: "uk"}
    assert registry.withdrawn_labels(conf.shop("es")) == [voucher, "shop.coded"]
    assert registry.withdrawn_labels(conf.shop("uk")) == ["shop.coded"]


def test_law_12_addresses_and_texts_are_in_the_shops_language(shops, use_feeds, settings):
    settings.LANGUAGES = [("en", "English"), ("es", "Spanish")]

    def url(feed, item):
        return reverse("item", args=[item.code])

    use_feeds((Item, feed(url=url, name=lambda feed, item: f"{item.code} {gettext('Yes')}")))
    item = Item.objects.create(code="A", title="A")
    rendered = {
        alias: registry.product_source("shop.item", shop).render_many([str(item.pk)])[str(item.pk)]
        for alias, shop in conf.shops().items()
    }
    texts = {alias: one.payload.decode() for alias, one in rendered.items()}
    for alias, address, name in [
        ("es", "https://mystore.es/es/p/A/", "A Sí"),
        ("uk", "https://mystore.co.uk/p/A/", "A Yes"),
        ("outlet", "https://outlet.mystore.es/es/p/A/", "A Sí"),
    ]:
        assert f'"{address}"' in texts[alias]
        assert f'"{name}"' in texts[alias]
