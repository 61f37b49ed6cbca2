"""What the trial of feeds doubts of a payload: signed addresses, and sales that are none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from neuroon_django.operations.doubts import doubts

PAYLOAD = {"price": Decimal("10.00"), "url": "https://mystore.com/p/1/?sort=signature"}
SIGNED = [
    ("https://b.s3.amazonaws.com/a.jpg?X-Amz-Algorithm=AWS4&X-Amz-Signature=ab", "X-Amz-Signature"),
    ("https://b.s3.amazonaws.com/a.jpg?AWSAccessKeyId=A&Signature=s&Expires=1", "AWSAccessKeyId"),
    ("https://cdn.test/a.jpg?Expires=1700000000&Signature=s&Key-Pair-Id=K", "Expires"),
    ("https://storage.googleapis.com/b/a.jpg?X-Goog-Signature=ab", "X-Goog-Signature"),
    ("https://a.blob.core.windows.net/c/a.jpg?sv=2022&se=2026-01-01&sig=x%3D", "se"),
    ("https://cdn.test/a.jpg?w=200&token=abc", "token"),
    ("https://cdn.test/a.jpg?hmac=abc", "hmac"),
    ("https://cdn.test/a.jpg?v=1700000000&size=200", ""),
    ("https://cdn.test/sig=1/a.jpg", ""),
    ("https://cdn.test/a.jpg?design=1&resig=2", ""),
]


@pytest.mark.parametrize(("address", "parameter"), SIGNED)
@pytest.mark.parametrize("name", ["url", "imageUrl"])
def test_signed_addresses(name, address, parameter):
    told = [doubt.text for doubt in doubts(PAYLOAD | {name: address})]
    assert told == (
        [
            f"{name} is a signed address ({parameter}=), which ends to work and is another each "
            "time: every scan would send it again"
        ]
        if parameter
        else []
    )


@pytest.mark.parametrize(
    ("price", "sale", "told"),
    [
        ("10.00", "0.00", "salePrice is 0"),
        ("10.00", "10.00", "salePrice is 10.00, and the price 10.00"),
        ("10.00", "12.00", "salePrice is 12.00, and the price 10.00"),
        ("0.00", "0.00", "salePrice is 0"),
        ("10.00", "9.99", ""),
    ],
)
def test_sales_that_are_none(price, sale, told):
    payload = PAYLOAD | {"price": Decimal(price), "salePrice": Decimal(sale)}
    assert [doubt.text for doubt in doubts(payload)] == ([told] if told else [])
