"""Fixtures: a sandbox Neuroon on loopback, and a run of the machine against it."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from celery import current_app
from django.core.cache.backends import locmem
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

from neuroon_django.api import Client
from neuroon_django.delivery import RunStatistics, Scan, order_run, product_run
from neuroon_django.delivery.pacing import Pacing
from neuroon_django.models import unseen
from neuroon_django.testing import Sandbox
from neuroon_django.widget.pages import memory
from tests import services
from tests.factories import current_shop, end_blocks
from tests.feeds_in_use import looked_at, use_feeds, use_items  # noqa: F401


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests have recorded for the summary, from other processes too."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, text in report.user_properties:
            if name == "summary":
                terminalreporter.write_line(text)


collect_ignore = ["system/shop_under_test"]  # a project of its own, which a test runs


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> Iterator[None]:
    """Empty tables that have rows, and no others, after each test that commits.

    Django's own flush truncates every table and makes all content types and permissions anew, which
    takes longer than most tests do.
    """

    def empty_tables(case: TransactionTestCase) -> None:
        for alias in case._databases_names(include_mirrors=False):
            _empty_tables(connections[alias])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield


def _empty_tables(database: BaseDatabaseWrapper) -> None:
    quote = database.ops.quote_name
    tables = sorted(set(_tables(database)) - {"django_content_type", "auth_permission"})
    rows = ", ".join(f"EXISTS(SELECT 1 FROM {quote(table)})" for table in tables)
    unchecked, one = database.constraint_checks_disabled(), transaction.atomic(database.alias)
    with unchecked, one, database.cursor() as cursor:
        cursor.execute(f"SELECT {rows}")
        for table, has_rows in zip(tables, cursor.fetchone(), strict=True):
            if has_rows:
                cursor.execute(f"DELETE FROM {quote(table)}")


@cache
def _tables(database: BaseDatabaseWrapper) -> list[str]:
    return database.introspection.django_table_names(only_existing=True, include_views=False)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Nothing that a process remembers may reach the next test; a Celery worker sets log levels."""
    level = logging.root.level
    yield
    logging.root.setLevel(level)
    memory.clear()
    unseen.clear()
    for kept in [*locmem._caches.values(), *locmem._expire_info.values()]:
        kept.clear()  # a sandbox may get the port of an earlier one, and so its token


@pytest.fixture(scope="session", autouse=True)
def _sessions_are_over(django_db_setup, django_db_blocker) -> Iterator[None]:
    """PostgreSQL drops no database that a killed process's session is still leaving."""
    yield
    if connection.vendor != "postgresql":
        return
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for _ in range(100):
            cursor.execute(others)
            if cursor.fetchone()[0] <= 1:
                return
            time.sleep(0.1)


@pytest.fixture
def neuroon(settings) -> Iterator[Sandbox]:
    """A verified sandbox that the settings point to; it wants every header that is documented."""
    headers = ("Accept", "Origin", "User-Agent")
    with Sandbox(shop_url="https://mystore.com", verified=True, required_headers=headers) as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


@pytest.fixture
def shops(neuroon, settings) -> dict[str, Sandbox]:
    """Three shops at one address, by alias: Spanish, British, and one of a part of the products."""
    neuroon.shop_url = "https://mystore.es"
    others = {"uk": "https://mystore.co.uk", "outlet": "https://outlet.mystore.es"}
    found = {"es": neuroon}
    for alias, url in others.items():
        found[alias] = neuroon.add_shop(f"shop_{alias}", shop_url=url, verified=True)
    own = {
        "es": {"LANGUAGE": "es", "CURRENCY": "EUR"},
        "uk": {"LANGUAGE": "en", "CURRENCY": "GBP"},
        "outlet": {"LANGUAGE": "es", "CURRENCY": "EUR"},
    }
    settings.NEUROON_SHOP_ID = settings.NEUROON_API_KEY = settings.NEUROON_STOREFRONT_URL = ""
    settings.NEUROON_SHOPS = {
        alias: {
            "SHOP_ID": shop.shop_id,
            "API_KEY": shop.api_key,
            "STOREFRONT_URL": shop.shop_url,
            **own[alias],
        }
        for alias, shop in found.items()
    }
    return found


@pytest.fixture
def flush(neuroon) -> Callable[..., RunStatistics]:
    """One run over the products, as a worker makes it; `foreground` as `neuroon_sync` does."""

    def run(*, foreground: bool = True, **options: object) -> RunStatistics:
        shop = current_shop()
        with Client(**shop.config.client_options()) as client:
            scan = Scan.due(shop, foreground=foreground)
            return product_run(shop, client, scan=scan, foreground=foreground, **options).run()

    return run


@pytest.fixture
def flush_orders(neuroon) -> Callable[..., RunStatistics]:
    """One run over the orders."""

    def run(*, foreground: bool = True) -> RunStatistics:
        shop = current_shop()
        with Client(**shop.config.client_options()) as client:
            return order_run(shop, client, foreground=foreground).run()

    return run


@pytest.fixture
def waits_end_at_once(monkeypatch) -> None:
    """Every wait is over at once: for the time of a block or a slot nobody sleeps."""
    monkeypatch.setattr(Pacing, "_sleep", lambda pacing, seconds: end_blocks() is None)


@pytest.fixture
def celery() -> Iterator[Callable[..., None]]:
    """Change Celery's settings for this test: of this thread's app, and of new threads'."""
    apps = [current_app._get_current_object()]
    looker = threading.Thread(target=lambda: apps.append(current_app._get_current_object()))
    looker.start()
    looker.join()
    names = ("broker_url", "task_always_eager")
    before = [(app, {name: getattr(app.conf, name) for name in names}) for app in apps]
    yield lambda **values: [app.conf.update(values) for app in apps] and None
    for app, values in before:
        app.conf.update(values)


@pytest.fixture
def redis() -> Iterator[str]:
    """A Redis of our own on a free port."""
    services.need(shutil.which("redis-server"), "redis-server")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()
