"""What a run leaves behind and why, and what it would do, by the output of `neuroon_sync`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from django.core.management import CommandError

from neuroon_django.api import Client
from neuroon_django.delivery import fold_all
from neuroon_django.feeds import registry
from neuroon_django.feeds.registry import Registration
from neuroon_django.models import Change, Lane, SyncedProduct
from neuroon_django.operations import syncing
from neuroon_django.operations.syncing import Sync
from tests.factories import current_shop, make_order, make_product
from tests.operators import commands
from tests.operators.commands import neuroon_sync, summary
from tests.shop.models import Order, Product
from tests.shop.neuroon import CheckoutFeed

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_rejected_product_is_told_and_fails_each_run_until_it_is_gone(neuroon):
    make_product("A")
    make_product("B", price=None)
    with pytest.raises(CommandError) as failed:
        neuroon_sync()
    assert failed.value.returncode == 1
    assert str(failed.value) == (
        "1 product was rejected (no price). Fix it, then run: manage.py neuroon_sync --retry\n"
        "B: no price"
    )
    assert failing() == (
        summary(),
        ["1 product was rejected earlier: no price. Fix it, then run: manage.py neuroon_sync --retry"],
    )


def test_retry_tries_rejected_products_again(neuroon):
    make_product("A")
    make_product("B")
    neuroon.reject = {"B": "bad word"}
    with pytest.raises(CommandError, match=r"\nB: bad word$"):
        neuroon_sync()
    neuroon.reject = None
    assert failing()[0] == summary()
    assert neuroon_sync("--retry") == summary(sent=1, created=1, requests=1)


def failing(*options: str) -> tuple[str, list[str]]:
    out, error = commands.failing("neuroon_sync", *options)
    assert error.returncode == 1
    return out, str(error).splitlines()


class Broken(CheckoutFeed):
    def lines(self, order: Order) -> Any:
        return [line.missing for line in order.lines.all()]


BROKEN = "lines: AttributeError: 'OrderLine' object has no attribute 'missing'"
REJECTED = f"1 order was rejected ({BROKEN}). Fix it, then run: manage.py neuroon_sync --retry"


def test_a_rejected_order_is_told_and_fails_each_run_until_it_is_gone(neuroon, monkeypatch):
    make_order("1000", make_product("A"), total="-1")
    assert failing() == (
        summary(sent=1, created=1, requests=1, refused=1),
        [
            "1 order was rejected (order value: -1.00 is negative). Fix it, then run: "
            "manage.py neuroon_sync --retry",
            "Order 1000: order value: -1.00 is negative",
        ],
    )
    Order.objects.get().delete()
    assert neuroon_sync() == summary()
    monkeypatch.setitem(registry.feeds, "shop.order", Registration(Order, Broken))
    Order.objects.all().delete()
    make_order("1001", Product.objects.get())
    assert failing() == (summary(refused=1), [REJECTED, f"Order 1001: {BROKEN}"])
    earlier = REJECTED.replace(f"({BROKEN})", f"earlier: {BROKEN}")
    assert failing() == (summary(), [earlier])
    Order.objects.get(number="1001").save()
    assert failing() == (summary(refused=1), [REJECTED, f"Order 1001: {BROKEN}"])


def test_many_rejected_orders_are_counted(neuroon, monkeypatch):
    monkeypatch.setattr(syncing, "SHOWN", 2)
    monkeypatch.setitem(registry.feeds, "shop.order", Registration(Order, Broken))
    product = make_product("A")
    for n in range(5):
        make_order(str(n), product)
    out, lines = failing()
    assert out == summary(sent=1, created=1, requests=1, refused=5)
    assert lines == [
        f"5 orders were rejected ({BROKEN}). Fix them, then run: manage.py neuroon_sync --retry",
        f"Order 4: {BROKEN}",
        f"Order 3: {BROKEN}",
        "… and 3 more",
    ]


def test_many_rejected_products_are_counted_by_reason(neuroon, monkeypatch):
    monkeypatch.setattr(syncing, "SHOWN", 2)
    for n in range(4):
        make_product(f"P-{n}", price=None)
    make_product("P-4", price="-1")
    assert failing()[1] == [
        "5 products were rejected (4 × no price, 1 × price: -1.00 is negative). Fix them, then run: "
        "manage.py neuroon_sync --retry",
        "P-4: price: -1.00 is negative",
        "P-3: no price",
        "… and 3 more",
    ]


def test_retry_tries_rejected_orders_again(neuroon):
    make_order("1001", make_product("A"))
    neuroon.fault("status", endpoint="conversion", status=422)
    assert failing()[1][1:] == ["Order 1001: Sandbox fault 422"]
    assert failing()[0] == summary()
    assert neuroon_sync("--retry") == summary(orders=1)
    assert neuroon_sync("--retry") == summary()


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        (401, "Correct NEUROON_API_KEY, then run: manage.py neuroon_verify"),
        (403, "To see what to correct, run: manage.py neuroon_verify"),
    ],
)
def test_a_pause_that_needs_a_person_says_so(neuroon, status, cure):
    make_product("A")
    with neuroon.faulty("status", status=status):
        lines = failing()[1]
    assert lines == [
        f"POST /api/plugin/shops/shop_sandbox/products/sync: {status} Sandbox fault {status}",
        cure,
        "1 product is still queued. Run neuroon_sync again.",
    ]


def test_a_dead_neuroon_is_one_clear_line_and_nothing_is_lost(neuroon, waits_end_at_once):
    make_product("A")
    with neuroon.faulty("status", status=503), pytest.raises(CommandError) as failed:
        neuroon_sync()
    assert failed.value.returncode == 1
    assert str(failed.value) == (
        "POST /api/plugin/shops/shop_sandbox/products/sync: 503 Sandbox fault 503\n"
        "1 product is still queued. Run neuroon_sync again."
    )
    assert neuroon_sync() == summary(sent=1, created=1, requests=1)  # no pause holds it back


def test_rows_of_another_worker_are_told(neuroon):
    make_product("A")
    neuroon_sync()
    make_product("B")
    shop = current_shop()
    fold_all(shop)
    assert len(SyncedProduct.objects.claim(shop, Lane.LIVE, 10, seconds=60)) == 1
    with pytest.raises(CommandError, match="Another worker is sending some of them, until "):
        neuroon_sync()


def test_dry_run_prints_payloads_and_sends_nothing(neuroon):
    a, _b = make_product("A"), make_product("B", price=None)
    neuroon.clear()
    expected = (
        'send A {"externalId":"A","name":"Product A","price":10.00,"currency":"EUR",'
        f'"url":"https://mystore.com/p/{a.pk}/"}}\n'
        "reject B no price\n"
        "Nothing was sent: 1 to send, 0 to delete, 1 to reject.\n"
    )
    assert neuroon_sync("--dry-run") == expected
    assert neuroon_sync("--dry-run") == expected
    assert neuroon.requests == []
    with pytest.raises(CommandError):
        neuroon_sync()  # B is rejected
    assert neuroon_sync("--dry-run").endswith("0 to send, 0 to delete, 0 to reject.\n")
    assert neuroon_sync("--dry-run", "--full") == expected
    a.delete()
    output = "delete A\nNothing was sent: 0 to send, 1 to delete, 0 to reject.\n"
    assert neuroon_sync("--dry-run") == output
    assert neuroon_sync("--dry-run", "--retry").splitlines()[0] == "reject B no price"
    assert "A" in neuroon.products


def test_dry_run_with_scan_tells_what_no_signal_told(neuroon):
    for sku in "ABC":
        make_product(sku)
    neuroon_sync()
    Product.objects.filter(sku="A").update(is_published=False)
    Product.objects.filter(sku="B").delete()
    Change.objects.all().delete()
    output = "delete A\ndelete B\nNothing was sent: 0 to send, 2 to delete, 0 to reject.\n"
    assert neuroon_sync("--dry-run", "--scan") == output


@pytest.mark.parametrize("gone", [1, 20, 21, 30])
@pytest.mark.parametrize("how", ["deleted", "unlisted", "queued"])
def test_law_07_a_dry_run_and_the_scan_keep_the_same(neuroon, how, gone):
    for n in range(30):
        make_product(f"{n:02}")
    neuroon_sync()
    leaving = Product.objects.filter(sku__in=[f"{n:02}" for n in range(gone)])
    if how == "unlisted":
        leaving.update(is_published=False)
    else:
        leaving.delete()
    if how != "queued":
        Change.objects.all().delete()
    planned = neuroon_sync("--dry-run", "--scan").splitlines()
    forced = neuroon_sync("--dry-run", "--scan", "--force").splitlines()
    with suppress(CommandError):
        neuroon_sync("--scan")
    went = 30 - len(neuroon.products)
    kept = current_shop().scan_warning
    assert [line for line in planned if line.startswith("delete")] == [
        f"delete {n:02}" for n in range(went)
    ]
    assert planned[:1] == [f"keep shop.product: {kept}"] if kept else bool(went)
    assert len(forced) == gone + 1
    assert bool(kept) == (how != "queued" and gone > 20)


def test_dry_run_prints_what_orders_would_report(neuroon):
    product = make_product("A")
    neuroon_sync()
    neuroon.clear()
    make_order("1001", product)
    make_order("1002", product, total="-1")
    Order.objects.create(number="1003", status="paid")  # nothing was clicked
    nothing = "Nothing was sent: 0 to send, 0 to delete, 0 to reject.\n"
    report = (
        '{"orderId":"1001","orderValue":20.00,"currency":"EUR","conversions":[{"productId":"A",'
        '"searchLogId":"search-1","quantity":1,"lineTotal":20.00}]}'
    )
    kept = "reject Order 1002: order value: -1.00 is negative\n"
    output = f"send Order 1001: {report}\n{kept}"
    output += "Nothing was sent: 1 to send, 0 to delete, 1 to reject.\n"
    assert neuroon_sync("--dry-run") == output
    assert neuroon_sync("--dry-run") == output
    assert neuroon.requests == []
    with pytest.raises(CommandError):
        neuroon_sync()  # 1002 is rejected
    assert json.loads(neuroon.requests[-1].body) == json.loads(report)
    assert neuroon_sync("--dry-run") == nothing
    assert neuroon_sync("--dry-run", "--retry").startswith(kept)


def test_dry_run_with_scan_tells_what_was_paid_without_a_signal(neuroon):
    order = make_order("1001", make_product("A"))
    Order.objects.update(status="new")
    neuroon_sync()
    Order.objects.update(status="paid")
    assert "0 to send" in neuroon_sync("--dry-run")
    assert neuroon_sync("--dry-run", "--scan").startswith(f"send Order {order.number}: ")


def test_it_says_that_it_waits_for_another_run(neuroon):
    make_product("A")
    shop = current_shop()
    lease = shop.endpoint("products").row
    assert lease.begin_run("another", 600)
    waits: list[str] = []

    def wait(text: str) -> None:
        waits.append(text)
        lease.release_run("another")

    with Client(**shop.config.client_options()) as client:
        Sync(shop, client).run(lambda done: None, wait)
    assert waits == ["waiting for another run, which is at work"]
    assert list(neuroon.products) == ["A"]


def test_what_it_counts_is_products_deletes_and_orders(neuroon):
    gone = make_product("GONE")
    neuroon_sync()
    gone.delete()
    make_order("1001", make_product("A"))
    make_product("B", price=None)
    shop = current_shop()
    counted: list[int] = []
    with Client(**shop.config.client_options()) as client:
        sync = Sync(shop, client)
        assert sync.expected() == 4
        sync.run(counted.append)
    assert counted[-1] == 4
