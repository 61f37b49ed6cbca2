"""What a setting is where it is not set."""

from __future__ import annotations

import pytest

from neuroon_django.checks import check_settings
from neuroon_django.conf import NAMES, PREFIX, conf

VALUES = {(name, value) for name in NAMES for value in (None, "")} - {("RATE_LIMIT", None)}


@pytest.mark.parametrize(("name", "value"), sorted(VALUES, key=repr))
def test_none_and_an_empty_text_are_not_set(settings, name, value):
    if hasattr(settings, PREFIX + name):
        delattr(settings, PREFIX + name)
    default = getattr(conf, name)
    setattr(settings, PREFIX + name, value)
    assert getattr(conf, name) == default


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("https://müller.de/", "https://xn--mller-kva.de"),
        ("https://MÜLLER.de:8443", "https://xn--mller-kva.de:8443"),
        ("https://магазин.рф/каталог", "https://xn--80aairftm.xn--p1ai/%D0%BA%D0%B0%D1%82%D0%B0%D0%BB%D0%BE%D0%B3"),
        ("https://straße.de", "https://xn--strae-oqa.de"),
        ("https://βόλος.gr", "https://xn--nxasmm1c.gr"),
        ("https://mystore.com/", "https://mystore.com"),
    ],
)  # fmt: skip
def test_an_address_is_what_travels(settings, told, meant):
    settings.NEUROON_STOREFRONT_URL = settings.NEUROON_API_URL = told
    assert (meant, meant) == (conf.STOREFRONT_URL, conf.API_URL)
    assert conf.USER_AGENT.isascii()
    assert check_settings() == []


def test_an_address_that_cannot_travel_is_told(settings):
    settings.NEUROON_STOREFRONT_URL = f"https://{'ü' * 80}.de"
    assert [message.id for message in check_settings()] == ["neuroon.E001"]


def test_white_space_around_the_shop_id_and_the_key_is_none_of_theirs(settings):
    settings.NEUROON_SHOP_ID, settings.NEUROON_API_KEY = " shop_1\n", "sk_1 "
    assert (conf.SHOP_ID, conf.API_KEY) == ("shop_1", "sk_1")


def test_no_rate_limit_is_unpaced(settings):
    settings.NEUROON_RATE_LIMIT = None
    assert conf.RATE_LIMIT is None
