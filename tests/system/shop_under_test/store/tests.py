"""The shop's own tests: they know nothing of Neuroon, but for the last ones."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from io import StringIO

import django
from django.apps import apps

if not apps.ready:  # `python -m unittest` sets nothing up
    django.setup()

from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import LiveServerTestCase, TestCase, TransactionTestCase, override_settings
from mysite import guard

from neuroon_django import aget_widget_token, get_widget_token, tasks
from neuroon_django.models import Change
from neuroon_django.testing import Sandbox, neuroon_outbox
from store.models import Product

EMPTY = "<body></body>\n"


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("neuroon")]


class Shop:
    """What any shop does, whatever kind of test does it."""

    def test_a_page_is_as_if_there_were_no_widget(self) -> None:
        for _ in range(2):
            self.assertEqual(self.client.get("/").content.decode(), EMPTY)
        self.assertEqual(self.client.get("/neuroon/widget-token/").status_code, 503)
        self.assertEqual((get_widget_token(), asyncio.run(aget_widget_token())), ("", ""))
        self.assertEqual(threads(), [])

    def test_a_save_wakes_nobody(self) -> None:
        Product.objects.create(sku="A", name="A")
        with transaction.atomic():
            Product.objects.create(sku="B", name="B")
        self.assertEqual(Change.objects.count(), 2)
        self.assertEqual(threads(), [])

    def test_tasks_and_commands_send_nothing(self) -> None:
        Product.objects.create(sku="A", name="A")
        for task in (tasks.flush_products, tasks.scan_catalogue, tasks.refresh_widget_token):
            task.apply()
        tasks.flush_conversions()
        for command in ("neuroon_sync", "neuroon_verify", "neuroon_reconcile", "neuroon_status"):
            with self.assertRaisesMessage(CommandError, ""):
                call_command(command, stdout=StringIO(), stderr=StringIO())


class InTestCase(Shop, TestCase):
    def test_no_hook_is_counted(self) -> None:
        for _ in range(2):
            with self.captureOnCommitCallbacks(execute=True) as callbacks:
                Product.objects.create(sku="A", name="A")
                transaction.on_commit(lambda: None)
            self.assertEqual(len(callbacks), 1)
        self.assertEqual(threads(), [])

    def test_the_outbox(self) -> None:
        outbox = self.enterContext(neuroon_outbox())
        Product.objects.create(sku="A", name="Shoe")
        self.assertEqual(outbox.products["A"]["name"], "Shoe")
        self.assertEqual(self.client.get("/").content.decode(), EMPTY)


class InTransactionTestCase(Shop, TransactionTestCase):
    def test_a_sandbox_turns_it_on(self) -> None:
        with Sandbox(verified=True, shop_url="https://mystore.com") as neuroon:
            guard.own_ports.add(neuroon.port)
            no_cache = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
            with override_settings(**neuroon.settings(), CACHES=no_cache, NEUROON_AUTO_SYNC=False):
                Product.objects.create(sku="A", name="A")
                call_command("neuroon_sync", stdout=StringIO(), stderr=StringIO())
            self.assertEqual(list(neuroon.products), ["A"])


class InLiveServerTestCase(LiveServerTestCase):
    def test_a_page(self) -> None:
        guard.own_ports.add(self.server_thread.port)
        with urllib.request.urlopen(self.live_server_url) as page:
            self.assertEqual(page.read().decode(), EMPTY)
        self.assertEqual(threads(), [])
