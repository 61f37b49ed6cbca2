"""Counts, lists and times in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from neuroon_django.operations import wording


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


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0 s"),
        (40.4, "40 s"),
        (89, "89 s"),
        (240, "4 min"),
        (5_399, "90 min"),
        (10_800, "3 h"),
        (172_800, "2 days"),
    ],
)
def test_span(seconds, expected):
    assert wording.span(seconds) == expected


def test_a_moment_of_today_is_its_time_alone(settings, monkeypatch):
    settings.TIME_ZONE = "Europe/Madrid"
    monkeypatch.setattr(wording.timezone, "now", lambda: datetime(2026, 1, 2, 23, 30, tzinfo=UTC))
    assert wording.date_and_time(datetime(2026, 1, 3, 7, 5, tzinfo=UTC)) == "08:05"
    assert wording.date_and_time(datetime(2026, 1, 2, 12, 30, tzinfo=UTC)) == "2 Jan 13:30"
    assert wording.ago(datetime(2026, 1, 2, 23, 29, tzinfo=UTC)) == 60
