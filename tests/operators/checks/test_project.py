"""The checks of what surrounds the app, and of a deployment."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from neuroon_django.conf import Settings, ShopConfig
from neuroon_django.feeds import registry
from neuroon_django.middleware import ClickAttributionMiddleware
from neuroon_django.recording.publishing import FRAMEWORK_TASKS, TASKS_FRAMEWORK
from tests.operators.checks.checking import messages, use_feed
from tests.shop.models import Product
from tests.shop.neuroon import CatalogueFeed

pytestmark = pytest.mark.usefixtures("quiet_project")

ROOT = Path(__file__).parents[3]
import_module(f"{TASKS_FRAMEWORK}.signals")  # it forgets backends where a test changes TASKS


def test_a_right_project_hears_nothing():
    assert messages() == []
    assert messages(deploy=True) == []


def test_no_middleware_keeps_the_clicks(settings):
    settings.MIDDLEWARE = []
    assert messages() == [
        (
            "neuroon.W006",
            "An OrderFeed is registered, but no middleware keeps the shoppers' clicks.",
            'Add "neuroon_django.middleware.ClickAttributionMiddleware" to MIDDLEWARE, '
            "or call attribute_order().",
        )
    ]


class Consenting(ClickAttributionMiddleware):
    """A shop's own."""


def test_a_subclass_of_the_middleware_keeps_the_clicks(settings):
    settings.MIDDLEWARE = [f"{__name__}.nothing", f"{__name__}.messages"]
    assert [id for id, _message, _hint in messages()] == ["neuroon.W006"]
    settings.MIDDLEWARE = [f"{__name__}.Consenting"]
    assert messages() == []


def test_two_middlewares_that_keep_the_clicks(settings):
    ours = "neuroon_django.middleware.ClickAttributionMiddleware"
    settings.MIDDLEWARE = [ours, f"{__name__}.Consenting"]
    assert messages() == [
        (
            "neuroon.W017",
            f"MIDDLEWARE keeps the shoppers' clicks 2 times: {ours}, {__name__}.Consenting.",
            "Remove all but one; until then clicks are kept only if each of them allows it.",
        )
    ]


def test_switched_off_is_quiet(settings):
    settings.NEUROON_ENABLED = False
    settings.NEUROON_API_KEY = ""
    settings.MIDDLEWARE = []
    assert messages(deploy=True) == []


@pytest.mark.parametrize("backend", ["immediate.ImmediateBackend", "dummy.DummyBackend"])
def test_a_tasks_backend_that_keeps_no_message(settings, backend):
    settings.NEUROON_TASKS = "django"
    settings.TASKS = {"default": {"BACKEND": f"{TASKS_FRAMEWORK}.backends.{backend}"}}
    assert messages(deploy=True) == [
        (
            "neuroon.W021",
            "The default backend of TASKS keeps no message: no worker is woken by a change.",
            "Set TASKS to a backend with workers, as django-tasks-db has one; or set "
            "NEUROON_TASKS = None and run neuroon_sync --watch.",
        )
    ]
    settings.NEUROON_TASKS = None
    assert messages(deploy=True) == []


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ({"BACKEND": "nowhere.Backend"}, "No module named 'nowhere'"),
        ({"BACKEND": f"{TASKS_FRAMEWORK}.backends.dummy.DummyBackend", "QUEUES": ["x"]}, "Queue "),
    ],
)
def test_a_tasks_framework_that_takes_no_task(settings, monkeypatch, backend, told):
    settings.NEUROON_TASKS = "django"
    settings.TASKS = {"default": backend}
    monkeypatch.delitem(sys.modules, FRAMEWORK_TASKS, raising=False)
    [(id, message, hint)] = messages()
    assert id == "neuroon.E021"
    assert message.startswith('NEUROON_TASKS is "django", but no task can be made: ')
    assert told in message
    assert hint.startswith("Django 6.0 has the framework, before it pip install django-tasks;")


def test_celery_that_wakes_nobody(settings, celery_config):
    celery_config.task_always_eager = True
    assert messages() == [
        (
            "neuroon.W007",
            "Celery runs tasks eagerly: no worker is woken by a change.",
            "Run neuroon_sync from cron, or set CELERY_TASK_ALWAYS_EAGER = False.",
        )
    ]
    celery_config.task_always_eager = False
    celery_config.broker_url = None
    assert messages() == [
        (
            "neuroon.W008",
            "Celery has no broker: no worker is woken by a change.",
            "Set CELERY_BROKER_URL and import the Celery app in the project's __init__.py "
            "(from .celery import app), or it is not read; or run neuroon_sync from cron and "
            "set NEUROON_AUTO_SYNC = False.",
        )
    ]
    settings.NEUROON_AUTO_SYNC = False
    assert messages() == []


def test_deployment(settings, celery_config):
    settings.NEUROON_API_URL = "http://localhost:8001"
    settings.NEUROON_STOREFRONT_URL = "http://localhost:8000"
    assert messages() == []
    assert messages(deploy=True) == [
        (
            "neuroon.W009",
            "NEUROON_API_URL is http://localhost:8001, which is not the live service.",
            'Set it to "https://api.neuroon.ai".',
        ),
        (
            "neuroon.W010",
            "NEUROON_STOREFRONT_URL is 'http://localhost:8000', which shoppers cannot open.",
            'Set it to "https://mystore.com".',
        ),
    ]


BEAT = {
    "one task is missing": ({"neuroon-flush-products": None}, ["flush_products"]),
    "another is": ({"neuroon-scan-catalogue": None}, ["scan_catalogue"]),
    "under another name": ({"neuroon-flush-products": None, "mine": "flush_products"}, []),
}


@pytest.mark.parametrize("case", BEAT)
def test_beat_that_does_not_run_a_task(celery_config, case):
    changes, missing = BEAT[case]
    for name, task in changes.items():
        celery_config.beat_schedule.pop(name, None)
        if task:
            celery_config.beat_schedule[name] = {"task": f"neuroon_django.tasks.{task}"}
    expected = (
        "neuroon.W011",
        f"Celery beat does not run {', '.join(f'neuroon_django.tasks.{name}' for name in missing)}.",
        "CELERY_BEAT_SCHEDULE = neuroon_django.schedules.beat_schedule()",
    )
    assert messages() == ([expected] if missing else [])


@pytest.mark.parametrize("schedule", [None, {}, {"mine": {"task": "shop.tasks.mine"}}])
def test_a_schedule_that_is_missing_or_was_replaced(settings, celery_config, schedule):
    celery_config.beat_schedule = schedule
    assert [id for id, _message, _hint in messages()] == ["neuroon.W011"]
    celery_config.beat_scheduler = "django_celery_beat.schedulers:DatabaseScheduler"
    assert messages() == []  # nobody knows what stands in the database
    celery_config.beat_scheduler = "celery.beat:PersistentScheduler"
    settings.NEUROON_AUTO_SYNC = False
    assert messages() == []


@pytest.mark.parametrize("name", ["API_URL", "STOREFRONT_URL"])
def test_an_address_that_is_none_fails_no_check_of_a_deployment(settings, name):
    setattr(settings, f"NEUROON_{name}", "https://[")
    assert "neuroon.E001" in [id for id, _message, _hint in messages(deploy=True)]


def test_no_product_feed(monkeypatch):
    monkeypatch.setattr(registry, "feeds", {})
    assert messages() == [
        (
            "neuroon.W004",
            "No product feed is registered: nothing reaches Neuroon.",
            "Write <app>/neuroon.py with a ProductFeed and @register(Product).",
        )
    ]


class NoCurrency(CatalogueFeed):
    currency = None


@pytest.mark.parametrize("unset", [None, ""])
def test_no_currency_anywhere(settings, monkeypatch, unset):
    use_feed(monkeypatch, Product, NoCurrency)
    assert messages() == []
    settings.NEUROON_CURRENCY = unset
    assert messages() == [
        (
            "neuroon.W005",
            "NoCurrency has no currency, and NEUROON_CURRENCY is not set: USD is sent.",
            'Set NEUROON_CURRENCY = "EUR", or currency = Value("EUR") in the feed.',
        )
    ]


@pytest.mark.parametrize(
    ("path", "may_be_null"),
    [
        ("brand__name", True),
        ("stockrecords__price", True),
        ("title", False),
        ("get_absolute_url", False),
    ],
)
def test_a_currency_that_may_be_null(settings, monkeypatch, path, may_be_null):
    use_feed(monkeypatch, Product, type("Feed", (CatalogueFeed,), {"currency": path}))
    settings.NEUROON_CURRENCY = None
    told = f'Feed may find no currency by "{path}", and NEUROON_CURRENCY is not set: USD is sent.'
    found = [message for id, message, _hint in messages() if id == "neuroon.W005"]
    assert found == ([told] if may_be_null else [])


def test_several_shops_are_named(settings, monkeypatch):
    use_feed(monkeypatch, Product, NoCurrency)
    own = {
        "es": {"CURRENCY": "EUR", "STOREFRONT_URL": "http://mystore.es"},
        "uk": {"API_URL": "https://dev-api.neuroon.ai"},
    }
    shops = {alias: ShopConfig(alias, values) for alias, values in own.items()}
    monkeypatch.setattr(Settings, "shops", lambda self: shops)
    settings.NEUROON_CURRENCY = None
    assert [message for _id, message, _hint in messages(deploy=True)] == [
        'Shop "uk": NoCurrency has no currency, and NEUROON_CURRENCY is not set: USD is sent.',
        "Shop \"es\": NEUROON_STOREFRONT_URL is 'http://mystore.es', which shoppers cannot open.",
        'Shop "uk": NEUROON_API_URL is https://dev-api.neuroon.ai, which is not the live service.',
    ]


def test_check_really_runs_them():
    done = subprocess.run(
        [sys.executable, "-m", "django", "check", "--settings", "tests.settings"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"},
    )
    assert "(neuroon.W008) Celery has no broker" in done.stderr
