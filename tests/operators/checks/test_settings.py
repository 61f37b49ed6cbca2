"""The checks of settings: what each value may be, by id, message and hint."""

from __future__ import annotations

from datetime import timedelta
from math import inf, nan

import pytest
from django.utils import translation

from neuroon_django.conf import NAMES, Settings, ShopConfig
from neuroon_django.rules import settings_of
from tests.operators.checks.checking import messages

pytestmark = pytest.mark.usefixtures("quiet_project")


DECLARED = settings_of(ShopConfig) | settings_of(Settings)

WRONG = {
    "SHOP_ID": [5, "s" * 201],
    "API_KEY": [5, "sk_ñ", "sk_\n1"],
    "API_URL": ["api.neuroon.ai", "ftp://api.neuroon.ai", "https://", 5, "https://[", "https://a:x"],
    "STOREFRONT_URL": [
        "mystore.com",
        5,
        "https://mystore.com/?a=1",
        "https://mystore.com#top",
        "https://my store.com",
        "https://mystore.com\n",
        "https://mystore.com\u00a0",
        f"https://mystore.com/{'a' * 255}",
    ],
    "PRODUCTS_API": ["both", 5],
    "BATCH_SIZE": [0, 101, "many", 1.5, True],
    "CURRENCY": ["euro", "€", 5, "EU1", "eur"],
    "LANGUAGE": [5],
    "RATE_LIMIT": [0, -1, "100", True, inf, nan],
    "IN_FLIGHT": [0, "4", 1000],
    "DEBOUNCE": [-1, "2", inf, 86_400],
    "TIMEOUT": [0, "60", "60s", inf, 3600],
    "WIDGET_TIMEOUT": [0, timedelta(seconds=2), inf, 3600],
    "CACHE": ["nowhere", 5],
    "QUEUE": [5],
    "ENABLED": ["False", 1],
    "AUTO_SYNC": ["no"],
    "CONTEXT": [5],
    "TASKS": ["Celery", 5, True],
    "SCAN_EVERY": ["1", -1, inf, True, timedelta(days=-1)],
    "KEEP_CLICKS": ["90", -1, inf, nan, 1e12, True, timedelta(days=-1), timedelta.max],
    "USER_AGENT": [5, "tienda/ñ", "shop\r\nX: 1", " shop"],
    "WIDGET_TOKEN": ["issued", "AUTO", 5, True],
    "WIDGET_URL": ["cdn.neuroon.ai/widget.js", "/widget.js?v=1", "/my widget.js", "https://["],
    "WIDGET_INTEGRITY": [5],
    "WIDGET_THEME": ["blue"],
    "WIDGET_POSITION": ["left"],
    "SHOPS": [["es"], '{"es": {"API_KEY": "sk_1"}}', 5],
    "SHOP_FOR_REQUEST": [5],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG.items() for v in values])
def test_a_wrong_value_is_named_with_what_to_type(settings, name, value):
    setattr(settings, f"NEUROON_{name}", value)
    shown = "…" if name in ("API_KEY", "SHOPS") else repr(value)[:100]
    message = f"NEUROON_{name} is {shown}, which is no value for it."
    assert ("neuroon.E001", message, f"Set it to {DECLARED[name].hint}.") in messages()


RIGHT = {
    "RATE_LIMIT": [None, 10, 99.5],
    "API_KEY": ["sk_1\n"],  # as a file gives it
    "KEEP_CLICKS": [timedelta(days=1), timedelta(0), 30, 0.5],
    "TASKS": [None, "", "celery", "django"],
    "SCAN_EVERY": [None, 1, 0.5, timedelta(hours=6)],
    "QUEUE": [None, "neuroon"],
    "CONTEXT": [None, "contextlib.nullcontext"],
    "LANGUAGE": [None, "es", "es-mx", "EN-gb", "de-li"],
    "DEBOUNCE": [0],
    "WIDGET_URL": ["/static/widget.js", "https://cdn.neuroon.ai/widget@0.9.10/widget.js"],
    "API_URL": ["http://127.0.0.1:8001", "http://localhost:1", "https://dev-api.neuroon.ai", None],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in RIGHT.items() for v in values])
def test_a_right_value_is_not(settings, name, value):
    setattr(settings, f"NEUROON_{name}", value)
    about_backends = "neuroon.W021"  # TASKS itself is as Django has it, which keeps no message
    assert [message for message in messages() if message[0] != about_backends] == []


def test_every_setting_was_tried_wrong():
    assert set(WRONG) == set(NAMES)


MOVING = (
    "neuroon.W013",
    "NEUROON_WIDGET_INTEGRITY is dropped: the script at %s changes.",
    'Set NEUROON_WIDGET_URL to a version\'s address: "https://cdn.neuroon.ai/widget@0.9.10/widget.js".',
)


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        ("https://cdn.neuroon.ai/widget.js", False),
        ("https://cdn.neuroon.ai/widget@latest/widget.js", False),
        ("https://dev-cdn.neuroon.ai/widget.js", False),
        ("https://neuroon.ai/widget@/widget.js", False),
        ("https://cdn.neuroon.ai/widget@0.9.10/widget.js", True),
        ("https://cdn.neuroon.ai/widget@1/widget.js", True),
        ("https://cdn.notneuroon.ai/widget.js", True),
        ("/static/widget.js", True),
    ],
)
def test_an_integrity_needs_an_address_that_stays(settings, url, pinned):
    settings.NEUROON_WIDGET_URL = url
    assert messages() == []
    settings.NEUROON_WIDGET_INTEGRITY = "sha384-x"
    id, message, hint = MOVING
    assert messages() == ([] if pinned else [(id, message % url, hint)])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"NEUROON_API_URL": "http://api.neuroon.ai"},
            (
                "neuroon.E002",
                "NEUROON_API_URL is http://api.neuroon.ai: the API key would travel unencrypted.",
                'Set it to "https://…".',
            ),
        ),
        (
            {"NEUROON_API_KEY": ""},
            (
                "neuroon.W001",
                "Not set: NEUROON_API_KEY. Changes are recorded, nothing is sent.",
                "Set it from Neuroon's dashboard, or NEUROON_ENABLED = False.",
            ),
        ),
        (
            {"NEUROON_SHOP_ID": "", "NEUROON_API_KEY": None},
            (
                "neuroon.W001",
                "Not set: NEUROON_SHOP_ID, NEUROON_API_KEY. Changes are recorded, nothing is sent.",
                "Set it from Neuroon's dashboard, or NEUROON_ENABLED = False.",
            ),
        ),
        (
            {"NEUROON_BACH_SIZE": 10},
            (
                "neuroon.W002",
                "NEUROON_BACH_SIZE is not a setting of neuroon-django.",
                "Did you mean NEUROON_BATCH_SIZE?",
            ),
        ),
        (
            {"NEUROON_XYZZY": 10},
            ("neuroon.W002", "NEUROON_XYZZY is not a setting of neuroon-django.", "Remove it."),
        ),
        (
            {"NEUROON_STOREFRONT_URL": ""},
            (
                "neuroon.W003",
                "NEUROON_STOREFRONT_URL is not set: relative addresses and the domain stay unknown.",
                'Set it to "https://mystore.com".',
            ),
        ),
    ],
)
def test_settings_together(settings, changes, expected):
    for name, value in changes.items():
        setattr(settings, name, value)
    assert messages() == [expected]


@pytest.mark.parametrize("language", ["xx", "tlh", "", "e", "l" * 600])
def test_a_language_that_the_project_does_not_have(settings, language):
    settings.NEUROON_LANGUAGE = language
    expected = (
        "neuroon.W016",
        f"NEUROON_LANGUAGE is {repr(language)[:100]}, which is not in LANGUAGES.",
        "Set it to a language of LANGUAGES, or add it there.",
    )
    assert messages() == ([expected] if language else [])


def test_a_language_needs_to_be_one_of_the_projects(settings):
    settings.LANGUAGES = [("en", "English"), ("vlaams", "Flemish")]
    for language, ids in [("en-gb", []), ("vlaams", []), ("es", ["neuroon.W016"])]:
        settings.NEUROON_LANGUAGE = language
        assert [id for id, _message, _hint in messages()] == ids


def test_several_shops_are_checked_each_and_named(settings):
    settings.NEUROON_SHOP_ID = ""
    settings.NEUROON_SHOPS = {
        "es": {
            "SHOP_ID": "shop_es",
            "API_KEY": 5,
            "STOREFRONT_URL": "https://mystore.es",
            "LANGUAGE": "es",
        },
        "uk": {"SHOP_ID": "shop_uk", "API_URL": "http://api.neuroon.ai"},
    }
    settings.NEUROON_DEBOUNCE = "2"
    assert [(id, message) for id, message, _hint in messages()] == [
        ("neuroon.E001", 'Shop "es": NEUROON_API_KEY is …, which is no value for it.'),
        (
            "neuroon.E002",
            'Shop "uk": NEUROON_API_URL is http://api.neuroon.ai: '
            "the API key would travel unencrypted.",
        ),
        ("neuroon.E001", "NEUROON_DEBOUNCE is '2', which is no value for it."),
    ]


def test_checks_are_in_english_whatever_the_language(settings):
    settings.NEUROON_API_KEY = settings.NEUROON_STOREFRONT_URL = ""
    settings.NEUROON_BATCH_SIZE = 101
    settings.NEUROON_XYZZY = 1
    settings.MIDDLEWARE = []
    english = messages(deploy=True)
    assert len(english) == 5
    with translation.override("es"):
        assert messages(deploy=True) == english


QUOTED = {
    "API_KEY": '"sk_0123"',
    "SHOP_ID": "'shop_1'",
    "STOREFRONT_URL": '"https://mystore.com"',
    "CURRENCY": "\N{LEFT DOUBLE QUOTATION MARK}EUR\N{RIGHT DOUBLE QUOTATION MARK}",
}


@pytest.mark.parametrize("name", QUOTED)
def test_a_value_in_quotes(settings, name):
    setattr(settings, f"NEUROON_{name}", QUOTED[name])
    assert (
        "neuroon.E001",
        f"NEUROON_{name} begins with a quotation mark, which is part of its value.",
        "Remove the quotes around it in the file that sets it.",
    ) in messages()


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://mystore.com/shop", "https://mystore.com"),
        ("https://MyStore.com", "https://mystore.com"),
        ("https://MyStore.com/es/", "https://mystore.com"),
        ("https://mystore.com/", ""),
        ("https://mystore.com:8443", ""),
        ("https://tiendä.es", ""),
        ("not an address", ""),
    ],
)
def test_a_storefront_that_is_more_than_a_site(settings, url, site):
    settings.NEUROON_STOREFRONT_URL = url
    found = [(message, hint) for id, message, hint in messages() if id == "neuroon.W018"]
    told = "a path or capital letters make it another address than the domain's."
    hint = f'Set it to "{site}", the address alone, as in Neuroon\'s dashboard.'
    assert found == ([(f"NEUROON_STOREFRONT_URL is {url.rstrip('/')}: {told}", hint)] if site else [])


RIGHT_HINT = "Set it to the dotted path of a context manager that takes no arguments."
CONTEXTS = {
    "no.such.module": ("ModuleNotFoundError: No module named 'no'", RIGHT_HINT),
    "nonsense": ("ImportError: nonsense doesn't look like a module path", RIGHT_HINT),
    "contextlib.nothing": (
        'ImportError: Module "contextlib" does not define a "nothing" attribute/class',
        RIGHT_HINT,
    ),
    "broken_scopes.everything": (
        "ModuleNotFoundError: No module named 'not_installed'",
        "Install not_installed, or correct the import of it there.",
    ),
}


@pytest.mark.parametrize("path", CONTEXTS)
def test_a_context_that_cannot_be_used(settings, tmp_path, monkeypatch, path):
    (tmp_path / "broken_scopes.py").write_text("import not_installed")
    monkeypatch.syspath_prepend(tmp_path)
    settings.NEUROON_CONTEXT = path
    wrong, hint = CONTEXTS[path]
    assert messages() == [("neuroon.E017", f"NEUROON_CONTEXT is {path!r}: {wrong}.", hint)]
