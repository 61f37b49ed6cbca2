"""How products of a batch are shown that were refused, or accepted with a warning.

What an element of `errors` looks like is documented nowhere, so there are several styles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .rules import PLUGIN_FIELDS


@dataclass(frozen=True)
class Failure:
    """A product by its place in the batch and, where it has one, its externalId; and what is wrong."""

    index: int
    external_id: str | None
    message: str

    @property
    def field(self) -> str:
        """The field that is wrong as a validator names it, such as `products[1].price`."""
        return ".".join([f"products[{self.index}]", *self._parts[:-1]])

    @property
    def rest(self) -> str:
        """The message without the field."""
        return self._parts[-1]

    @property
    def _parts(self) -> list[str]:
        name, _, rest = self.message.partition(" ")
        return [name, rest] if name in PLUGIN_FIELDS and rest else [self.message]


def _by(name: str) -> Callable[[Failure], Any]:
    return lambda failure: {name: failure.external_id, "message": failure.message}


# How one is shown in `errors`; None where it is not.
ERROR_STYLES: Mapping[str, Callable[[Failure], Any]] = {
    "externalId": _by("externalId"),
    "external_id": _by("external_id"),
    "id": _by("id"),
    "index": lambda failure: {"index": failure.index, "message": failure.message},
    "field": lambda failure: {"field": failure.field, "message": failure.rest},
    "text": lambda failure: f"{failure.external_id}: {failure.message}",
    "text-inside": lambda failure: f"{failure.message} (product {failure.external_id})",
    "object": lambda failure: {str(failure.external_id): failure.message},
    "none": lambda failure: None,
    "reject": lambda failure: None,
    "reject-named": _by("externalId"),
    "reject-field": lambda failure: f"{failure.field}: {failure.rest}",
}
# One bad product refuses the whole batch, by a 400; the last one joins all that is wrong.
REJECTING_STYLES = {"reject", "reject-named", "reject-field"}


def show_errors(style: str, failures: Iterable[Failure]) -> list[Any] | dict[str, str]:
    """Return the `errors` of an answer."""
    shown = [one for one in map(ERROR_STYLES[style], failures) if one is not None]
    if style == "object":
        return {name: message for one in shown for name, message in one.items()}
    return shown


def show_message(style: str, failures: Sequence[Failure]) -> str:
    """Return the message of a 400 for the whole batch."""
    if style != "reject-field":
        return failures[0].message
    return ", ".join(map(ERROR_STYLES[style], failures))
