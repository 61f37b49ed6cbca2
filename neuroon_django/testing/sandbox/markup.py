"""HTML as values: whatever is not markup already is escaped when it is put into an element."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is HTML; everything else is text."""

    __slots__ = ()


def join(*content: object) -> Markup:
    """Return the content one after the other, escaped where it is no markup; None is left out."""
    pieces = (one for one in content if one is not None)
    return Markup("".join(one if isinstance(one, Markup) else escape(str(one)) for one in pieces))


def element(name: str, *content: object, **attributes: object) -> Markup:
    """Return an element; an underscore in an attribute's name stands for a hyphen, but at its end.

    An attribute that is None or False is left out, one that is True has no value.
    """
    shown = "".join(
        f" {attribute.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{escape(str(value))}"')
        for attribute, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{shown}>{join(*content)}</{name}>")


def image(**attributes: object) -> Markup:
    """Return an image, which has no end tag."""
    return Markup(element("img", **attributes).removesuffix("</img>"))
