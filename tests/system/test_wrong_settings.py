"""A wrong setting: no request, save or thread of the shop's raises, and the check tells."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.template import engines

from neuroon_django import tasks
from neuroon_django.checks import check_settings
from neuroon_django.conf import NAMES, Settings, ShopConfig, conf
from neuroon_django.models import Change
from neuroon_django.recording import wakeup
from neuroon_django.recording.wakeup import PRODUCTS, Publisher
from neuroon_django.rules import PREFIX, settings_of
from tests.factories import make_product
from tests.operators.checks.test_settings import WRONG

pytestmark = pytest.mark.django_db(transaction=True)

DECLARED = settings_of(ShopConfig) | settings_of(Settings)


class Unspeakable:
    """A value that cannot be made a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __repr__(self) -> str:
        return "Unspeakable()"


ODD: list[Any] = [
    *(object(), Unspeakable(), [], {}, (), b"bytes", -1, 0, 1.5, True, "nonsense\0", "x" * 10_000),
    *(float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"), timedelta.max, lambda: 1),
]


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Nothing was logged before."""
    yield
    for setting in DECLARED.values():
        setting._reported.clear()


@pytest.mark.parametrize("name", NAMES)
def test_law_01_reading_a_wrong_setting_gives_a_usable_one(settings, caplog, name):
    setting = DECLARED[name]
    for value in [*WRONG[name], *ODD]:
        setattr(settings, PREFIX + name, value)
        config = conf if hasattr(Settings, name) else conf.shop()
        read = getattr(config, name)
        assert read in setting.unset or setting.usable(read), value
        refused = not setting.rule(value)
        ids = [message.id for message in check_settings()]
        assert ("neuroon.E001" in ids) == refused, value


def test_a_wrong_setting_is_logged_once_with_what_to_type(settings, caplog):
    settings.NEUROON_DEBOUNCE = "soon"
    assert [conf.DEBOUNCE for _ in range(3)] == [2.0] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "setting_ignored name=NEUROON_DEBOUNCE value='soon': set it to 2, in seconds, from 0 to 3600"
    ]
    settings.NEUROON_DEBOUNCE = "later"
    assert conf.DEBOUNCE == 2
    assert len(caplog.records) == 2


def test_law_15_a_wrong_key_is_not_logged(settings, caplog):
    settings.NEUROON_API_KEY = "sk_geheim\x00"
    assert conf.shop().API_KEY == ""
    assert "geheim" not in caplog.text
    assert "NEUROON_API_KEY" in caplog.text


def test_a_mistyped_address_is_not_the_live_one(settings):
    settings.NEUROON_API_URL = "htps://neuroon.test"
    assert conf.shop().API_URL == ""
    assert not conf.can_send


@pytest.fixture
def woken(monkeypatch) -> Iterator[Callable[[], bool]]:
    """Flag the publisher; return whether its thread, which does not sleep, has published."""
    made, published = Publisher(), threading.Semaphore(0)
    publish = made._publish
    monkeypatch.setattr(wakeup.time, "sleep", lambda seconds: None)
    made._publish = lambda names: (publish(names), published.release())  # type: ignore[method-assign]
    monkeypatch.setattr(wakeup, "publisher", made)

    def flag() -> bool:
        made.notify(PRODUCTS)
        return published.acquire(timeout=10)

    return flag


@pytest.mark.parametrize("name", NAMES)
def test_law_01_the_shop_notices_nothing_of_a_wrong_setting(neuroon, settings, client, woken, name):
    page = engines["django"].from_string("{% load neuroon %}{% neuroon_widget %}")
    client.raise_request_exception = True
    for number, value in enumerate([*WRONG[name], *ODD]):
        setattr(settings, PREFIX + name, value)
        make_product(f"A-{number}")
        assert client.get("/neuroon/widget-token/").status_code in (200, 503)
        page.render()
        assert woken(), value
        assert woken(), "the thread has ended"
    if name != "ENABLED":
        assert Change.objects.exists()


NEEDED = {"SHOP_ID", "API_KEY", "API_URL", "STOREFRONT_URL"}  # nothing right can be read instead


@pytest.mark.parametrize("name", sorted({*NAMES} - {"CONTEXT"}))
def test_a_worker_goes_on_with_the_default(neuroon, settings, name):
    make_product("A")
    setattr(settings, PREFIX + name, WRONG[name][0])
    tasks.flush_products()
    assert list(neuroon.products) == ([] if name in NEEDED else ["A"])
