"""A shop that was taken out of the settings is found, emptied by its key, and forgotten."""

from __future__ import annotations

import pytest

from neuroon_django.api import Client
from neuroon_django.delivery import Scan, product_run
from neuroon_django.exceptions import ConfigurationError
from neuroon_django.models import Conversion, ShopState, SyncedProduct
from neuroon_django.operations.former_shops import forget, former_shop, former_shops
from neuroon_django.operations.syncing import remove_everything
from tests.factories import make_order, make_product, shop_called
from tests.operators.commands import failing, neuroon_sync, summary

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def taken_out(shops, settings) -> ShopState:
    """The British shop, which had two products when it was taken out of the settings."""
    product = make_product("A")
    make_product("B")
    uk = shop_called("uk")
    with Client(**uk.config.client_options()) as client:
        product_run(uk, client, scan=Scan.due(uk), foreground=True).run()
    make_order("1", product)
    Conversion.objects.create(shop=uk, key="k")
    assert former_shops() == []
    del settings.NEUROON_SHOPS["uk"]
    return uk


def test_law_20_a_former_shop_says_what_is_left_at_neuroon(taken_out):
    shop_called("es")
    [shop] = former_shops()
    assert (shop, shop.in_neuroon, shop.config.can_send) == (taken_out, 2, False)
    assert former_shop("shop_uk") == taken_out


@pytest.mark.parametrize("shop_id", ["shop_sandbox", "shop_xx", ""])
def test_only_former_shops_are_found(taken_out, shop_id):
    shop_called("es")
    with pytest.raises(ConfigurationError, match="There are: shop_uk at http"):
        former_shop(shop_id)


def test_law_20_its_products_are_taken_out_by_its_key(shops, taken_out, settings):
    settings.NEUROON_API_KEY = shops["uk"].api_key
    settings.NEUROON_STOREFRONT_URL = shops["uk"].shop_url
    shop = former_shop("shop_uk")
    with Client(**shop.config.client_options()) as client:
        remove_everything(shop, client)
        product_run(shop, client, foreground=True).run()
    assert shops["uk"].products == {}
    assert forget(shop) == 0


def test_law_20_nothing_is_folded_into_a_former_shop_again(shops, taken_out, settings):
    settings.NEUROON_API_KEY = shops["uk"].api_key
    shop = former_shop("shop_uk")
    make_product("C")
    with Client(**shop.config.client_options()) as client:
        remove_everything(shop, client)
        make_product("D")
        product_run(shop, client, foreground=True).run()
    assert shops["uk"].products == {}
    es = shop_called("es")
    with Client(**es.config.client_options()) as client:
        product_run(es, client, foreground=True).run()
    assert {"C", "D"} <= shops["es"].products.keys()  # what changed is there for the others
    assert not SyncedProduct.objects.of(shop).filter(external_id__in=["C", "D"]).exists()
    assert not SyncedProduct.objects.of(shop).filter(in_neuroon=True).exists()


def test_law_20_the_command_empties_a_former_shop(shops, taken_out, settings):
    settings.NEUROON_API_KEY = shops["uk"].api_key
    make_product("C")
    out = neuroon_sync("--remove-all", "--no-input", "--shop", "shop_uk")
    assert out == summary(deleted=2, requests=2) + "Next: manage.py neuroon_status --forget shop_uk\n"
    assert shops["uk"].products == {}
    _, error = failing("neuroon_sync", "--shop", "shop_uk")  # nothing is sent to it any more
    assert error.returncode == 2


def test_no_unknown_shop_is_emptied(shops, taken_out):
    shop_called("es")
    _, error = failing("neuroon_sync", "--remove-all", "--no-input", "--shop", "shop_xx")
    assert error.returncode == 2
    assert str(error).startswith("No shop is called so: es, outlet. No former shop is called")
    assert sorted(shops["uk"].products) == ["A", "B"]


def test_law_20_forgetting_a_shop_needs_no_key_and_touches_no_other(shops, taken_out):
    es = shop_called("es")
    with Client(**es.config.client_options()) as client:
        product_run(es, client, scan=Scan.due(es), foreground=True).run()
    shops["uk"].clear()
    pk = taken_out.pk
    assert forget(taken_out) == 2
    assert not ShopState.objects.filter(pk=pk).exists()
    assert not SyncedProduct.objects.filter(shop=pk).exists()
    assert SyncedProduct.objects.of(es).exists()
    assert not Conversion.objects.filter(shop=pk).exists()
    assert shops["uk"].requests == []


def test_a_configured_shop_is_not_forgotten(shops):
    with pytest.raises(ConfigurationError, match="is in the settings"):
        forget(shop_called("uk"))
