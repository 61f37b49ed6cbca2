"""`manage.py demo`: the whole main job on one machine, each step with its figures.

The command starts itself again with an environment of its own (ports, a state directory), so that
it and the processes it starts read one and the same settings.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from argparse import ArgumentParser
from contextlib import ExitStack, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from neuroon_django.models import Change, Conversion, ShopState, SyncedProduct
from shop.models import Brand, Category, Order, Product
from shop.payments import sign
from shop.processes import MANAGE, free_port, neuroon, running, wait_for
from shop.several import SeveralShops, shops_of

SAMPLE = MANAGE.parent / "data" / "catalogue.jsonl"
STARTED = "NEUROON_DEMO"  # set in the environment of the demo proper
BURST, EDITED = 500, 50


class Command(BaseCommand):
    help = "Runs the main job end to end against a local Neuroon; exits 0 only if all agrees."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--catalogue", type=Path, default=SAMPLE, metavar="FILE")
        parser.add_argument("--shops", metavar="es,uk", help="several shops at Neuroon, side by side")
        parser.add_argument("--serve", action="store_true", help="leave it running for a browser")

    def handle(self, *, catalogue: Path, serve: bool, shops: str | None, **options: Any) -> None:
        if STARTED not in os.environ:
            start_again(shops_of(shops) if shops else {})
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, interrupt)
        try:
            with ExitStack() as stack:
                (SeveralShops(self) if shops else self).walk(stack, catalogue)
                if serve:
                    self.serve()
                else:
                    self.write_next_steps()
        except KeyboardInterrupt:
            raise CommandError("interrupted; all processes were ended", returncode=130) from None
        except (TimeoutError, requests.RequestException) as error:
            raise CommandError(f"{error}; logs: {settings.STATE_DIR}") from error
        shutil.rmtree(settings.STATE_DIR)

    def walk(self, stack: ExitStack, catalogue: Path) -> None:
        started = time.monotonic()
        self.prepare(catalogue)
        self.start_neuroon(stack)
        self.step("Verify the domain")
        call_command("neuroon_verify", stdout=self.stdout)
        self.first_sync()
        self.start_worker(stack)
        self.burst()
        self.start_web(stack)
        self.buy(self.page())
        self.compare()
        self.done(f"All three agree; {time.monotonic() - started:.0f} s in all.")

    # The steps

    def prepare(self, catalogue: Path) -> None:
        self.step("Set up the shop")
        call_command("migrate", verbosity=0)
        for model in (Order, Product, Brand, Category, Change, Conversion, SyncedProduct, ShopState):
            model._default_manager.all().delete()  # a database of the reader's own may be used
        call_command("load_catalogue", str(catalogue), stdout=self.stdout)

    def start_neuroon(self, stack: ExitStack) -> None:
        port = settings.NEUROON_API_URL.rpartition(":")[2]
        command = ["-m", "neuroon_django.testing.sandbox", "--port", port, "--rate-limit", "100"]
        command += ["--shop-url", settings.NEUROON_STOREFRONT_URL]
        if settings.NEUROON_SHOPS:
            command += ["--shops", ",".join(settings.NEUROON_SHOPS)]
        else:
            command += ["--shop-id", settings.NEUROON_SHOP_ID, "--api-key", settings.NEUROON_API_KEY]
        stack.enter_context(running("sandbox", command, settings.STATE_DIR))
        wait_for("the sandbox", lambda: reachable(f"{settings.NEUROON_API_URL}/_sandbox/state"))
        self.note(f"A local Neuroon answers at {settings.NEUROON_API_URL}")

    def first_sync(self) -> None:
        self.step("Send the catalogue")
        call_command("neuroon_sync", stdout=self.stdout, stderr=self.stderr)
        sent = len(sync_requests())
        call_command("neuroon_sync", stdout=self.stdout, stderr=self.stderr)
        again = len(sync_requests()) - sent
        self.note(f"{count(Product):,} products in {sent} requests; a second run made {again}.")
        self.expect(again == 0, "a second sync sent something")

    def start_worker(self, stack: ExitStack) -> None:
        self.step("Start a Celery worker with beat")
        command = ["-m", "celery", "-A", "config", "worker", "--beat", "--concurrency", "2"]
        command += ["--loglevel", "INFO", "--schedule", str(settings.STATE_DIR / "beat")]
        stack.enter_context(running("worker", command, settings.STATE_DIR))
        log = settings.STATE_DIR / "worker.log"
        seconds = wait_for("the worker", lambda: " ready." in log.read_text())
        self.note(f"Ready after {seconds:.1f} s; broker {settings.CELERY_BROKER_URL}")

    def burst(self) -> None:
        self.step(f"{BURST} saves of {EDITED} products, in one transaction")
        before = len(sync_requests())
        products = list(Product.objects.published().order_by("pk")[:EDITED])
        saving = time.monotonic()
        with transaction.atomic():
            for turn in range(BURST // len(products)):
                for product in products:
                    product.title = f"{product.title.partition(' · ')[0]} · {turn + 1}"
                    product.save()
        saved = time.monotonic() - saving
        seconds = wait_for("the worker's delivery", lambda: self.delivered(products))
        made = sync_requests()[before:]
        self.note(f"Saved in {saved:.2f} s, at Neuroon {seconds:.1f} s later: {len(made)} request(s).")
        self.expect(
            [len(r["external_ids"]) for r in made] == [len(products)], f"not one request: {made}"
        )

    def delivered(self, products: list[Product]) -> bool:
        if Change.objects.exists() or SyncedProduct.objects.waiting().exists():
            return False
        held = {p["externalId"]: p["name"] for p in neuroon("products")}
        return all(held.get(product.sku) == product.title for product in products)

    def start_web(self, stack: ExitStack) -> None:
        self.step("Open the shop")
        address = settings.NEUROON_STOREFRONT_URL
        command = [str(MANAGE), "runserver", "--noreload", address.partition("//")[2]]
        stack.enter_context(running("web", command, settings.STATE_DIR))
        wait_for("the shop", lambda: reachable(f"{address}/"))

    def page(self, path: str = "/") -> str:
        """The token in the shop's page."""
        html = requests.get(f"{settings.NEUROON_STOREFRONT_URL}{path}", timeout=30).text
        found = re.search(r'data-token="([^"]+)"', html)
        self.expect(found is not None, "no widget in the shop's page")
        keys = [own["API_KEY"] for own in settings.NEUROON_SHOPS.values()]
        shown = [key for key in [settings.NEUROON_API_KEY, *keys] if key in html]
        self.expect(not shown, "the API key is in the page")
        token = found[1] if found else ""
        self.note(f"{settings.NEUROON_STOREFRONT_URL}{path} carries the widget, token {token[:12]}…")
        return token

    def buy(self, token: str) -> None:
        self.step("A shopper searches, clicks, orders; the payment provider confirms")
        product = Product.objects.published().filter(stockrecords__quantity__gt=1).order_by("pk")[0]
        search = requests.get(
            f"{settings.NEUROON_API_URL}/api/widget/search",
            params={"q": product.title},
            headers={"X-Widget-Token": token},
            timeout=30,
        ).json()
        self.note(f"Search {search['searchLogId']} finds {product.title[:60]!r}")
        base, path = settings.NEUROON_STOREFRONT_URL, product.get_absolute_url()
        number = self.order(product, search["searchLogId"], base, path)
        signed = {"order": number, "signature": sign(number)}
        webhook = f"{settings.NEUROON_STOREFRONT_URL}/payments/webhook/"
        requests.post(webhook, json=signed, timeout=30).raise_for_status()
        seconds = wait_for("the conversion", lambda: bool(neuroon("conversions")), 90)
        [conversion] = neuroon("conversions")
        self.note(f"Neuroon has it {seconds:.1f} s after the payment: {conversion}")
        [line] = conversion["conversions"]
        expected = {"productId": product.sku, "searchLogId": search["searchLogId"], "quantity": 2}
        self.expect({k: line[k] for k in expected} == expected, "not the shopper's conversion")

    def order(self, product: Product, search: str, base: str, path: str) -> str:
        """Through the shop's own forms at `base`, with the cookie that the widget writes.

        `path` is that of the product's page.
        """
        shopper = requests.Session()
        page = shopper.get(settings.NEUROON_STOREFRONT_URL + path, timeout=30).text
        shopper.cookies.set("neuroon_clicks", quote(f'{{"{product.sku}": "{search}"}}'))
        bought = {"quantity": 2, "buy": "1", "csrfmiddlewaretoken": csrf(page)}
        page = shopper.post(f"{base}/basket/add/{product.pk}/", data=bought, timeout=30).text
        details = {"email": "ada@example.org", "order": "1", "csrfmiddlewaretoken": csrf(page)}
        done = shopper.post(f"{base}/checkout/", data=details, timeout=30)
        number = done.url.rstrip("/").rpartition("/")[2]
        self.expect(Order.objects.filter(number=number).exists(), f"no order: {done.url}")
        self.note(f"Order {number} is placed and waits for payment")
        return number

    def compare(self) -> None:
        self.step("Compare shop, mirror and Neuroon")
        wait_for("an empty outbox", lambda: not Change.objects.exists())
        wait_for("the mirror", lambda: not SyncedProduct.objects.waiting().exists())
        published = Product.objects.published().prefetch_related("stockrecords")
        shop = {p.sku: (p.title, p.stockrecords.all()[0].price) for p in published}
        mirror = set(
            SyncedProduct.objects.filter(status="synced").values_list("external_id", flat=True)
        )
        held = {p["externalId"]: (p["name"], Decimal(str(p["price"]))) for p in neuroon("products")}
        sent = Conversion.objects.filter(status="sent").count()
        paid = Order.objects.filter(status=Order.Status.PAID).count()
        rows = [
            ("", "shop", "mirror", "Neuroon"),
            ("products", len(shop), len(mirror), len(held)),
            ("names and prices equal", "", "", sum(held.get(k) == v for k, v in shop.items())),
            ("paid orders / conversions", paid, sent, len(neuroon("conversions"))),
        ]
        for title, *figures in rows:
            self.stdout.write(f"  {title:<26}" + "".join(f"{figure:>10}" for figure in figures))
        self.expect(shop == held and mirror == shop.keys(), "shop, mirror and Neuroon differ")
        self.expect(paid == sent == len(neuroon("conversions")) == 1, "not one conversion")

    def serve(self) -> None:
        base = settings.NEUROON_STOREFRONT_URL
        create_admin()
        self.done("It is running. Leave with Ctrl-C.")
        self.note(f"the shop               {base}/")
        self.note(f"what Neuroon received  {settings.SHOP_SANDBOX_URL}")
        self.note(f"the back office        {base}/admin/   (admin / admin)")
        self.step("Try next")
        self.note("Change a product's title in the back office, and find it in the shop's search.")
        self.note("Click a result, buy it and pay: the order is a conversion a moment later.")
        self.note(
            "Let something go wrong on the sandbox's page, and read the back office under Neuroon."
        )
        with suppress(KeyboardInterrupt):
            signal.pause()

    def write_next_steps(self) -> None:
        self.step("Try next")
        self.note("manage.py demo --shops es,uk              two shops, in two languages")
        self.note("manage.py demo --serve                    the same, left running for your browser")
        self.note("python -m neuroon_django.testing.sandbox  a local Neuroon for a shop of your own")

    # Words

    def step(self, text: str) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(f"\n{text}"))

    def note(self, text: str) -> None:
        self.stdout.write(f"  {text}")

    def done(self, text: str) -> None:
        self.stdout.write(self.style.SUCCESS(f"\n{text}"))

    def expect(self, true: bool, otherwise: str) -> None:
        if not true:
            raise CommandError(f"{otherwise}; logs: {settings.STATE_DIR}")


def start_again(shops: dict[str, Any]) -> NoReturn:
    """The same command in this same process, with the demo's own environment."""
    web, api = free_port(), free_port()
    own = {
        STARTED: "1",
        "EXAMPLE_STATE_DIR": tempfile.mkdtemp(prefix="neuroon-demo-"),
        "NEUROON_API_URL": f"http://127.0.0.1:{api}",
        "NEUROON_STOREFRONT_URL": f"http://127.0.0.1:{web}",
        "NEUROON_SHOPS": json.dumps(shops),
    }
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **own})


def interrupt(*args: object) -> NoReturn:
    raise KeyboardInterrupt


def sync_requests() -> list[dict[str, Any]]:
    return [r for r in neuroon("requests?limit=100000") if r["endpoint"] == "sync"]


def reachable(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def csrf(html: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', html)
    return found[1] if found else ""


def count(model: type[Product]) -> int:
    return model._default_manager.count()


def create_admin() -> None:
    from django.contrib.auth import get_user_model

    users = get_user_model()._default_manager
    if not users.filter(username="admin").exists():
        users.create_superuser("admin", "admin@example.org", "admin")
