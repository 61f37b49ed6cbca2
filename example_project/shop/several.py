"""`manage.py demo --shops es,uk`: one catalogue, two shops at Neuroon, each in its own language.

Both are on one host, `/es/…` and `/en-gb/…`, and the language of a page says whose it is. What differs
from the plain demo is here: everything is looked at once for each shop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction
from django.utils.translation import override

from neuroon_django.models import Change, Conversion, SyncedProduct
from neuroon_django.testing.sandbox.neuroon import derived_key
from shop.markets import CENT, currency, in_currency
from shop.models import Order, Product, StockRecord
from shop.payments import sign
from shop.processes import neuroon, wait_for

if TYPE_CHECKING:
    from shop.management.commands.demo import Command

MARKETS = {"es": ("es", "EUR"), "uk": ("en-gb", "GBP")}
SPANISH = {
    "BAK-0137": "Cesta de fermentación redonda, 1 kg",
    "BAK-0144": "Molde de pan con tapa",
    "BAK-0147": "Piedra de hornear, 38 × 30 cm",
}
Held = dict[str, tuple[str, Decimal, str]]  # name, price and currency by SKU


def shops_of(text: str) -> dict[str, Any]:
    """`NEUROON_SHOPS` for aliases such as "es,uk"; `CommandError` for others than there are."""
    aliases = text.split(",")
    if not set(aliases) <= MARKETS.keys() or len(set(aliases)) < 2:
        raise CommandError(f"--shops takes some of {','.join(MARKETS)}, two at least", returncode=2)
    return {
        alias: {
            "SHOP_ID": f"shop_{alias}",
            "API_KEY": derived_key(f"shop_{alias}"),
            "LANGUAGE": MARKETS[alias][0],
            "CURRENCY": MARKETS[alias][1],
        }
        for alias in aliases
    }


class SeveralShops:
    """The walk of the demo with several shops; `demo` has its steps and its words."""

    def __init__(self, demo: Command) -> None:
        self.demo = demo
        self.languages = {alias: own["LANGUAGE"] for alias, own in settings.NEUROON_SHOPS.items()}

    def walk(self, stack: ExitStack, catalogue: Path) -> None:
        demo = self.demo
        demo.prepare(catalogue)
        self.translate()
        demo.start_neuroon(stack)
        demo.step("Verify each shop's domain")
        call_command("neuroon_verify", stdout=demo.stdout)
        demo.step("Send the catalogue to each shop")
        call_command("neuroon_sync", stdout=demo.stdout, stderr=demo.stderr)
        self.show(self.product())
        demo.start_worker(stack)
        self.edit()
        demo.start_web(stack)
        for alias, token in self.pages().items():
            self.buy(alias, token)
        self.compare()
        demo.done("Each shop has its own language, currency and order, and agrees with Neuroon.")

    def translate(self) -> None:
        """Give some products their Spanish titles; the others have one title everywhere."""
        for sku, title in SPANISH.items():
            Product.objects.filter(sku=sku).update(title_es=title)
        self.demo.note(f"{len(SPANISH)} products have a Spanish title, prices are in EUR and GBP")

    def product(self) -> Product:
        """The product that is shown, changed and bought; any, where the catalogue is another."""
        products = Product.objects.published().filter(stockrecords__quantity__gt=1)
        found = products.filter(sku__in=SPANISH).first() or products.first()
        if found is None:
            raise CommandError("no product of the catalogue can be bought")
        return found

    def show(self, product: Product) -> None:
        for alias in self.languages:
            name, price, code = self.held(alias)[product.sku]
            self.demo.note(f"{alias}: {product.sku} is {name!r} for {price} {code}")

    def edit(self) -> None:
        """One save of a price, which both shops get, each in its currency."""
        demo, product = self.demo, self.product()
        demo.step("Change a product once")
        record = StockRecord.objects.filter(product=product)[0]
        record.price += 1
        with transaction.atomic():  # no worker sees it before it is counted
            record.save()
            changes = Change.objects.count()
        seconds = wait_for("the worker's delivery", self.agrees)
        demo.note(f"1 save wrote {changes} change row, at both shops {seconds:.1f} s later")
        self.show(product)

    def pages(self) -> dict[str, str]:
        """The token in a page of each shop."""
        tokens = {alias: self.demo.page(f"/{code}/") for alias, code in self.languages.items()}
        self.demo.expect(len(set(tokens.values())) == len(tokens), "one token for two shops")
        return tokens

    def buy(self, alias: str, token: str) -> None:
        """A click and a paid order in the shop's own pages."""
        demo, product = self.demo, self.product()
        demo.step(f"A shopper of {alias} searches, clicks, orders and pays")
        with override(self.languages[alias]):
            title, path = product.local_title, product.get_absolute_url()
        api = f"{settings.NEUROON_API_URL}/api/widget/search?q={quote(title)}"
        search = requests.get(api, headers={"X-Widget-Token": token}, timeout=30).json()
        demo.note(f"Search {search['searchLogId']} finds {title!r}")
        base = f"{settings.NEUROON_STOREFRONT_URL}/{self.languages[alias]}"
        number = demo.order(product, search["searchLogId"], base, path)
        signed = {"order": number, "signature": sign(number)}
        requests.post(f"{base}/payments/webhook/", json=signed, timeout=30).raise_for_status()
        wait_for("the conversion", lambda: number in self.orders(alias), 90)
        demo.note(f"Neuroon has it at {alias}: {self.orders(alias)[number]}")

    def compare(self) -> None:
        demo = self.demo
        demo.step("Compare each shop with Neuroon")
        wait_for("the queue", lambda: not SyncedProduct.objects.waiting().exists())
        demo.expect(self.agrees(), "a shop and Neuroon differ")
        for alias in self.languages:
            orders = self.orders(alias)
            demo.note(f"{alias}: {len(self.held(alias))} products, {len(orders)} order(s)")
            code = settings.NEUROON_SHOPS[alias]["CURRENCY"]
            demo.expect([o["currency"] for o in orders.values()] == [code], "not one order in each")
        sent = Conversion.objects.filter(status="sent").count()
        demo.expect(Order.objects.count() == sent == len(self.languages), "an order is missing")

    # What is where

    def agrees(self) -> bool:
        if Change.objects.exists() or SyncedProduct.objects.waiting().exists():
            return False
        return all(self.held(alias) == dict(self.expected(alias)) for alias in self.languages)

    def expected(self, alias: str) -> Iterator[tuple[str, tuple[str, Decimal, str]]]:
        """What the shop's own tables say that Neuroon must hold."""
        with override(self.languages[alias]):
            code = currency()
            for product in Product.objects.published().prefetch_related("stockrecords"):
                price = in_currency(product.stockrecords.all()[0].price, code)
                yield product.sku, (product.local_title, price, code)

    def held(self, alias: str) -> Held:
        return {
            p["externalId"]: (
                p["name"],
                Decimal(str(p["price"])).quantize(CENT),
                p["currency"],
            )
            for p in neuroon("products", alias)
        }

    def orders(self, alias: str) -> dict[str, Any]:
        return {one["orderId"]: one for one in neuroon("conversions", alias)}
