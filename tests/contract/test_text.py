"""Law 18: text from outside is one visible line that fits its column, whatever it was."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroon_django.api.text import text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (5, "5"),
        ("  a \r\n\t b\u2028c\x85d ", "a b c d"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://e\x1b\\link\x1b]8;;\x1b\\", "xlink"),
        ("\x1b]0;never ended", "0;never ended"),
        ("\x9b31mred\x9d0;t\x9cx", "redx"),
        ("\x1bc\x1b(0x\x1b", "x"),
        ("a\x00b\x07c\x7fd\x90e", "a b c d e"),
        ("\u202egnp.exe\u202c \u2066x\u2069\u200f", "gnp.exe x"),
        ("z\u200be\u200dr\ufeff\u006f\u00ad\u2060!", "zero!"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("x" * 500, "x" * 500),
        ("x" * 501, "x" * 499 + "…"),
        ("\x00" * 60_000 + "x", ""),
        ("Café – ¡hola! 🔎 日本", "Café – ¡hola! 🔎 日本"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_law_18_text_of(value, text):
    assert text_of(value) == text


@settings(max_examples=500, deadline=None)
@given(st.text(st.characters(), max_size=700))
def test_law_18_any_text_is_one_visible_line(value):
    text = text_of(value)
    assert len(text) <= 500
    assert not {unicodedata.category(char) for char in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert text == " ".join(text.split())
    assert text_of(text) == text
    assert text.encode().decode() == text
