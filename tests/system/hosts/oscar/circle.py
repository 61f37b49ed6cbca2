"""The circle in a shop of oscar's: importer, dashboard, storefront, by signals alone.

A process of its own, in an environment that has oscar: `python circle.py`, with DATABASE_URL. Each
step asserts what the local Neuroon holds; the last line says that all is well.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import django
from forms import errors_of, submit
from PIL import Image

from neuroon_django.testing import Sandbox

CATALOGUE = """\
Book,Books > Fiction > Crime,B1,The Hollow Man,<p>A locked room.</p>,Penguin,P1,9.99,5
Book,Books > Fiction > Crime,B2,Gaudy Night,Oxford.,Penguin,P2,8.50,3
Book,Books > Cooking,B3,Bread,Flour and time.,Penguin,P3,20.00,0
"""
LOG = "signed:log/1"


def deliver() -> None:
    """What a worker does when it is woken."""
    from neuroon_django import tasks
    from neuroon_django.models import Change, SyncedProduct

    tasks.flush_products()
    tasks.flush_conversions()
    assert not Change.objects.exists()
    assert not SyncedProduct.objects.waiting().exists()


def named(neuroon: Sandbox, *fields: str) -> dict[str, Any]:
    """What Neuroon has, by name: one field's value, or several's."""
    rows = {row["name"]: [row.get(field) for field in fields] for row in neuroon.products.values()}
    return {name: values if len(fields) > 1 else values[0] for name, values in rows.items()}


def product(title: str) -> Any:
    from oscar.core.loading import get_model

    return get_model("catalogue", "Product").objects.get(title=title)


def import_catalogue(neuroon: Sandbox, folder: Path) -> None:
    from django.core.management import call_command

    (folder / "catalogue.csv").write_text(CATALOGUE)
    call_command("oscar_import_catalogue", str(folder / "catalogue.csv"))
    deliver()
    book = product("The Hollow Man")
    assert neuroon.products[str(book.pk)] == {
        "externalId": str(book.pk),
        "name": "The Hollow Man",
        "description": "A locked room.",
        "price": Decimal("9.99"),
        "currency": "GBP",
        "url": f"https://mystore.com/catalogue/the-hollow-man_{book.pk}/",
        "categories": ["Books", "Fiction", "Crime"],
        "inStock": True,
        "stockQuantity": 5,
        "sku": "B1",
    }
    assert named(neuroon, "inStock", "stockQuantity")["Bread"] == [False, 0]
    with tarfile.open(folder / "images.tar", "w") as archive:
        picture = io.BytesIO()
        Image.new("RGB", (4, 4)).save(picture, "PNG")
        entry = tarfile.TarInfo("B1.png")
        entry.size = picture.tell()
        picture.seek(0)
        archive.addfile(entry, picture)
    call_command("oscar_import_catalogue_images", str(folder / "images.tar"))
    deliver()
    image = named(neuroon, "imageUrl")["The Hollow Man"]
    assert image.startswith("https://mystore.com/media/images/products/"), image
    assert not (folder / "media" / "image_not_found.jpg").exists()


def edit_in_dashboard(neuroon: Sandbox, staff: Any) -> None:
    edit = "/dashboard/catalogue/products/{}/"
    book = product("Gaudy Night")
    changes = {"title": "Gaudy Night, second edition", "stockrecords-0-price": "7.25"}
    submit(staff, edit.format(book.pk), "upc", **changes)
    deliver()
    assert named(neuroon, "price")["Gaudy Night, second edition"] == Decimal("7.25")

    bread = product("Bread")
    form = {"is_public": ""}
    submit(staff, edit.format(bread.pk), "upc", **form)
    deliver()
    assert "Bread" not in named(neuroon, "price")
    submit(staff, edit.format(bread.pk), "upc", is_public="on")
    deliver()
    assert "Bread" in named(neuroon, "price")
    staff.post(f"/dashboard/catalogue/products/{bread.pk}/delete/")
    deliver()
    assert "Bread" not in named(neuroon, "price")


def parents_and_children(neuroon: Sandbox, staff: Any) -> None:
    from oscar.core.loading import get_model

    category = get_model("catalogue", "Category").objects.get(name="Cooking")
    shirt = {"upc": "S", "title": "Apron", "productcategory_set-0-category": category.pk}
    submit(staff, "/dashboard/catalogue/products/create/book/", "upc", **shirt)
    deliver()
    assert "Apron" not in named(neuroon, "price")  # it has no price before it has a child or stock
    parent = product("Apron")
    partner = get_model("partner", "Partner").objects.get()
    for size, price in [("S", "15.00"), ("L", "18.00")]:
        stock = {
            "stockrecords-0-partner": partner.pk,
            "stockrecords-0-partner_sku": f"A{size}",
            "stockrecords-0-price": price,
            "stockrecords-0-num_in_stock": "4",
        }
        address = f"/dashboard/catalogue/products/{parent.pk}/create-variant/"
        submit(staff, address, "upc", upc=f"A-{size}", title=f"Apron {size}", **stock)
    deliver()
    shown = named(neuroon, "price", "inStock", "categories")
    # Oscar's strategy takes the price of the first child, which is the newest; so does its page.
    assert shown["Apron"] == [Decimal("18.00"), True, ["Books", "Cooking"]]
    assert [name for name in shown if name.startswith("Apron ")] == []
    child = product("Apron L")
    edit = f"/dashboard/catalogue/products/{child.pk}/"
    submit(staff, edit, "upc", **{"stockrecords-0-price": "17.50"})
    deliver()
    assert named(neuroon, "price")["Apron"] == Decimal("17.50")


def category_tree(neuroon: Sandbox, staff: Any) -> None:
    from oscar.core.loading import get_model

    categories = get_model("catalogue", "Category").objects
    edit = "/dashboard/catalogue/categories/{}/update/"
    root = categories.get(name="Books")
    submit(staff, edit.format(root.pk), "slug", name="Printed")
    deliver()
    assert named(neuroon, "categories")["The Hollow Man"] == ["Printed", "Fiction", "Crime"]
    crime, cooking = categories.get(name="Crime"), categories.get(name="Cooking")
    move = {"treebeard_position": "sorted-child", "treebeard_ref_node": cooking.pk}
    page = staff.get(edit.format(crime.pk)).content.decode()
    if 'value="first-child"' in page:
        move["treebeard_position"] = "first-child"
    submit(staff, edit.format(crime.pk), "slug", **move)
    deliver()
    assert named(neuroon, "categories")["The Hollow Man"] == ["Printed", "Cooking", "Crime"]
    submit(staff, edit.format(cooking.pk), "slug", is_public="")
    deliver()
    assert named(neuroon, "categories")["The Hollow Man"] is None
    submit(staff, edit.format(cooking.pk), "slug", is_public="on")
    deliver()
    assert named(neuroon, "categories")["The Hollow Man"] == ["Printed", "Cooking", "Crime"]


def buy(neuroon: Sandbox, shopper: Any, staff: Any) -> None:
    from oscar.core.loading import get_model

    apron, child, book = product("Apron"), product("Apron L"), product("The Hollow Man")
    shopper.cookies["neuroon_clicks"] = quote(json.dumps({str(apron.pk): LOG}))
    assert shopper.get(apron.get_absolute_url()).status_code == 200
    shopper.post(f"/basket/add/{apron.pk}/", {"child_id": child.pk, "quantity": 2})
    shopper.post(f"/basket/add/{book.pk}/", {"quantity": 1})
    submit(shopper, "/checkout/", "username", username="ada@example.org", options="anonymous")
    address = {"first_name": "Ada", "last_name": "L", "line1": "1 Lane", "line4": "London"}
    country = {"country": "GB", "postcode": "N1 9RT"}
    submit(shopper, "/checkout/shipping-address/", "line1", **address, **country)
    shopper.get("/checkout/shipping-method/")
    shopper.get("/checkout/payment-method/")
    placed = shopper.post("/checkout/preview/", {"action": "place_order"})
    assert placed.status_code == 302, errors_of(placed)
    deliver()
    order = get_model("order", "Order").objects.get()
    assert named(neuroon, "stockQuantity")["The Hollow Man"] == 4  # allocated
    assert neuroon.conversions == {}  # pending: not paid
    paid = {"new_status": "Being processed", "order_action": "change_order_status"}
    assert staff.post(f"/dashboard/orders/{order.number}/", paid).status_code == 302
    deliver()
    line = {
        "productId": str(apron.pk),
        "searchLogId": LOG,
        "quantity": 2,
        "lineTotal": Decimal("35.00"),
    }
    assert neuroon.conversions == {
        order.number: {
            "orderId": order.number,
            "orderValue": order.total_incl_tax,
            "currency": "GBP",
            "conversions": [line],
        }
    }


def children_of_their_own(neuroon: Sandbox) -> None:
    """A feed that sends children as well: they take from the parent what they do not have."""
    from oscar.core.loading import get_model

    from neuroon_django.conf import conf
    from neuroon_django.contrib.oscar import OscarProductFeed, canonical
    from neuroon_django.feeds.registry import registry
    from neuroon_django.feeds.rendering import ProductSource, Rendered

    class Children(OscarProductFeed):
        sends_children = True

    model = get_model("catalogue", "Product")
    child, parent = product("Apron S"), product("Apron")
    picture = product("The Hollow Man").images.get().original.name
    parent.images.create(original=picture)
    parent.description = "Linen."
    parent.save()
    model.objects.filter(pk=child.pk).update(title="")
    [shop] = conf.shops().values()
    source = ProductSource(Children, model, shop)
    rendered = source.render_many([str(child.pk)])[str(child.pk)]
    assert isinstance(rendered, Rendered), rendered
    payload = json.loads(rendered.payload)
    fields = ("name", "description", "price", "imageUrl", "categories", "parentExternalId")
    assert {name: payload[name] for name in fields} == {
        "name": "Apron",
        "description": "Linen.",
        "price": 15,
        "imageUrl": f"https://mystore.com/media/{picture}",
        "categories": ["Printed", "Cooking"],
        "parentExternalId": str(parent.pk),
    }
    assert canonical(child) == parent
    assert registry.product_source_of(model) is not None
    model.objects.filter(pk=child.pk).update(title="Apron S")
    deliver()
    assert named(neuroon, "imageUrl", "description")["Apron"] == [payload["imageUrl"], "Linen."]


def queries_are_constant() -> None:
    from neuroon_django.contrib.oscar import OscarProductFeed
    from neuroon_django.testing import assert_feed_queries

    assert_feed_queries(OscarProductFeed, 9)


def compare(scanned: Any) -> None:
    """Shop, mirror and Neuroon agree, and no scan has helped."""
    from django.core.management import call_command

    from neuroon_django.models import ShopState

    out = io.StringIO()
    call_command("neuroon_reconcile", stdout=out, no_color=True)
    lines = [line.rsplit(maxsplit=1) for line in out.getvalue().splitlines() if line.strip()]
    counts = {line[0]: line[1] for line in lines if line[-1].isdigit()}
    differences = ("Only at Neuroon", "Gone from the shop", "Without a feed", "Missing at Neuroon")
    assert counts == {
        "Listed by Neuroon": "3",
        "Identical": "3",
        "Queued or rejected": "0",
        **dict.fromkeys([*differences, "Different"], "0"),
    }, out.getvalue()
    assert ShopState.objects.get().scanned_at == scanned


@contextmanager
def database() -> Iterator[None]:
    """A new database with oscar's tables; gone afterwards."""
    from django.core.management import call_command
    from django.db import connection

    with redirect_stdout(io.StringIO()):
        name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        from oscar.core.loading import get_model

        country = {"iso_3166_1_a2": "GB", "printable_name": "United Kingdom", "name": "UNITED KINGDOM"}
        get_model("address", "Country").objects.create(**country, is_shipping_country=True)
        call_command("check", stdout=io.StringIO(), stderr=io.StringIO())
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def clients() -> tuple[Any, Any]:
    """A shopper's browser and one of staff, who is logged in to the dashboard."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    boss = get_user_model().objects.create_superuser("boss", "boss@mystore.com", "secret")
    staff = Client()
    staff.force_login(boss, "oscar.apps.customer.auth_backends.EmailBackend")
    return Client(), staff


def main() -> None:
    with Sandbox(shop_url="https://mystore.com", verified=True) as neuroon:
        os.environ |= {"NEUROON_API_URL": neuroon.url, "NEUROON_API_KEY": neuroon.api_key}
        django.setup()
        from neuroon_django.models import ShopState

        with database():
            shopper, staff = clients()
            deliver()  # the first scan finds an empty shop; all that follows comes by signals
            scanned = ShopState.objects.get().scanned_at
            assert scanned is not None
            import_catalogue(neuroon, Path(os.environ["STATE_DIR"]))
            edit_in_dashboard(neuroon, staff)
            parents_and_children(neuroon, staff)
            category_tree(neuroon, staff)
            buy(neuroon, shopper, staff)
            children_of_their_own(neuroon)
            queries_are_constant()
            compare(scanned)
    print("All is well.")


if __name__ == "__main__":
    main()
