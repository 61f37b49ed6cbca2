"""Progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command

from tests.factories import make_product
from tests.operators.commands import neuroon_sync, summary

pytestmark = pytest.mark.django_db(transaction=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(neuroon):
    for n in range(3):
        make_product(f"P-{n}")
    out, err = io.StringIO(), Terminal()
    call_command("neuroon_sync", stdout=out, stderr=err)
    assert out.getvalue() == summary(sent=3, created=3, requests=2)
    assert "100%" in err.getvalue()
    assert "3/3" in err.getvalue()


def test_plain_lines_elsewhere(neuroon, monkeypatch):
    monkeypatch.setattr("neuroon_django.management.progress.EVERY", 0)
    make_product("A")
    *lines, _rest = neuroon_sync().partition("Products sent")
    assert lines[0].splitlines()[-1].startswith("1 of 1, ")
