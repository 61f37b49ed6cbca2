"""The whole circle against both stand-ins in each generation: verify, token, full sync, edit, delete,
list, conversion, by the commands and the template helper that a shop uses.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command

from neuroon_django import get_widget_token
from neuroon_django.models import Conversion, SyncedProduct
from neuroon_django.testing import Sandbox
from tests.contract.standin import StandIn
from tests.factories import make_product, pay, place
from tests.shop.models import Brand, Category

pytestmark = pytest.mark.django_db(transaction=True)

SHOP_URL = "https://mystore.com"


@dataclass(frozen=True)
class World:
    """A Neuroon to talk to: who plays it, which generation, and what is particular about it."""

    player: str
    generation: str | None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def lists(self) -> bool:
        """Whether there is a list of products."""
        return self.generation != "later"


WORLDS = {
    "sandbox, all at once": World("sandbox", None),
    "sandbox, s2s": World("sandbox", "s2s"),
    "sandbox, s2s with PROD's body": World("sandbox", "s2s", {"plugin_bodies": ("array",)}),
    "sandbox, products": World("sandbox", "products"),
    "sandbox, products by Neuroon's id": World("sandbox", "products", {"shops_delete_by": "id"}),
    "sandbox, later": World("sandbox", "later"),
    "sandbox, later with a 405": World("sandbox", "later", {"token_refusal": 405}),
    "stand-in, s2s": World("stand-in", "s2s"),
    "stand-in, products": World("stand-in", "products"),
    "stand-in, later": World("stand-in", "later"),
}


@pytest.fixture(params=WORLDS.values(), ids=WORLDS)
def world(request) -> World:
    return request.param


@pytest.fixture
def player(world, settings) -> Iterator[Sandbox | StandIn]:
    """A Neuroon of the world, not verified yet, that the settings point to."""
    if world.player == "sandbox":
        player: Any = Sandbox(generation=world.generation, shop_url=SHOP_URL, **world.options)
    else:
        player = StandIn(world.generation, SHOP_URL)
    with player as neuroon:
        for name, value in neuroon.settings().items():
            setattr(settings, name, value)
        settings.NEUROON_AUTO_SYNC = False
        yield neuroon


def accepts_token(neuroon: Sandbox | StandIn, token: str) -> bool:
    if isinstance(neuroon, StandIn):
        return neuroon.accepts_token(token)
    headers = {"X-Widget-Token": token}
    return requests.get(f"{neuroon.url}/api/widget/search?q=x", headers=headers, timeout=5).ok


def put_ghost(neuroon: Sandbox | StandIn) -> None:
    """Let Neuroon hold a product that the shop knows nothing of."""
    ghost = {"externalId": "GHOST", "name": "Ghost", "price": 1, "url": f"{SHOP_URL}/ghost"}
    if isinstance(neuroon, StandIn):
        neuroon.put(ghost)
    else:
        neuroon.products["GHOST"] = ghost


def command(name: str, *options: str) -> tuple[str, CommandError | None]:
    out = io.StringIO()
    try:
        call_command(name, *options, stdout=out, stderr=io.StringIO())
    except CommandError as error:
        return out.getvalue(), error
    return out.getvalue(), None


def test_the_whole_circle(world, player):
    output, failed = command("neuroon_verify", "--no-input")
    assert failed is None, output
    assert player.verified
    token = get_widget_token()
    assert token
    assert accepts_token(player, token)

    edited, deleted, *_ = catalogue()
    assert command("neuroon_sync", "--full")[1] is None
    assert player.products == {f"P-{n}": payload(n) for n in range(5)}

    edited.title = "Größe 44/45 “new”"
    edited.save()
    deleted.delete()
    assert command("neuroon_sync")[1] is None
    left = {f"P-{n}": payload(n) for n in (0, 2, 3, 4)}
    left["P-0"]["name"] = edited.title
    assert player.products == left
    assert set(SyncedProduct.objects.values_list("status", flat=True)) == {"synced"}

    compare(world, player)
    assert player.products == left

    pay(place("1001", cookie='{"P-2": "search-1"}', sku="P-2"))
    assert command("neuroon_sync")[1] is None
    line = {"productId": "P-2", "searchLogId": "search-1", "quantity": 2, "lineTotal": Decimal("20.00")}
    order = {"orderId": "1001", "orderValue": Decimal("20.00"), "currency": "EUR"}
    assert player.conversions == {"1001": order | {"conversions": [line]}}
    assert Conversion.objects.get().status == "sent"
    nothing_was_misunderstood(player)


def catalogue() -> list[Any]:
    products = [make_product(f"P-{n}", f"{n}.50") for n in range(5)]
    for product in products:
        product.brand, _ = Brand.objects.get_or_create(name="Acme")
        product.save()
        product.categories.add(Category.objects.get_or_create(title="Tools")[0])
    return products


class Product(dict):
    """A payload, equal with and without `brands`, which a route may have or not."""

    def __eq__(self, other: object) -> bool:
        return dict(self) == other or {**self, "brands": [self["brand"]]} == other

    __hash__ = None


def payload(n: int) -> Product:
    from tests.shop.models import Product as ShopProduct

    pk = ShopProduct.objects.filter(sku=f"P-{n}").values_list("pk", flat=True).first()
    shown = {"externalId": f"P-{n}", "name": f"Product P-{n}", "price": Decimal(f"{n}.50")}
    shown |= {"currency": "EUR", "url": f"{SHOP_URL}/p/{pk}/", "brand": "Acme"}
    return Product(shown | {"categories": ["Tools"]})


def compare(world: World, player: Sandbox | StandIn) -> None:
    """Compare by Neuroon's list, mend a difference, compare again; without a list it is told."""
    output, failed = command("neuroon_reconcile")
    if not world.lists:
        assert failed is not None
        assert "404" in f"{failed} {output}" or "list" in f"{failed} {output}"
        return
    assert failed is None, output
    put_ghost(player)
    output, failed = command("neuroon_reconcile")
    assert "Only at Neuroon: GHOST" in output
    assert failed is not None
    assert command("neuroon_reconcile", "--fix")[1] is None


def nothing_was_misunderstood(player: Sandbox | StandIn) -> None:
    """Only what finds out which way there is was refused; nothing was left out or ignored."""
    if isinstance(player, Sandbox):
        refused = {(one.endpoint, one.status) for one in player.requests if one.status >= 400}
        assert player.ignored == []
        assert player.overlaps == []
    else:
        refused = {
            (path.rpartition("/")[2].partition("?")[0], status)
            for _, path, status, _ in player.refusals
        }
    kinds = {endpoint for endpoint, _ in refused}
    finding_out = {"sync", "token", "widget-token", "list", "products", "delete"}
    deletes = {kind for kind in kinds if kind.startswith(("P-", "GHOST"))}
    assert kinds - deletes <= finding_out
    assert {status for _, status in refused} <= {400, 404, 405}
