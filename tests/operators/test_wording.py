"""Counts, lists and times in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from neuroon_django.operations import wording
from neuroon_django.operations.cures import cure_for, status_in
from neuroon_django.operations.rejections import Rejections


@pytest.mark.parametrize(
    ("n", "nouns", "expected"),
    [
        (0, ["product"], "0 products"),
        (1, ["product"], "1 product"),
        (2_000, ["product"], "2,000 products"),
        (1, ["query", "queries"], "1 query"),
        (3, ["query", "queries"], "3 queries"),
    ],
)
def test_count(n, nouns, expected):
    assert wording.count(n, *nouns) == expected


@pytest.mark.parametrize(
    ("items", "expected"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_join(items, expected):
    assert wording.join(items) == expected


def test_shorten_makes_one_line_of_80_characters():
    assert wording.shorten("a\n b ") == "a b"
    assert wording.shorten("x" * 80) == "x" * 80
    assert wording.shorten("x" * 81) == "x" * 79 + "…"


def test_times(settings):
    settings.TIME_ZONE = "Europe/Madrid"
    moment = datetime(2026, 1, 2, 12, 30, tzinfo=UTC)
    assert wording.clock_time(moment) == "13:30:00"
    assert wording.clock_time(moment.replace(tzinfo=None)) == "12:30:00"
    assert wording.duration(timedelta(hours=2, microseconds=5)) == "2:00:00"


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


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("POST /sync: 401 Invalid API key", 401),
        ("GET /list: 503 Sandbox fault", 503),
        ("POST /sync: timed out", None),
        ("Neuroon asked to wait", None),
    ],
)
def test_the_status_that_a_reason_quotes(reason, status):
    assert status_in(reason) == status


@pytest.mark.parametrize("status", [None, 400, 429, 500, 503])
def test_what_ends_by_itself_has_no_cure(status):
    assert cure_for(status) == ""
