"""Settings: what each is where it is not set, how it is cleaned, and which shop it belongs to."""

from __future__ import annotations

from datetime import timedelta
from pprint import pformat
from types import MappingProxyType

import pytest
from django.test import override_settings

from neuroon_django.checks import check_settings
from neuroon_django.conf import NAMES, VERSION, Settings, ShopConfig, conf
from neuroon_django.exceptions import ConfigurationError
from neuroon_django.rules import PREFIX, settings_of

DECLARED = settings_of(ShopConfig) | settings_of(Settings)
KEY = "sk_fedcba9876543210"
SHOP = ShopConfig("default")
VALUES = {(name, value) for name in NAMES for value in (None, "")} - {
    (name, None)
    for name in ("RATE_LIMIT", "SCAN_EVERY", "TASKS")  # None is a value of these
}


def read(name: str) -> object:
    """Return what the app reads of a setting, of the project's or of the shop's."""
    return getattr(conf if hasattr(Settings, name) else SHOP, name)


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_a_default_a_rule_and_a_hint(name):
    setting = DECLARED[name]
    default = setting.default(SHOP) if callable(setting.default) else setting.default
    assert default in setting.unset or setting.rule(default)
    assert setting.rule(object()) is False
    assert setting.hint
    assert setting.flat == PREFIX + name


def test_every_setting_is_declared_once():
    assert sorted(DECLARED) == sorted(NAMES)
    assert not settings_of(ShopConfig).keys() & settings_of(Settings).keys()


@pytest.mark.parametrize(("name", "value"), sorted(VALUES, key=repr))
def test_none_and_an_empty_text_are_not_set(settings, name, value):
    if hasattr(settings, PREFIX + name):
        delattr(settings, PREFIX + name)
    default = read(name)
    setattr(settings, PREFIX + name, value)
    assert read(name) == default


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://müller.de/", "https://xn--mller-kva.de"),
        ("https://MÜLLER.de:8443", "https://xn--mller-kva.de:8443"),
        ("https://магазин.рф/каталог", "https://xn--80aairftm.xn--p1ai/%D0%BA%D0%B0%D1%82%D0%B0%D0%BB%D0%BE%D0%B3"),
        ("https://straße.de", "https://xn--strae-oqa.de"),
        ("https://βόλος.gr", "https://xn--nxasmm1c.gr"),
        ("https://mystore.com/", "https://mystore.com"),
    ],
)  # fmt: skip
def test_an_address_is_what_travels(settings, written, meant):
    settings.NEUROON_STOREFRONT_URL = settings.NEUROON_API_URL = written
    assert (meant, meant) == (SHOP.STOREFRONT_URL, SHOP.API_URL)
    assert SHOP.USER_AGENT.isascii()
    assert {message.id for message in check_settings()} <= {"neuroon.W018"}  # it has a path


def test_an_address_that_cannot_travel_is_told(settings):
    settings.NEUROON_STOREFRONT_URL = f"https://{'ü' * 80}.de"
    assert [message.id for message in check_settings()] == ["neuroon.E001"]


def test_white_space_around_the_shop_id_and_the_key_is_none_of_theirs(settings):
    settings.NEUROON_SHOP_ID, settings.NEUROON_API_KEY = " shop_1\n", "sk_1 "
    assert (SHOP.SHOP_ID, SHOP.API_KEY) == ("shop_1", "sk_1")


def test_no_rate_limit_is_unpaced(settings):
    settings.NEUROON_RATE_LIMIT = None
    assert SHOP.RATE_LIMIT is None


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("BATCH_SIZE", 0, 1),
        ("BATCH_SIZE", "7", 7),
        ("BATCH_SIZE", 500, 100),
        ("IN_FLIGHT", 0, 1),
        ("RATE_LIMIT", "30", 30.0),
        ("TIMEOUT", "5", 5.0),
        ("CURRENCY", "GBP", "GBP"),
        ("ENABLED", 0, False),
        ("KEEP_CLICKS", 1.5, timedelta(hours=36)),
        ("KEEP_CLICKS", timedelta(hours=1), timedelta(hours=1)),
        ("SCAN_EVERY", 0.25, timedelta(hours=6)),
        ("SCAN_EVERY", None, None),
        ("TASKS", None, None),
        ("TASKS", "", "celery"),
        ("QUEUE", "neuroon", "neuroon"),
        ("CONTEXT", "shop.scopes.everything", "shop.scopes.everything"),
    ],
)
def test_a_value_is_cleaned(settings, name, written, meant):
    setattr(settings, PREFIX + name, written)
    assert read(name) == meant


def test_a_shops_own_value_comes_before_the_flat_one_and_the_default(settings):
    shop = ShopConfig("uk", {"CURRENCY": "GBP", "TIMEOUT": "5", "API_URL": "https://müller.de/"})
    settings.NEUROON_CURRENCY, settings.NEUROON_BATCH_SIZE = "EUR", 7
    assert (shop.CURRENCY, shop.BATCH_SIZE, shop.IN_FLIGHT) == ("GBP", 7, 1)
    assert (shop.TIMEOUT, shop.API_URL) == (5.0, "https://xn--mller-kva.de")
    settings.NEUROON_BATCH_SIZE = 8
    assert shop.BATCH_SIZE == 8


@pytest.mark.parametrize("unset", [None, ""])
def test_a_shops_own_value_that_is_not_set_is_the_flat_one(settings, unset):
    settings.NEUROON_CURRENCY, settings.NEUROON_RATE_LIMIT = "EUR", 50
    shop = ShopConfig("uk", dict.fromkeys(settings_of(ShopConfig), unset))
    assert shop.CURRENCY == "EUR"
    assert (None if unset is None else 50) == shop.RATE_LIMIT


def test_a_shops_user_agent_names_its_storefront():
    shop = ShopConfig("uk", {"STOREFRONT_URL": "https://mystore.uk"})
    assert f"neuroon-django/{VERSION} (+mystore.uk)" == shop.USER_AGENT


def test_a_shop_can_send_with_its_own_key_unless_all_is_off(settings):
    settings.NEUROON_API_KEY, settings.NEUROON_API_URL = "", "https://api.neuroon.ai"
    shop = ShopConfig("uk", {"API_KEY": KEY})
    assert (shop.can_send, SHOP.can_send, conf.can_send) == (True, False, False)
    assert shop.key_fingerprint != SHOP.key_fingerprint
    settings.NEUROON_ENABLED = False
    assert not shop.can_send


def test_the_arguments_of_a_client_are_the_shops():
    own = {"SHOP_ID": "shop_uk", "API_KEY": KEY, "STOREFRONT_URL": "https://mystore.uk"}
    assert ShopConfig("uk", own).client_options(timeout=5) == {
        "api_url": "http://127.0.0.1:9",
        "shop_id": "shop_uk",
        "api_key": KEY,
        "origin": "https://mystore.uk",
        "user_agent": f"neuroon-django/{VERSION} (+mystore.uk)",
        "timeout": 5,
        "connections": 1,
    }


def test_shops_are_equal_by_alias_and_own_values():
    shop = ShopConfig("uk", {"SHOP_ID": "a", "API_KEY": [KEY]})
    same = ShopConfig("uk", {"API_KEY": [KEY], "SHOP_ID": "a"})
    assert (shop, hash(shop)) == (same, hash(same))
    assert shop != ShopConfig("uk", {"SHOP_ID": "b"})
    assert shop != ShopConfig("es", shop.own)
    assert conf.shop() == conf.shop("default") == ShopConfig("default")


def test_law_15_a_shop_never_shows_its_key():
    shop = ShopConfig("uk", {"API_KEY": KEY})
    shown = [repr(shop), str(shop), pformat(shop), repr(shop.API_KEY), repr(shop.client_options())]
    assert KEY not in "".join(shown)
    assert repr(shop) == "ShopConfig(alias='uk')"


def test_the_project_has_one_shop_whose_values_are_the_flat_ones(settings):
    settings.NEUROON_SHOP_ID = "shop_flat"
    assert conf.shops() == {"default": ShopConfig("default")}
    assert conf.shop().SHOP_ID == "shop_flat"


@pytest.mark.parametrize("name", settings_of(ShopConfig))
def test_law_20_the_project_has_no_value_of_a_shop(name):
    assert not hasattr(conf, name)


def test_law_20_requests_are_made_as_long_as_one_shop_can(settings):
    settings.NEUROON_API_KEY, settings.NEUROON_API_URL = "", "https://api.test"
    settings.NEUROON_SHOPS = {"es": {}, "uk": {"SHOP_ID": "shop_uk", "API_KEY": KEY}}
    assert conf.can_send
    settings.NEUROON_SHOPS["uk"]["API_KEY"] = ""
    assert not conf.can_send


ES, UK = {"SHOP_ID": "shop_es", "LANGUAGE": "es"}, {"SHOP_ID": "shop_uk", "CURRENCY": "GBP"}


def test_law_20_each_shop_has_its_own_values_and_the_flat_ones_for_the_rest(settings):
    settings.NEUROON_SHOP_ID, settings.NEUROON_CURRENCY, settings.NEUROON_LANGUAGE = "", "EUR", "en"
    settings.NEUROON_SHOPS = {"es": ES, "uk": UK}
    read = {
        alias: (shop.alias, shop.SHOP_ID, shop.CURRENCY, shop.LANGUAGE, shop.API_URL)
        for alias, shop in conf.shops().items()
    }
    assert read == {
        "es": ("es", "shop_es", "EUR", "es", "http://127.0.0.1:9"),
        "uk": ("uk", "shop_uk", "GBP", "en", "http://127.0.0.1:9"),
    }
    assert (conf.shop(), conf.shop("uk")) == (ShopConfig("es", ES), ShopConfig("uk", UK))


@pytest.mark.parametrize(
    ("written", "aliases"),
    [
        ({}, ["default"]),
        (None, ["default"]),
        ("", ["default"]),
        (["es"], ["default"]),
        ('{"es": {}}', ["default"]),
        (5, ["default"]),
        ({"es": None, "uk": UK}, ["uk"]),
        ({"es": "shop_es", "uk": UK}, ["uk"]),
        ({5: ES, "": ES, None: ES, "uk": UK}, ["uk"]),
        ({"a b": ES, "a/b": ES, "ñ": ES, "-es": ES, "a\n": ES, "e" * 51: ES, "uk": UK}, ["uk"]),
        ({"es": None}, ["default"]),
        ({"es": ES, "uk": {"XYZZY": object(), None: 1}}, ["es", "uk"]),
        ({"es": ES, "twin": ES, "uk": UK}, ["es", "uk"]),
        ({"es": ES, "twin": ES | {"SHOP_ID": " shop_es "}}, ["es"]),
        ({"es": ES, "dev": ES | {"API_URL": "https://dev-api.neuroon.ai"}}, ["es", "dev"]),
        ({"es": {}, "uk": {"SHOP_ID": ""}}, ["es", "uk"]),  # without an id yet, as on a new machine
        ({"es": {"SHOP_ID": []}, "uk": UK, "en-GB_2": {}}, ["es", "uk", "en-GB_2"]),
        (MappingProxyType({"es": ES}), ["es"]),
    ],
)
def test_law_20_shops_are_read_whatever_is_written(settings, written, aliases):
    settings.NEUROON_SHOP_ID, settings.NEUROON_SHOPS = "", written
    assert list(conf.shops()) == aliases
    assert conf.shop() == conf.shops()[aliases[0]]
    list(map(str, check_settings()))


def test_an_unknown_alias_says_which_there_are():
    with pytest.raises(ConfigurationError, match=r'No shop is called "uk"\. There are: default\.'):
        conf.shop("uk")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda shops: shops.pop("uk"), {"es": "shop_1"}),
        (lambda shops: shops["uk"].update(SHOP_ID="shop_3"), {"es": "shop_1", "uk": "shop_3"}),
        (lambda shops: shops["uk"].update(SHOP_ID="shop_1"), {"es": "shop_1"}),  # the same shop twice
        (
            lambda shops: shops.update(fr={"SHOP_ID": "shop_3"}),
            {"es": "shop_1", "uk": "shop_2", "fr": "shop_3"},
        ),
        (lambda shops: shops.update(uk=["no shop"]), {"es": "shop_1"}),
        (lambda shops: shops.update(uk={"SHOP_ID": "shop_4"}), {"es": "shop_1", "uk": "shop_4"}),
    ],
)
def test_the_shops_are_those_that_are_written_now(settings, change, expected):
    settings.NEUROON_SHOPS = {"es": {"SHOP_ID": "shop_1"}, "uk": {"SHOP_ID": "shop_2"}}
    before = conf.shops()
    assert conf.shops() == before
    with override_settings(NEUROON_SHOPS={}, NEUROON_SHOP_ID="shop_9"):
        assert {alias: shop.SHOP_ID for alias, shop in conf.shops().items()} == {"default": "shop_9"}
    change(settings.NEUROON_SHOPS)
    assert {alias: shop.SHOP_ID for alias, shop in conf.shops().items()} == expected
    before.clear()  # what was given is the caller's
    assert list(conf.shops()) == list(expected)


def test_what_an_entry_says_is_read_on_use(settings):
    settings.NEUROON_SHOPS = {"es": {"SHOP_ID": "shop_1", "API_KEY": "sk_1"}}
    assert conf.shop("es").API_KEY == "sk_1"
    settings.NEUROON_SHOPS["es"]["API_KEY"] = "sk_2"
    assert conf.shop("es").API_KEY == "sk_2"
