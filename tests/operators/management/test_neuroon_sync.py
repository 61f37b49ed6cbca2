"""`neuroon_sync` by its whole output, against a sandbox over real sockets."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from neuroon_django.delivery.pacing import Pacing
from neuroon_django.feeds import registry
from neuroon_django.models import ShopState, SyncedProduct
from tests.factories import make_order, make_product
from tests.operators.commands import failing, neuroon_sync, summary
from tests.shop.models import Product, StockRecord

pytestmark = pytest.mark.django_db(transaction=True)


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
        "The next scan and every save send products again. To keep Neuroon empty, set "
        "NEUROON_ENABLED = False\n" + summary(deleted=3, requests=3)
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
        ({"NEUROON_API_KEY": ""}, "NEUROON_API_KEY is not set. Set it from Neuroon's dashboard."),
        ({"NEUROON_SHOP_ID": ""}, "NEUROON_SHOP_ID is not set. Set it from Neuroon's dashboard."),
        ({"NEUROON_ENABLED": False}, "NEUROON_ENABLED is False. Set NEUROON_ENABLED = True."),
    ],
)
def test_it_cannot_run_without(neuroon, settings, changes, reason):
    for name, value in changes.items():
        setattr(settings, name, value)
    with pytest.raises(CommandError) as refused:
        neuroon_sync()
    assert (str(refused.value), refused.value.returncode) == (f"Nothing is sent: {reason}", 2)
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
        patch.setattr(Pacing, "wait_for_slot", interrupted)
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


def test_limit_prints_the_first_of_a_plan(neuroon):
    for n in range(5):
        make_product(f"P-{n}")
    *lines, last = neuroon_sync("--dry-run", "--limit", "2").splitlines()
    assert [line.split()[:2] for line in lines] == [["send", "P-0"], ["send", "P-1"]]
    assert last == "Nothing was sent: 2 to send, 0 to delete, 0 to reject. Only the first 2 are shown."
    assert neuroon.requests == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--limit", "2"], "--limit is for --dry-run."),
        (["--product", "A", "--full"], "--product goes alone, or with --dry-run."),
        (["--product", "A", "--watch"], "--product goes alone, or with --dry-run."),
        (["--watch", "--scan"], "--watch scans and sends by itself: run --scan, --full or --retry"),
    ],
)
def test_options_that_do_not_go_together_are_refused(neuroon, options, told):
    out, error = failing("neuroon_sync", *options)
    assert (out, error.returncode) == ("", 2)
    assert str(error).startswith(told)


def test_one_product_end_to_end(neuroon):
    product = make_product("A")
    make_product("B")
    assert neuroon_sync("--product", "A", "--dry-run").startswith("send A {")
    out = neuroon_sync("--product", "A").splitlines()
    [request] = neuroon.sync_requests
    assert out[0] == f"POST {request.path}"
    assert json.loads("\n".join(out[1:-2])) == request.json
    assert out[-2].startswith("← 200 {")
    assert out[-1] == "A is synced"
    assert list(neuroon.products) == ["A"]
    assert neuroon_sync("--product", str(product.pk)).splitlines()[-1] == "A is synced"
    assert len(neuroon.sync_requests) == 2  # sent, though Neuroon has just that


def test_one_product_that_no_signal_told_of(neuroon):
    Product.objects.bulk_create([Product(sku="A", title="x")])
    StockRecord.objects.bulk_create([StockRecord(product=Product.objects.get(), price=1)])
    assert neuroon_sync("--product", "A").splitlines()[-1] == "A is synced"


def test_one_product_that_is_refused_or_unknown(neuroon):
    make_product("A")
    make_product("B", price=None)
    neuroon.reject = {"A": "bad word"}
    out, error = failing("neuroon_sync", "--product", "A", "--product", "B", "--product", "C")
    assert (str(error), error.returncode) == ("Not synced: A, B, C.", 1)
    assert out.splitlines()[-3:] == [
        "A is rejected: bad word",
        "B is rejected: no price",
        "C: the shop has no product of this external id or primary key.",
    ]


def test_one_product_that_the_shop_has_no_more_is_taken_out(neuroon):
    product = make_product("A")
    neuroon_sync()
    product.delete()
    out = neuroon_sync("--product", "A").splitlines()
    assert out[-1] == "A is deleted at Neuroon"
    assert neuroon.products == {}


def test_it_replaces_the_widget_token_where_cron_is_all_that_runs(neuroon):
    make_product("A")
    neuroon_sync()
    assert neuroon.tokens == []  # nothing was verified yet
    call_command("neuroon_verify", stdout=io.StringIO())
    ShopState.objects.update(token_issued_at="2020-01-01T00:00:00Z")
    neuroon_sync()
    neuroon_sync()
    assert len(neuroon.tokens) == 2
