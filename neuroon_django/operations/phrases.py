"""English sentences that remember how they were made: commands print them, the admin translates them.

The admin looks a phrase's template up in its catalogue, and so each phrase among its values; what
others wrote (Neuroon's answers, the system checks) is in no catalogue and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

Value = str | int


def _plain(value: Value) -> str:
    return f"{value:,}" if isinstance(value, int) else value


class Phrase(str):
    """A text with its template and values; `then` changes the finished text in any language."""

    template: str
    values: dict[str, Value]
    then: Callable[[str], str]

    def __new__(cls, template: str, values: dict[str, Value], then: Callable[[str], str] = str) -> Self:
        """Return the English text; whole numbers are written with separated thousands."""
        text = template.format(**{name: _plain(value) for name, value in values.items()})
        self = super().__new__(cls, then(text))
        self.template, self.values, self.then = template, values, then
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> str:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def phrase(template: str, **values: Value) -> Phrase:
    """Return a sentence of these values, named in braces."""
    return Phrase(template, values)


def plural(n: int, one: str, many: str, **values: Value) -> Phrase:
    """Return the sentence for one or the one for several; `n` is among their values."""
    return Phrase(one if n == 1 else many, {"n": n, **values})


def changed(text: str, then: Callable[[str], str]) -> Phrase:
    """Return a text, a phrase or not, that is changed in the same way in any language."""
    return Phrase("{text}", {"text": text}, then)
