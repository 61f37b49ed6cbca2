"""What the two primary documents say, one fact a test, over real sockets and the app's own commands.

`documents.py` says which sentence each of them proves.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Value

from neuroon_django import ProductFeed, get_widget_token, signals
from neuroon_django.models import Conversion, Group, ShopState, SyncedProduct, endpoint
from neuroon_django.testing import Sandbox
from neuroon_django.widget import refresh_token
from tests.contract.shop import Shop, search
from tests.contract.standin import StandIn
from tests.factories import current_shop, end_blocks, make_product, pauses, pay, place
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)

SHOP_URL = "https://store.com"
# PROD, "Request body".
EXAMPLE = {
    "externalId": "SKU-001",
    "name": "Nike Air Max Shoes",
    "description": "Classic running shoes",
    "price": Decimal("129.99"),
    "salePrice": Decimal("99.99"),
    "currency": "USD",
    "url": "https://store.com/nike-air-max",
    "imageUrl": "https://store.com/images/nike.jpg",
    "categories": ["sports", "shoes"],
    "brand": "Nike",
    "tags": ["running", "casual"],
    "inStock": True,
    "stockQuantity": 25,
}


class ExampleFeed(ProductFeed[Product]):
    external_id = "sku"
    name = "title"
    description = Value("Classic running shoes")
    price = Value(Decimal("129.99"))
    sale_price = Value(Decimal("99.99"))
    currency = Value("USD")
    url = Value("/nike-air-max")
    image_url = Value("/images/nike.jpg")
    categories = ["sports", "shoes"]
    brand = Value("Nike")
    tags = ["running", "casual"]
    in_stock = True
    stock_quantity = 25


class LeastFeed(ProductFeed[Product]):
    external_id = "sku"
    name = "title"
    price = Value(Decimal("49.99"))
    url = Value("/product-1")


@pytest.fixture
def connect(settings) -> Iterator[Callable[[Any], Any]]:
    """Point the settings to a Neuroon for the length of the test."""
    running = []

    def to(neuroon: Any) -> Any:
        running.append(neuroon.__enter__())
        for name, value in neuroon.settings().items():
            setattr(settings, name, value)
        settings.NEUROON_AUTO_SYNC = False
        return neuroon

    yield to
    for neuroon in running:
        neuroon.__exit__(None, None, None)


@pytest.fixture
def products(connect) -> StandIn:
    return connect(StandIn("products", SHOP_URL))


@pytest.fixture
def s2s(connect) -> StandIn:
    return connect(StandIn("s2s", SHOP_URL))


def command(name: str, *options: str) -> tuple[str, CommandError | None]:
    out = io.StringIO()
    try:
        call_command(name, *options, stdout=out, stderr=io.StringIO())
    except CommandError as error:
        return out.getvalue(), error
    return out.getvalue(), None


def send(name: str, *options: str) -> str:
    output, failed = command(name, *options)
    assert failed is None, output
    return output


# PROD: the body of a sync


def test_prods_example_is_what_the_app_sends(products, use_feeds):
    """Each field as PROD writes it: text in quotes, numbers plain, lists as lists."""
    use_feeds((Product, ExampleFeed))
    Product.objects.create(sku="SKU-001", title="Nike Air Max Shoes")
    send("neuroon_sync", "--full")
    body = products.requests_to("/products/sync")[-1].body.decode()
    for name, value in EXAMPLE.items():
        written = json.dumps(value, default=float, separators=(",", ":"))
        assert f'"{name}":{written}' in body
    assert json.loads(body, parse_float=Decimal) == [EXAMPLE]
    assert products.products == {"SKU-001": EXAMPLE}


def test_only_the_required_fields_are_needed_and_nothing_is_null(products, use_feeds):
    use_feeds((Product, LeastFeed))
    Product.objects.create(sku="SKU-001", title="Product 1")
    send("neuroon_sync", "--full")
    [product] = json.loads(products.requests_to("/products/sync")[-1].body)
    assert {"externalId", "name", "price", "url"} <= product.keys()
    assert product.keys() - {"externalId", "name", "price", "url"} <= {"currency", "inStock"}
    assert None not in product.values()


def test_the_currency_is_always_said_as_neuroons_default_is_another(products, settings, use_feeds):
    settings.NEUROON_CURRENCY = "GBP"
    use_feeds((Product, LeastFeed))
    Product.objects.create(sku="SKU-001", title="Product 1")
    send("neuroon_sync", "--full")
    assert products.products["SKU-001"]["currency"] == "GBP"


@pytest.mark.parametrize("missing", ["external_id", "name", "price", "url"])
def test_what_lacks_a_required_field_stays_at_home(products, use_feeds, missing):
    entries = {"external_id": "sku", "name": "title", "price": 1, "url": Value("/p")}
    use_feeds((Product, type("Feed", (ProductFeed,), entries | {missing: None})))
    Product.objects.create(sku="SKU-001", title="Product 1")
    output, failed = command("neuroon_sync", "--full")
    assert failed is not None, output
    assert products.products == {}
    assert products.requests_to("/products/sync") == []


def test_sync_creates_and_updates(products):
    product = make_product("A")
    send("neuroon_sync", "--full")
    product.title = "Changed"
    product.save()
    send("neuroon_sync")
    assert {name: one["name"] for name, one in products.products.items()} == {"A": "Changed"}


@pytest.fixture
def neuroon_of_products(connect) -> Sandbox:
    return connect(Sandbox(generation="products", shop_url=SHOP_URL, verified=True))


def test_a_large_catalogue_is_sent_by_100_and_listed_page_by_page(connect, settings):
    settings.NEUROON_PRODUCTS_API = "shops"
    neuroon = connect(Sandbox(shop_url=SHOP_URL, verified=True))
    for n in range(205):
        make_product(f"P-{n}")
    send("neuroon_sync", "--full")
    sizes = [len(request.external_ids) for request in neuroon.sync_requests]
    assert (sum(sizes), max(sizes), len(sizes)) == (205, 100, 3)
    assert re.search(r"Listed by Neuroon +205\n", send("neuroon_reconcile"))
    assert [request.query["page"] for request in neuroon.requests_to("list")] == ["0", "1", "2"]
    assert {request.key_ok for request in neuroon.requests} == {True}


def test_the_counts_of_the_answer_are_read(neuroon_of_products, settings):
    settings.NEUROON_PRODUCTS_API = "shops"
    for n in range(10):
        make_product(f"P-{n}")
    heard: list[dict[str, Any]] = []

    def hear(**values: Any) -> None:
        heard.append({name: values[name] for name in ("synced", "created", "updated", "failed")})

    signals.products_synced.connect(hear)
    answer = {"synced": 10, "created": 3, "updated": 7, "failed": 0, "errors": []}
    neuroon_of_products.fault("shape", endpoint="sync", body=answer)
    send("neuroon_sync", "--full")
    signals.products_synced.disconnect(hear)
    assert heard == [{"synced": 10, "created": 3, "updated": 7, "failed": 0}]
    assert SyncedProduct.objects.filter(status="synced").count() == 10


def test_what_failed_is_told_by_its_message(neuroon_of_products, settings):
    settings.NEUROON_PRODUCTS_API = "shops"
    neuroon_of_products.reject = {"BAD": "no such brand"}
    for name in ("GOOD", "BAD"):
        make_product(name)
    assert command("neuroon_sync", "--full")[1] is not None
    rows = {row.external_id: (row.status, row.last_error) for row in SyncedProduct.objects.all()}
    assert rows["GOOD"] == ("synced", "")
    assert rows["BAD"][0] == "rejected"
    assert "no such brand" in rows["BAD"][1]


# PROD: list and delete


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "Other"}, "name"),
        ({"price": Decimal("11.00")}, "price"),
        ({"inStock": False}, "in stock"),
    ],
)
def test_each_column_of_the_list_is_compared(connect, change, told):
    neuroon = connect(Sandbox(shop_url=SHOP_URL, verified=True))
    make_product("A")
    send("neuroon_sync", "--full")
    neuroon.products["A"] = neuroon.products["A"] | change
    output, failed = command("neuroon_reconcile")
    assert failed is not None
    assert f"Different: A: {told} " in output


@pytest.mark.parametrize("by", ["any", "id"])
def test_a_delete_by_either_id(connect, settings, by):
    settings.NEUROON_PRODUCTS_API = "shops"
    neuroon = connect(
        Sandbox(generation="products", shops_delete_by=by, sorts=["externalId"], shop_url=SHOP_URL)
    )
    product = make_product("A")
    make_product("B")
    send("neuroon_sync", "--full")
    product.delete()
    send("neuroon_sync")
    assert neuroon.products.keys() == {"B"}
    assert not SyncedProduct.objects.filter(external_id="A").exists()


# S2S: headers and addresses


def test_the_common_headers(s2s):
    send("neuroon_verify", "--no-input")
    assert get_widget_token()
    make_product("A")
    command("neuroon_sync", "--full")
    command("neuroon_reconcile")
    assert len(s2s.requests) >= 5
    for request in s2s.requests:
        assert request.headers["X-Shop-API-Key"] == s2s.api_key
        assert request.headers["Origin"] == SHOP_URL
        assert re.fullmatch(r"neuroon-django/\S+ \(\+store\.com\)", request.headers["User-Agent"])
        assert request.headers["Accept"] == "application/json"
        assert request.headers.get("Content-Type") == ("application/json" if request.body else None)


def test_no_other_address_is_asked(s2s):
    """Least of all `/api/tokens/refresh`, which is for something else."""
    send("neuroon_verify", "--no-input")
    assert get_widget_token()
    shop = re.escape(s2s.shop_id)
    known = rf"/api/plugin/shops/({shop}/(verify|verification-data)|me)|/api/shops/{shop}/widget-token"
    assert [one.path for one in s2s.requests if not re.fullmatch(known, one.path)] == []


# S2S: the token


def test_the_call_for_a_token(s2s):
    s2s.verified = True
    token = get_widget_token()
    assert token == "opaque-0"
    [request] = s2s.requests
    assert (request.method, request.path) == ("POST", f"/api/shops/{s2s.shop_id}/widget-token")
    assert request.body == b""
    assert get_widget_token() == token
    assert len(s2s.requests) == 1


def test_a_token_needs_a_domain_that_was_verified_once(s2s):
    assert get_widget_token() == ""
    assert list(s2s.tokens) == []
    assert "403" in pauses()["token"]
    assert "token" in send("neuroon_verify", "--no-input")
    assert list(s2s.tokens) == ["opaque-0"]


def test_a_new_token_leaves_the_former_one_valid(connect):
    neuroon = connect(Sandbox(generation="s2s", shop_url=SHOP_URL, verified=True))
    assert refresh_token(current_shop())
    ShopState.objects.update(token="", token_issued_at=None)
    assert refresh_token(current_shop())
    assert len({*neuroon.tokens}) == 2
    assert [search(Shop(neuroon), token, "x").status_code for token in neuroon.tokens] == [200, 200]


# S2S: the domain


def test_the_call_that_verifies(s2s):
    output = send("neuroon_verify", "--no-input")
    [request] = s2s.requests_to("/verify")
    assert (request.method, json.loads(request.body)) == ("POST", {"domain": SHOP_URL})
    assert request.headers["Origin"] == SHOP_URL
    shown = f"name: My store, domain: {SHOP_URL}, shopId: shop_123, verificationCode: nrn-1"
    assert shown in output
    send("neuroon_verify", "--no-input")  # idempotent


def test_looking_at_the_verification_changes_nothing(s2s):
    output, _ = command("neuroon_verify", "--check")
    assert "nrn-1" in output
    assert "Call verify." in output
    assert not s2s.verified
    assert {request.method for request in s2s.requests} == {"GET"}


def test_unverify_is_answered_by_a_204_without_a_body(s2s):
    s2s.verified = True
    send("neuroon_verify", "--unverify", "--no-input")
    assert not s2s.verified


@pytest.mark.parametrize(
    ("change", "cure"),
    [({"shop_url": "https://other.com"}, "shop.url"), ({"conflict": True}, "support ticket")],
    ids=["403", "409"],
)
def test_each_refusal_of_a_domain_says_what_to_do(connect, change, cure):
    neuroon = connect(Sandbox(generation="s2s", shop_url=SHOP_URL))
    for name, value in change.items():
        setattr(neuroon, name, value)
    output, failed = command("neuroon_verify", "--no-input")
    assert failed is not None
    assert cure in output


def test_a_404_of_the_domain_is_the_shop_id(s2s, settings):
    settings.NEUROON_SHOP_ID = "other"
    output, failed = command("neuroon_verify", "--no-input")
    assert failed is not None
    assert {status for _, _, status, _ in s2s.refusals} == {404}
    assert "NEUROON_SHOP_ID" in output


# S2S: what each status means


@pytest.fixture
def neuroon_of_s2s(connect, monkeypatch, settings) -> Sandbox:
    monkeypatch.setattr(endpoint, "FIRST_BACKOFF", 0.01)
    neuroon = connect(Sandbox(generation="s2s", shop_url=SHOP_URL, verified=True))
    make_product("known")
    send("neuroon_sync", "--full")
    return neuroon


@pytest.mark.parametrize("style", ["counts", "created"], ids=["200", "201"])
def test_200_and_201_are_acceptance(neuroon_of_s2s, style):
    neuroon_of_s2s.answer_style = style
    make_product("A")
    send("neuroon_sync")
    assert SyncedProduct.objects.get(external_id="A").status == "synced"


def test_a_400_is_the_products_and_its_message_is_told(neuroon_of_s2s):
    neuroon_of_s2s.error_style, neuroon_of_s2s.reject = "reject", {"A": "price is too low"}
    make_product("A")
    assert command("neuroon_sync")[1] is not None
    row = SyncedProduct.objects.get(external_id="A")
    assert row.status == "rejected"
    assert "price is too low" in row.last_error


@pytest.mark.parametrize(
    ("status", "paused"),
    [(401, set(Group.values)), (403, {"products", "deletes"}), (404, {"products", "deletes"})],
)
def test_401_403_and_404_pause_and_lose_nothing(neuroon_of_s2s, status, paused):
    make_product("A")
    with neuroon_of_s2s.faulty("status", endpoint="sync", status=status):
        assert command("neuroon_sync")[1] is not None
    assert pauses().keys() == paused
    assert all(str(status) in reason for reason in pauses().values())
    row = SyncedProduct.objects.get(external_id="A")
    assert (row.status, row.due_at is not None) == ("pending", True)


def test_a_409_is_the_orders_own(neuroon_of_s2s):
    """A conflict is no trouble of the shop's: others are reported."""
    pay(place("1", cookie='{"known": "s"}', sku="known"))
    send("neuroon_sync")
    with neuroon_of_s2s.faulty("status", endpoint="conversion", status=409, times=1):
        pay(place("2", cookie='{"known": "s"}', sku="known"))
        pay(place("3", cookie='{"known": "s"}', sku="known"))
        command("neuroon_sync")
    assert "3" in neuroon_of_s2s.conversions


def test_a_429_waits_as_long_as_it_says(neuroon_of_s2s, flush):
    make_product("A")
    neuroon_of_s2s.fault("status", endpoint="sync", status=429, headers={"Retry-After": "1234"})
    flush(foreground=False)
    closed = current_shop().endpoint("products").seconds_closed()
    assert 1200 < closed <= 1234
    assert SyncedProduct.objects.get(external_id="A").due_at is not None


@pytest.mark.parametrize("first", [2.0, 60.0])
def test_pauses_grow_exponentially(first):
    """Each failure doubles the pause, less up to a quarter of it."""
    pauses = [endpoint.backoff(failures, first) for failures in range(6)]
    assert all(first * 2**n * 0.75 <= pause <= first * 2**n for n, pause in enumerate(pauses))


OVER_THE_LIMIT = {"status": 429, "headers": {"Retry-After": "0"}}


@pytest.mark.parametrize(
    ("endpoint_name", "fault"),
    [
        ("verify", {"status": 503}),
        ("verify", OVER_THE_LIMIT),
        ("token", {"status": 500}),
        ("sync", {"status": 503}),
        ("sync", OVER_THE_LIMIT),
        ("conversion", {"status": 500}),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value["status"]),
)
def test_three_attempts_at_least(neuroon_of_s2s, monkeypatch, fault, endpoint_name):
    monkeypatch.setattr("neuroon_django.api.retry.PAUSE", 0.01)
    make_product("A")
    pay(place("1", cookie='{"known": "s"}', sku="known"))
    neuroon_of_s2s.clear()
    neuroon_of_s2s.fault("status", endpoint=endpoint_name, times=2, **fault)
    name = "neuroon_sync" if endpoint_name in ("sync", "conversion") else "neuroon_verify"
    for _ in range(3):  # a run may leave the next attempt to the next run
        command(name, *(["--no-input"] if name == "neuroon_verify" else []))
        end_blocks()
    statuses = [one.status for one in neuroon_of_s2s.requests_to(endpoint_name)]
    assert statuses[:2] == [fault["status"]] * 2
    assert statuses[2] in (200, 201)


# S2S: idempotency


def test_the_same_batch_again_duplicates_nothing(neuroon_of_s2s):
    before = dict(neuroon_of_s2s.products)
    send("neuroon_sync", "--full")
    assert neuroon_of_s2s.products == before
    assert len(neuroon_of_s2s.sync_requests) == 2


def test_a_report_whose_answer_was_lost_is_one_conversion(neuroon_of_s2s, flush_orders):
    pay(place("1", cookie='{"known": "s"}', sku="known"))
    neuroon_of_s2s.fault("lost", endpoint="conversion")
    flush_orders(foreground=False)
    row = Conversion.objects.get()
    Conversion.objects.update(due_at=row.created_at)
    end_blocks()
    flush_orders()
    assert list(neuroon_of_s2s.conversions) == ["1"]
    assert neuroon_of_s2s.duplicates == 1
    assert Conversion.objects.get().status == "sent"


def test_environments_do_not_mix(connect, settings):
    """What one address was sent, and its token, count for nothing at another."""
    one = connect(Sandbox(generation="s2s", shop_url=SHOP_URL, verified=True))
    make_product("A")
    send("neuroon_sync", "--full")
    first = get_widget_token()
    other = connect(Sandbox(generation="s2s", shop_url=SHOP_URL, verified=True))
    send("neuroon_sync")
    assert one.products.keys() == other.products.keys() == {"A"}
    second = get_widget_token()
    assert (one.tokens, other.tokens) == ([first], [second])
