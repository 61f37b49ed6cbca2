"""Rejected rows in words: how many, and why."""

from __future__ import annotations

import pytest

from neuroon_django.operations.rejections import Rejections


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([("no price", 7)], "7 products were rejected (no price)"),
        ([("no price", 6), ("no name", 1)], "7 products were rejected (6 × no price, 1 × no name)"),
        ([("no price", 5)], "7 products were rejected (5 × no price, 2 for other reasons)"),
    ],
)
def test_rejections(reasons, expected):
    assert Rejections("product", 7, reasons).text == expected


def test_no_rejections_are_no_line():
    assert Rejections("order", 0, []).lines == []
