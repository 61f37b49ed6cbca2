"""The wire: bytes that leave, and answers of every shape that come back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from neuroon_django.api import messages
from neuroon_django.api.error_bodies import read_error


def product(**values: object) -> messages.Product:
    required = {"external_id": "A", "name": "Cup", "price": Decimal("10.50"), "url": "https://m.com/a"}
    return messages.Product(**{**required, **values})


def test_a_product_leaves_out_what_it_does_not_have():
    assert messages.encode_product(product()) == (
        b'{"externalId":"A","name":"Cup","price":10.50,"url":"https://m.com/a"}'
    )


def test_every_field_by_its_wire_name():
    whole = product(
        description="d",
        sale_price=Decimal("9.99"),
        currency="EUR",
        image_url="https://m.com/i",
        categories=["c"],
        brand="b",
        tags=["t"],
        in_stock=False,
        stock_quantity=0,
        brands=["b"],
    )
    assert set(messages.decode(messages.encode_product(whole))) == {
        "externalId",
        "name",
        "price",
        "url",
        "description",
        "salePrice",
        "currency",
        "imageUrl",
        "categories",
        "brand",
        "tags",
        "inStock",
        "stockQuantity",
        "brands",
    }


@pytest.mark.parametrize("price", ["0.01", "1234567890.10", "0.10", "999999999999.99", "0.00"])
def test_law_12_numbers_are_plain_and_exact(price):
    assert f'"price":{price},'.encode() in messages.encode_product(product(price=Decimal(price)))


def test_extra_fields_come_behind_and_do_not_disturb():
    encoded = messages.encode_product(product(), {"rating": 4.5, "attributes": {"colour": "red"}})
    assert messages.decode(encoded) == {
        "externalId": "A",
        "name": "Cup",
        "price": Decimal("10.50"),
        "url": "https://m.com/a",
        "rating": Decimal("4.5"),
        "attributes": {"colour": "red"},
    }


@pytest.mark.parametrize("name", ["lone \ud800 surrogate"])
def test_law_12_a_lone_surrogate_cannot_be_written(name):
    with pytest.raises(UnicodeEncodeError):
        messages.encode_product(product(name=name))


def test_a_batch_by_either_route():
    one, two = messages.encode_product(product(brands=["b"])), messages.encode_product(product())
    assert messages.encode_batch([one, two], "plugin") == (
        b'{"syncType":"INCREMENTAL","products":[' + one + b"," + two + b"]}"
    )
    assert messages.encode_batch([one, two], "shops") == b"[" + two + b"," + two + b"]"


def test_the_digest_is_of_the_bytes():
    assert messages.digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_seconds_to_wait_are_bounded():
    assert read_error(b'{"message": "m", "retryAfter": 1e999}') == ("m", 1e9, "m")
    huge = b'{"message": "m", "retryAfter": ' + b"9" * 400 + b"}"
    assert read_error(huge) == ("m", 1e9, "m")


def test_a_page_of_the_list():
    body = b'{"content": [{"id": 7, "externalId": "A", "price": 1.10, "x": 1}], "totalPages": 3}'
    [item] = messages.read_page(body).content
    assert (item.id, item.external_id, item.price) == ("7", "A", Decimal("1.10"))


def test_a_page_of_the_list_with_what_was_not_sent_from_a_shop():
    items = b'{"id": "1"}, {"id": 2, "externalId": null}, {"externalId": 7, "name": null, "id": null}'
    page = messages.read_page(
        b'{"content": [' + items + b'], "totalPages": null, "totalElements": "3"}'
    )
    assert [(item.id, item.external_id, item.name) for item in page.content] == [("", "7", "")]
    assert (page.items, page.total_pages, page.total_elements) == (3, 0, 3)
