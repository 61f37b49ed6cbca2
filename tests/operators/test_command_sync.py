"""`neuroon_sync` by its whole output, against a sandbox over real sockets."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from neuroon_django.delivery import fold_all
from neuroon_django.delivery import run as run_module
from neuroon_django.feeds import registry
from neuroon_django.management import sending
from neuroon_django.models import Change, Lane, ShopState, SyncedProduct
from tests.factories import current_shop, make_order, make_product
from tests.shop.models import Order, Product, StockRecord
from tests.shop.neuroon import CheckoutFeed

pytestmark = pytest.mark.django_db(transaction=True)


def neuroon_sync(*options: str) -> str:
    out = io.StringIO()
    call_command("neuroon_sync", *options, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def summary(**counts: int) -> str:
    n = {name: f"{counts.get(name, 0):,}" for name in ("sent", "unchanged", "rejected", "deleted")}
    created, updated, failed = (counts.get(k, 0) for k in ("created", "updated", "failed"))
    requests, orders = counts.get("requests", 0), counts.get("orders", 0)
    width = max(len(v) for v in [*n.values(), f"{requests:,}", f"{orders:,}"])
    told = f"Neuroon: {created:,} created, {updated:,} updated, {failed:,} failed"
    return (
        f"Products sent     {n['sent']:>{width}}  {told}\n"
        f"unchanged         {n['unchanged']:>{width}}\n"
        f"rejected          {n['rejected']:>{width}}\n"
        f"deleted           {n['deleted']:>{width}}\n"
        f"Requests          {requests:>{width}}\n"
        f"Conversions sent  {orders:>{width}}\n"
        f"rejected          {counts.get('refused', 0):>{width}}\n"
    )


def test_the_first_run_sends_the_catalogue_and_the_second_nothing(neuroon):
    for n in range(120):
        make_product(f"P-{n}")
    # The first product goes alone, to find the route.
    assert neuroon_sync() == summary(sent=120, created=120, requests=3)
    assert len(neuroon.products) == 120
    neuroon.clear()
    assert neuroon_sync() == summary()
    assert neuroon.requests == []


def test_the_first_run_finds_what_no_signal_told(neuroon):
    Product.objects.bulk_create([Product(sku=f"P-{n}", title="x") for n in range(3)])
    StockRecord.objects.bulk_create(
        [StockRecord(product=product, price=1) for product in Product.objects.all()]
    )
    assert neuroon_sync() == summary(sent=3, created=3, requests=2)


def test_scan_finds_an_update(neuroon):
    make_product("A")
    neuroon_sync()
    Product.objects.update(title="New")
    assert neuroon_sync() == summary()
    assert neuroon_sync("--scan") == summary(sent=1, updated=1, requests=1)
    assert neuroon.products["A"]["name"] == "New"


def test_full_sends_everything_again_even_where_a_scan_was_half_way(neuroon):
    for n in range(3):
        make_product(f"P-{n}")
    neuroon_sync()
    last = Product.objects.latest("pk").pk
    ShopState.objects.update(scan_cursor=f'["shop.product", "{last}", "shop"]')
    assert neuroon_sync("--full") == summary(sent=3, updated=3, requests=1)


def test_a_rejected_product_is_told_and_fails_the_run_once(neuroon):
    make_product("A")
    make_product("B", price=None)
    with pytest.raises(CommandError) as failed:
        neuroon_sync()
    assert failed.value.returncode == 1
    assert str(failed.value) == "B: no price"
    assert neuroon_sync() == summary()


def test_retry_tries_rejected_products_again(neuroon):
    make_product("A")
    make_product("B")
    neuroon.reject = {"B": "bad word"}
    with pytest.raises(CommandError, match=r"^B: bad word$"):
        neuroon_sync()
    neuroon.reject = None
    assert neuroon_sync() == summary()
    assert neuroon_sync("--retry") == summary(sent=1, created=1, requests=1)


def test_law_07_what_neuroon_refused_and_never_had_is_not_deleted_there(neuroon):
    make_product("A")
    product = make_product("B")
    neuroon.reject = {"B": "bad word"}
    with pytest.raises(CommandError):
        neuroon_sync()
    product.delete()
    neuroon.clear()
    assert neuroon_sync() == summary()
    assert neuroon.requests == []
    assert [row.external_id for row in SyncedProduct.objects.all()] == ["A"]


def test_it_sends_conversions_too(neuroon):
    product = make_product("A")
    make_order("1001", product)
    assert neuroon_sync() == summary(sent=1, created=1, requests=1, orders=1)
    assert list(neuroon.conversions) == ["1001"]


def failing(*options: str) -> tuple[str, list[str]]:
    out = io.StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("neuroon_sync", *options, stdout=out, stderr=io.StringIO())
    assert failed.value.returncode == 1
    return out.getvalue(), str(failed.value).splitlines()


class Broken(CheckoutFeed):
    def lines(self, order: Order) -> Any:
        return [line.missing for line in order.lines.all()]


BROKEN = "lines: AttributeError: 'OrderLine' object has no attribute 'missing'"


def test_a_rejected_order_is_told_and_fails_the_run_once(neuroon, monkeypatch):
    make_order("1000", make_product("A"), total="-1")
    assert failing() == (
        summary(sent=1, created=1, requests=1, refused=1),
        ["Order 1000: order value: -1.00 is negative"],
    )
    assert neuroon_sync() == summary()  # told already
    monkeypatch.setitem(registry.feeds, "shop.order", Broken(Order))
    make_order("1001", Product.objects.get())
    assert failing() == (summary(refused=1), [f"Order 1001: {BROKEN}"])
    assert neuroon_sync() == summary()
    Order.objects.get(number="1001").save()
    assert failing() == (summary(refused=1), [f"Order 1001: {BROKEN}"])


def test_many_rejected_orders_are_counted(neuroon, monkeypatch):
    monkeypatch.setattr(sending, "SHOWN", 2)
    monkeypatch.setitem(registry.feeds, "shop.order", Broken(Order))
    product = make_product("A")
    for n in range(5):
        make_order(str(n), product)
    told, lines = failing()
    assert told == summary(sent=1, created=1, requests=1, refused=5)
    assert lines == [f"Order 4: {BROKEN}", f"Order 3: {BROKEN}", "… and 3 more orders rejected"]


def test_retry_tries_rejected_orders_again(neuroon):
    make_order("1001", make_product("A"))
    neuroon.fault("status", endpoint="conversion", status=422)
    assert failing()[1] == ["Order 1001: Sandbox fault 422"]
    assert neuroon_sync() == summary()
    assert neuroon_sync("--retry") == summary(orders=1)
    assert neuroon_sync("--retry") == summary()


@pytest.mark.parametrize(
    ("status", "todo"),
    [
        (401, "Correct NEUROON_API_KEY, then run neuroon_verify."),
        (403, "Run neuroon_verify: it says what to correct."),
    ],
)
def test_a_pause_that_needs_a_person_says_so(neuroon, status, todo):
    make_product("A")
    with neuroon.faulty("status", status=status):
        told = failing()[1]
    assert told == [
        f"POST /api/plugin/shops/shop_sandbox/products/sync: {status} Sandbox fault {status}",
        todo,
        "1 are still to be sent; run neuroon_sync again.",
    ]


def test_a_dead_neuroon_is_one_clear_line_and_nothing_is_lost(neuroon):
    make_product("A")
    with neuroon.faulty("status", status=503), pytest.raises(CommandError) as failed:
        neuroon_sync()
    assert failed.value.returncode == 1
    assert str(failed.value) == (
        "POST /api/plugin/shops/shop_sandbox/products/sync: 503 Sandbox fault 503\n"
        "1 are still to be sent; run neuroon_sync again."
    )
    assert neuroon_sync() == summary(sent=1, created=1, requests=1)  # no pause holds it back


def test_rows_of_another_worker_are_told(neuroon):
    make_product("A")
    neuroon_sync()
    make_product("B")
    shop = current_shop()
    fold_all(shop)
    assert len(SyncedProduct.objects.claim(shop, Lane.LIVE, 10, seconds=60)) == 1
    with pytest.raises(CommandError, match="Another worker has some of them, at most until"):
        neuroon_sync()


def test_dry_run_prints_payloads_and_sends_nothing(neuroon):
    a, _b = make_product("A"), make_product("B", price=None)
    neuroon.clear()
    expected = (
        'send A {"externalId":"A","name":"Product A","price":10.00,"currency":"EUR",'
        f'"url":"https://mystore.com/p/{a.pk}/"}}\n'
        "keep back B no price\n"
        "Nothing was sent. To send: 1, to delete: 0, kept back: 1.\n"
    )
    assert neuroon_sync("--dry-run") == expected
    assert neuroon_sync("--dry-run") == expected
    assert neuroon.requests == []
    with pytest.raises(CommandError):
        neuroon_sync()  # B is kept back
    assert neuroon_sync("--dry-run").endswith("To send: 0, to delete: 0, kept back: 0.\n")
    assert neuroon_sync("--dry-run", "--full") == expected
    a.delete()
    told = "delete A\nNothing was sent. To send: 0, to delete: 1, kept back: 0.\n"
    assert neuroon_sync("--dry-run") == told
    assert neuroon_sync("--dry-run", "--retry").splitlines()[0] == "keep back B no price"
    assert "A" in neuroon.products


def test_dry_run_with_scan_tells_what_no_signal_told(neuroon):
    make_product("A"), make_product("B")
    neuroon_sync()
    Product.objects.filter(sku="A").update(is_published=False)
    Product.objects.filter(sku="B").delete()
    Change.objects.all().delete()
    told = "delete A\ndelete B\nNothing was sent. To send: 0, to delete: 2, kept back: 0.\n"
    assert neuroon_sync("--dry-run", "--scan") == told


def test_dry_run_prints_what_orders_would_report(neuroon):
    product = make_product("A")
    neuroon_sync()
    neuroon.clear()
    make_order("1001", product)
    make_order("1002", product, total="-1")
    Order.objects.create(number="1003", status="paid")  # nothing was clicked
    nothing = "Nothing was sent. To send: 0, to delete: 0, kept back: 0.\n"
    report = (
        '{"orderId":"1001","orderValue":20.00,"currency":"EUR","conversions":[{"productId":"A",'
        '"searchLogId":"search-1","quantity":1,"lineTotal":20.00}]}'
    )
    kept = "keep back Order 1002: order value: -1.00 is negative\n"
    told = f"send Order 1001: {report}\n{kept}"
    told += "Nothing was sent. To send: 1, to delete: 0, kept back: 1.\n"
    assert neuroon_sync("--dry-run") == told
    assert neuroon_sync("--dry-run") == told
    assert neuroon.requests == []
    with pytest.raises(CommandError):
        neuroon_sync()  # 1002 is kept back
    assert json.loads(neuroon.requests[-1].body) == json.loads(report)
    assert neuroon_sync("--dry-run") == nothing
    assert neuroon_sync("--dry-run", "--retry").startswith(kept)


def test_dry_run_with_scan_tells_what_was_paid_without_a_signal(neuroon):
    order = make_order("1001", make_product("A"))
    Order.objects.update(status="new")
    neuroon_sync()
    Order.objects.update(status="paid")
    assert "To send: 0" in neuroon_sync("--dry-run")
    assert neuroon_sync("--dry-run", "--scan").startswith(f"send Order {order.number}: ")


@pytest.mark.parametrize("command", ["neuroon_sync", "neuroon_reconcile"])
def test_without_a_feed_it_refuses(neuroon, monkeypatch, command):
    monkeypatch.setattr(registry, "feeds", {})
    with pytest.raises(CommandError, match="No product feed is registered") as caught:
        call_command(command)
    assert caught.value.returncode == 2
    assert "neuroon.py with a ProductFeed" in str(caught.value)
    assert neuroon.requests == []


def test_remove_all_empties_neuroon(neuroon, monkeypatch):
    make_product("A"), make_product("B")
    neuroon_sync()
    neuroon.products["stray"] = dict(neuroon.products["A"], externalId="stray")
    make_product("C")  # not sent yet
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda text: asked.append(text) or "y")
    out = neuroon_sync("--remove-all")
    assert asked == [f"Remove every product of shop shop_sandbox from Neuroon at {neuroon.url}? [y/N] "]
    assert out == (
        "The next scan and every save send products again: to stay empty, set NEUROON_ENABLED = False\n"
        + summary(deleted=3, requests=3)
    )
    assert neuroon.products == {}
    assert {r.status for r in SyncedProduct.objects.all()} == {"unlisted"}
    neuroon.clear()
    assert neuroon_sync() == summary()
    assert neuroon_sync("--full") == summary(sent=3, created=3, requests=1)


def test_remove_all_does_nothing_without_a_yes(neuroon, monkeypatch):
    make_product("A")
    neuroon_sync()
    monkeypatch.setattr("builtins.input", lambda text: "")
    with pytest.raises(CommandError, match=r"^Nothing was done\.$") as refused:
        neuroon_sync("--remove-all")
    assert refused.value.returncode == 2
    assert list(neuroon.products) == ["A"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"NEUROON_API_KEY": ""}, "NEUROON_API_KEY is not set."),
        ({"NEUROON_SHOP_ID": ""}, "NEUROON_SHOP_ID is not set."),
        ({"NEUROON_ENABLED": False}, "NEUROON_ENABLED is False."),
    ],
)
def test_it_cannot_run_without(neuroon, settings, changes, reason):
    for name, value in changes.items():
        setattr(settings, name, value)
    with pytest.raises(CommandError) as refused:
        neuroon_sync()
    assert (str(refused.value), refused.value.returncode) == (reason, 2)
    assert neuroon.requests == []


def test_a_wrong_setting_is_named(neuroon, settings):
    settings.NEUROON_BATCH_SIZE = "many"
    with pytest.raises(CommandError, match=r"NEUROON_BATCH_SIZE is 'many'") as refused:
        neuroon_sync()
    assert refused.value.returncode == 2


def test_ctrl_c_loses_nothing_and_the_next_run_goes_on_at_once(neuroon, monkeypatch):
    for n in range(3):
        make_product(f"P-{n}")
    neuroon_sync()
    for product in Product.objects.all():
        product.title = "New"
        product.save()

    def interrupted(*args: object, **kwargs: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_module.ShopState, "await_turn", interrupted)
        with pytest.raises(CommandError) as stopped:
            neuroon_sync()
    assert str(stopped.value) == (
        "Interrupted. Nothing is lost: run neuroon_sync again, without options, to go on."
    )
    assert stopped.value.returncode == 1
    assert neuroon_sync() == summary(sent=3, updated=3, requests=1)


def test_ctrl_c_before_anything_is_sent_says_to_run_the_same_again(neuroon, monkeypatch):
    def interrupted(*args: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    with pytest.raises(CommandError) as stopped:
        neuroon_sync("--remove-all")
    assert str(stopped.value) == "Interrupted. Nothing is lost: run the same command again to go on."


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(neuroon):
    for n in range(3):
        make_product(f"P-{n}")
    out, err = io.StringIO(), Terminal()
    call_command("neuroon_sync", stdout=out, stderr=err)
    assert out.getvalue() == summary(sent=3, created=3, requests=2)
    assert "100%" in err.getvalue()
    assert "3/3" in err.getvalue()


def test_plain_lines_elsewhere(neuroon, monkeypatch):
    monkeypatch.setattr("neuroon_django.management.progress.EVERY", 0)
    make_product("A")
    *lines, _rest = neuroon_sync().partition("Products sent")
    assert lines[0].splitlines()[-1].startswith("1 of 1 products, ")
