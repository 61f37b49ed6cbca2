"""What Neuroon's answers say (`API.md`, "Answer"): everything is there unless an answer denies it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from neuroon_django.api.answers import read_page, read_sync_result
from neuroon_django.api.refusals import read_refusals, without_name
from tests.naming import case

SENT = ["P-1", "P-2", "7"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"{}",
        b'{"synced": 3, "created": 1, "updated": 2, "failed": 0, "errors": []}',
        b'{"created": 2, "updated": 1}',
        b'{"created": 3, "updated": 0, "errors": null}',
        b'{"success": true, "productsCount": 3}',
        b'{"jobId": "x", "status": "ACCEPTED"}',
        b'{"synced": "3", "failed": "0"}',
        b'{"synced": 3.0, "failed": 0.0}',
        b'{"synced": null, "failed": null, "errors": null}',
        b'{"data": {"synced": 3, "failed": 0}}',
        b'{"success": true, "data": {"created": 3, "errors": []}}',
        b'{"failed": 0, "errors": ["prices look low"]}',
        b'{"synced": 3, "errors": {"P-1": "no image"}}',
        b'{"synced": true, "failed": false}',
        b'{"synced": 1e999999999, "failed": -1}',
        b'{"synced": "many", "failed": ""}',
        b'{"success": "true", "synced": {}, "errors": {}}',
    ],
    ids=case,
)
def test_a_2xx_is_an_acceptance(body):
    result = read_sync_result(body, SENT)
    assert (result.refused, result.unnamed) == ({}, 0)


@pytest.mark.parametrize(
    ("body", "refused", "unnamed"),
    [
        (b'{"failed": 1}', {}, 1),
        (b'{"failed": "2"}', {}, 2),
        (b'{"synced": 3, "failed": 1}', {}, 1),
        (b'{"failed": 99}', {}, 3),
        (b'{"success": false}', {}, 3),
        (b'{"success": "false", "failed": 0}', {}, 3),
        (b'{"success": false, "failed": 1, "errors": ["P-1: no"]}', {"P-1": "no"}, 0),
        (b'{"success": false, "errors": ["P-1: no"]}', {"P-1": "no"}, 2),
        (b'{"errors": ["P-1: no"]}', {"P-1": "no"}, 0),
        (b'{"errors": ["no"]}', {}, 1),
        (b'{"error": "no"}', {}, 1),
        (b'{"synced": 2, "errors": ["P-1: no"]}', {"P-1": "no"}, 0),
        (
            b'{"data": {"synced": 2, "failed": 1, "errors": [{"id": 7, "message": "no"}]}}',
            {"7": "no"},
            0,
        ),
        (b'{"failed": 2, "errors": [{"index": 1, "message": "no"}]}', {"P-2": "no"}, 1),
    ],
    ids=case,
)
def test_an_answer_that_denies_it(body, refused, unnamed):
    result = read_sync_result(body, SENT)
    assert (result.refused, result.unnamed, result.warnings) == (refused, unnamed, {})


@pytest.mark.parametrize(
    ("body", "warnings"),
    [
        (b'{"synced": 3, "failed": 0, "errors": ["P-1: no image"]}', {"P-1": "no image"}),
        (b'{"created": 3, "updated": 0, "errors": ["slow", "late"]}', {"": "slow; late"}),
        (b'{"failed": 0, "errors": [{"external_id": "P-2", "message": "low"}]}', {"P-2": "low"}),
        (b'{"synced": 1, "failed": 0}', {"": "Neuroon counted 1 of 3 products"}),
    ],
    ids=case,
)
def test_errors_beside_counts_of_all_products_are_warnings(body, warnings):
    result = read_sync_result(body, SENT)
    assert (result.refused, result.unnamed, result.warnings) == ({}, 0, warnings)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b"1",
        b'"ok"',
        b"<html>",
        b"OK",
        b'{"synced": 1',
        b"\xff",
        b"[" * 50_000,
        b'{"a" 1}',
    ],
    ids=lambda b: str(b)[:20],
)
def test_what_is_no_answer(body):
    with pytest.raises((ValueError, RecursionError)):
        read_sync_result(body, SENT)


@pytest.mark.parametrize(
    ("errors", "named"),
    [
        ([{"externalId": "P-1", "message": "no"}], {"P-1": "no"}),
        ([{"external_id": "P-1", "error": "no"}], {"P-1": "no"}),
        ([{"id": "P-1", "reason": "no"}], {"P-1": "no"}),
        ([{"id": 7, "message": "no"}], {"7": "no"}),
        ([{"productId": "P-1", "message": "no", "code": "E1"}], {"P-1": "no (E1)"}),
        ([{"product": {"externalId": "P-1"}, "message": "no"}], {"P-1": "no"}),
        ([{"index": 1, "message": "no"}], {"P-2": "no"}),
        ([{"field": "products[1].price", "message": "must be positive"}], {"P-2": "must be positive"}),
        ([{"path": "/products/1/price", "message": "no"}], {"P-2": "no"}),
        ([{"loc": ["body", 1, "price"], "msg": "no"}], {"P-2": "no"}),
        ([{"message": "P-1 has no price"}], {"P-1": "… has no price"}),
        ({"P-1": "no", "P-2": ["a", "b"]}, {"P-1": "no", "P-2": "a; b"}),
        ({"P-1": {"message": "no"}}, {"P-1": "no"}),
        ({"products[0].url": "no"}, {"P-1": "no"}),
        (["P-1: no", "'P-2': no", "7: no"], {"P-1": "no", "P-2": "no", "7": "no"}),
        (["the price of P-2 is missing"], {"P-2": "the price of … is missing"}),
        (["no price for product 7"], {"7": "no price for product …"}),
        (["no price (externalId=7)"], {"7": "no price (externalId=…)"}),
        (
            "products[0].price: must be positive, products[2].name: must not be blank",
            {"P-1": "price: must be positive", "7": "name: must not be blank"},
        ),
        ("P-1: no price, no name; P-2: no url", {"P-1": "no price, no name", "P-2": "no url"}),
        (["P-1: a", "P-1: b", "P-1: a"], {"P-1": "a; b"}),
        (["at least 7 characters", "P-1 and P-2 are alike", "P-12: no", "XP-1: no", 7, None], {}),
        ([{"externalId": "Z", "message": "no"}, {"index": 9}, {"index": True}, {}], {}),
        ([{"field": "products[9].price", "message": "no"}], {}),
        ("", {}),
    ],
    ids=case,
)
def test_which_product_a_refusal_names(errors, named):
    assert read_refusals(errors, SENT)[0] == named


@pytest.mark.parametrize(
    ("reason", "external_id", "plain"),
    [
        ("P-1: no price", "P-1", "no price"),
        ("'P-1': no price", "P-1", "no price"),
        ("product 7 has 7 errors", "7", "product … has 7 errors"),
        ("products[17].imageUrl: must be a valid URL", "P-1", "imageUrl: must be a valid URL"),
        ("A product has no price", "A", "A product has no price"),
        ("no price", "", "no price"),
        ("P-1:", "P-1", "P-1:"),
    ],
)
def test_equal_reasons_are_equal_text(reason, external_id, plain):
    assert without_name(reason, external_id) == plain


def test_a_list_of_odd_values():
    page = read_page(
        b'{"content": [{"id": null, "externalId": "A", "name": 5, "price": "1.10", "inStock": "yes"},'
        b'{"id": "' + b"x" * 300 + b'", "externalId": 7, "price": 1e999999},'
        b'{"id": "..", "externalId": "B"}, {"id": "\\u0000", "externalId": "C"}, {"id": "x"}, 1],'
        b'"totalPages": "x", "totalElements": 1e99}'
    )
    assert [(i.id, i.external_id, i.name, i.price, i.in_stock) for i in page.content] == [
        ("", "A", "", Decimal("1.10"), None),
        ("", "7", "", Decimal("1e999999"), None),
        ("", "B", "", None, None),
        ("", "C", "", None, None),
    ]
    assert (page.items, page.total_pages, page.total_elements) == (6, 0, 0)


@pytest.mark.parametrize(
    ("totals", "number", "is_last"),
    [
        ('"totalPages": 2', 0, False),
        ('"totalPages": 2', 1, True),
        ('"page": {"totalPages": 2}', 0, False),
        ('"page": 0', 0, False),  # nobody knows: on to an empty page
        ('"totalPages": 999999999', 99_998, False),
        ('"totalPages": 999999999', 99_999, True),  # no end in sight
    ],
)
def test_where_a_list_ends(totals, number, is_last):
    body = '{"content": [{"externalId": "A"}], ' + totals + "}"
    assert read_page(body.encode()).is_last(number) is is_last
    assert read_page(b'{"content": [], "totalPages": 9}').is_last(0)
