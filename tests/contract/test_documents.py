"""The table of sentences is sound: every test that it names exists, and no sentence is left open."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.contract.documents import PROD, S2S

TESTS = Path(__file__).parent.parent
ROWS = [*S2S, *PROD]
NAMED = sorted({name for _, _, tests in ROWS if not isinstance(tests, str) for name in tests})


@cache
def functions_of(path: str) -> frozenset[str]:
    """Return the names of the test functions in a file, as pytest collects them."""
    tree = ast.parse((TESTS / path).read_text())
    names = (node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in names if name.startswith("test_"))


@pytest.mark.parametrize("name", NAMED)
def test_each_test_that_is_named_exists(name):
    path, _, function = name.partition("::")
    assert function in functions_of(path)


def test_every_sentence_has_a_test_or_a_reason():
    assert [row for row in ROWS if not row[2]] == []
    assert [row for row in ROWS if isinstance(row[2], str) and "::" in row[2]] == []


def test_no_sentence_stands_twice():
    counted = Counter(row[:2] for row in ROWS)
    assert [row for row, count in counted.items() if count > 1] == []


def test_what_has_no_test_is_no_fact():
    """Headings, purposes and links only; whoever adds another kind has to say so here."""
    reasons = {tests for _, _, tests in ROWS if isinstance(tests, str)}
    assert reasons == {"a heading", "points to another page", "a purpose, no fact"}


@pytest.mark.parametrize(("rows", "facts"), [(S2S, 50), (PROD, 40)], ids=["S2S", "PROD"])
def test_the_documents_are_taken_apart(rows, facts):
    assert len([row for row in rows if not isinstance(row[2], str)]) >= facts


def test_every_fact_is_proved_against_real_answers_at_least_once():
    """Each names a test of this folder or one over real sockets, not the shape of code alone."""
    rooms = ("contract/", "system/", "widget/", "delivery/", "operators/test_command_")
    left = [row for row in ROWS if not isinstance(row[2], str) and not _has_room(row[2], rooms)]
    assert left == []


def _has_room(tests: tuple[str, ...], rooms: tuple[str, ...]) -> bool:
    return any(name.startswith(rooms) for name in tests)
