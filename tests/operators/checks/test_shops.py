"""The checks of `NEUROON_SHOPS`: what is no shop, no setting, or said twice."""

from __future__ import annotations

import pytest

from neuroon_django import ProductFeed
from tests.operators.checks.checking import REQUIRED, messages, use_feed
from tests.shop.models import Item

pytestmark = pytest.mark.usefixtures("quiet_project")

ES = {"SHOP_ID": "shop_es", "API_KEY": "sk_es", "STOREFRONT_URL": "https://mystore.es"}
UK = {"SHOP_ID": "shop_uk", "API_KEY": "sk_uk", "STOREFRONT_URL": "https://mystore.co.uk"}
PREFIXED = "NEUROON_TIMEOUT"
ALIAS_HINT = "Call it by letters, digits, - and _, 50 at most."
TWIN = 'Shop "uk": its SHOP_ID is that of shop "es" at https://api.neuroon.ai; it is left out.'


def alias(shown: str) -> tuple[str, str, str]:
    """Return the message about an alias that is none."""
    return (
        "neuroon.E013",
        f"NEUROON_SHOPS: {shown} is no alias of a shop, which is left out.",
        ALIAS_HINT,
    )


def entry(kind: str) -> tuple[str, str, str]:
    """Return the message about an entry that is no dict."""
    message = f'Shop "uk": its entry in NEUROON_SHOPS is of type {kind}, not a dict.'
    return ("neuroon.E013", message, 'Set it to {"SHOP_ID": "shop_…", …}.')


def unknown(name: str, hint: str) -> tuple[str, str, str]:
    """Return the message about a name that is no setting of a shop."""
    return ("neuroon.E013", f'Shop "uk": {name} in NEUROON_SHOPS is not a setting of a shop.', hint)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"uk": UK | {"API_URL": "https://dev-api.neuroon.ai", "CURRENCY": "GBP"}}, []),
        ({"uk": ES | {"API_URL": "https://dev-api.neuroon.ai"}}, []),
        ({"a b": UK}, [alias("'a b'")]),
        ({5: UK}, [alias("5")]),
        ({"a\nb" * 50: UK}, [alias(repr("a\nb" * 50)[:100])]),
        ({"uk": None}, [entry("NoneType")]),
        ({"uk": "shop_uk"}, [entry("str")]),
        ({"uk": ["shop_uk"]}, [entry("list")]),
        ({"uk": UK | {"CURENCY": "GBP"}}, [unknown("'CURENCY'", 'Did you mean "CURRENCY"?')]),
        ({"uk": UK | {"language": "en"}}, [unknown("'language'", 'Did you mean "LANGUAGE"?')]),
        (
            {"uk": UK | {"NEUROON_TIMEOUT": 5}},
            [unknown("'NEUROON_TIMEOUT'", 'Did you mean "TIMEOUT"?')],
        ),
        ({"uk": UK | {"XYZZY": 5}}, [unknown("'XYZZY'", "Remove it.")]),
        ({"uk": UK | {5: 5}}, [unknown("5", "Remove it.")]),
        (
            {"uk": UK | {"DEBOUNCE": 5}},
            [
                unknown(
                    "'DEBOUNCE'",
                    "It is the project's: write NEUROON_DEBOUNCE = … outside NEUROON_SHOPS.",
                )
            ],
        ),
        (
            {"uk": UK | {"SHOP_ID": "shop_es"}},
            [
                (
                    "neuroon.E015",
                    TWIN,
                    "Give it the id that Neuroon's dashboard shows for it, or remove it.",
                )
            ],
        ),
    ],
)
def test_what_is_no_shop_is_named_with_what_to_type(settings, changes, expected):
    settings.NEUROON_SHOP_ID, settings.NEUROON_SHOPS = "", {"es": ES} | changes
    assert messages() == expected


def test_a_flat_shop_id_beside_several_shops_has_to_move(settings):
    settings.NEUROON_SHOP_ID, settings.NEUROON_SHOPS = "shop_flat", {"es": ES, "uk": UK}
    assert messages() == [
        (
            "neuroon.E014",
            "Both NEUROON_SHOP_ID and NEUROON_SHOPS are set: no shop has the id that is outside.",
            'Move it into its shop\'s entry, {"es": {"SHOP_ID": …}}, with its API_KEY and '
            "STOREFRONT_URL, and remove NEUROON_SHOP_ID. What all shops share may stay outside.",
        )
    ]


def test_flat_values_that_all_shops_share_are_no_conflict(settings):
    settings.NEUROON_SHOP_ID = ""
    settings.NEUROON_API_KEY, settings.NEUROON_CURRENCY = "sk_shared", "EUR"
    settings.NEUROON_SHOPS = {"es": ES, "uk": UK | {"API_KEY": ""}}
    assert messages() == []


@pytest.mark.parametrize(
    ("aliases", "message", "hint"),
    [
        (["es"], "", ""),
        (["uk", "es"], "", ""),
        (["ukk"], "'ukk'", 'Did you mean "uk"?'),
        (["market"], "'market'", "There are: es, uk."),
        ([5], "5", "There are: es, uk."),
    ],
)
def test_a_feed_names_shops_that_there_are(settings, monkeypatch, aliases, message, hint):
    settings.NEUROON_SHOP_ID, settings.NEUROON_SHOPS = "", {"es": ES, "uk": UK}
    feed = type("ItemFeed", (ProductFeed,), REQUIRED | {"shops": aliases})
    use_feed(monkeypatch, Item, feed)
    text = f"ItemFeed: shops names {message}, and no shop is called so."
    assert messages() == ([("neuroon.E019", text, hint)] if message else [])


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("django.urls.reverse", ""),
        (None, ""),
        ("shop_of", "shop_of doesn't look like a module path"),
        ("no_such.module", "No module named 'no_such'"),
        ("django.VERSION", "it cannot be called"),
    ],
)
def test_the_function_of_a_request_is_there(settings, path, reason):
    settings.NEUROON_SHOP_FOR_REQUEST = path
    message = f"NEUROON_SHOP_FOR_REQUEST is {path!r}: {reason}."
    hint = 'Set it to "shop.markets.alias_of", the dotted path of a function of a request, or None.'
    assert messages() == ([("neuroon.E020", message, hint)] if reason else [])


def test_law_20_a_feed_is_checked_for_every_shop(settings, monkeypatch):
    """What one shop's products are made of is wrong there alone, and is said of it alone."""

    def get_queryset(self):
        if self.shop.alias == "uk":
            raise LookupError("no price list")
        return Item.objects.all()

    settings.NEUROON_SHOP_ID, settings.NEUROON_SHOPS = "", {"es": ES, "uk": UK}
    entries = {"get_queryset": get_queryset, "category": "title"}
    use_feed(monkeypatch, Item, type("ItemFeed", (ProductFeed,), REQUIRED | entries))
    found = [(id, text) for id, text, _ in messages()]
    raised = 'Shop "uk": ItemFeed: get_queryset() raises LookupError: no price list.'
    assert ("neuroon.E004", raised) in found
    assert [text for _, text in found if "get_queryset" in text] == [raised]
    [said] = [text for _, text in found if "category" in text]
    assert said.startswith('Shop "es": ItemFeed')  # in Britain nobody got as far
    del entries["get_queryset"]
    use_feed(monkeypatch, Item, type("ItemFeed", (ProductFeed,), REQUIRED | entries))
    [said] = [text for _, text, _ in messages() if "category" in text]
    assert said.startswith("ItemFeed")  # of all of them, once


def test_a_feed_is_checked_for_the_shops_that_it_is_for(settings, monkeypatch):
    settings.NEUROON_SHOP_ID, settings.NEUROON_SHOPS = "", {"es": ES, "uk": UK}
    entries = REQUIRED | {"shops": ["uk"], "category": "title"}
    use_feed(monkeypatch, Item, type("ItemFeed", (ProductFeed,), entries))
    [said] = [text for _, text, _ in messages() if "category" in text]
    assert said.startswith("ItemFeed")


def test_no_message_shows_a_key(settings):
    keys = {"SHOP_ID": "shop_1", "API_KEY": "sk_secret"}
    for written in ([keys], {"es": [keys]}, {"es": ES, "twin": ES | keys, "uk": UK | keys}, str(keys)):
        settings.NEUROON_SHOP_ID, settings.NEUROON_SHOPS = "", written
        assert "sk_secret" not in str(messages())
