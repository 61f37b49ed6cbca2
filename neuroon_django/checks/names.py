"""Checks of what a feed's class says: entries that are missing, misspelt, or names of the app's own."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from inspect import getattr_static
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db.models import Value

from neuroon_django.feeds import Feed, OrderFeed, ProductFeed

REQUIRED = {
    ProductFeed: ("external_id", "name", "price", "url", "is_listed"),
    OrderFeed: ("order_id", "order_value", "is_paid"),
}
LISTS = ("depends_on", "ignores")
OVERRIDDEN = (*LISTS, "get_queryset", "extra", "lines")
# What shops write for an entry that is called something else.
USUAL_ENTRIES = {
    "category": "categories",
    "image": "image_url",
    "stock": "stock_quantity",
    "quantity": "stock_quantity",
    "sale": "sale_price",
}


def error(feed: Feed[Any], id: str, message: str, hint: str) -> Error:
    """Return an error about one feed, which its message begins with."""
    return Error(f"{type(feed).__name__}: {message}.", hint=hint, obj=feed.model, id=id)


def warning(feed: Feed[Any], id: str, message: str, hint: str) -> Warning:
    """Return a warning about one feed, which its message begins with."""
    return Warning(f"{type(feed).__name__}: {message}.", hint=hint, obj=feed.model, id=id)


def how_to_write(name: str) -> str:
    """Return what to type for an entry."""
    return f'Write {name} = "…", a lookup, or a method def {name}(self, …).'


def base_of(feed: Feed[Any]) -> type[ProductFeed[Any]] | type[OrderFeed[Any]]:
    """Return the app's own class that a feed is a subclass of."""
    return ProductFeed if isinstance(feed, ProductFeed) else OrderFeed


def own_names(feed: Feed[Any]) -> list[str]:
    """Return the names that the shop's own classes write, each once."""
    app_classes = base_of(feed).__mro__
    shop_classes = [cls for cls in type(feed).__mro__ if cls not in app_classes]
    return list(dict.fromkeys(name for cls in shop_classes for name in vars(cls)))


def required(feed: Feed[Any]) -> Iterator[CheckMessage]:
    """Report missing entries without which nothing can be sent."""
    missing = [name for name in REQUIRED[base_of(feed)] if getattr(feed, name, None) is None]
    if isinstance(feed, OrderFeed) and type(feed).lines is OrderFeed.lines:
        missing.append("lines")
    for name in missing:
        yield error(feed, "neuroon.E007", f"it does not say what {name} is", how_to_write(name))


def misspelt(feed: Feed[Any]) -> Iterator[CheckMessage]:
    """Report names that hide one of the app's own, and names that look like an entry but are none."""
    readable = [*base_of(feed).entries, *OVERRIDDEN]
    reserved = _reserved(feed) - {*readable}
    for name in own_names(feed):
        if name in reserved:
            message = f"{name} is a name that the app uses itself"
            yield error(feed, "neuroon.E011", message, "Give it another name.")
        elif name not in readable and not name.startswith("_"):
            yield from _unread(feed, name, readable)


def _reserved(feed: Feed[Any]) -> set[str]:
    """Return the public names of the app's own class; a shop may repeat the model that it registers."""
    names = {name for name in [*dir(base_of(feed)), "model", "label"] if not name.startswith("_")}
    repeats_model = getattr_static(type(feed), "model", None) is feed.model
    return names - {"model"} if repeats_model else names


def _unread(feed: Feed[Any], name: str, readable: list[str]) -> Iterator[CheckMessage]:
    """Report a name that nobody reads where an entry of a similar name is not written."""
    meant = _usual_entry(feed, name)
    if meant not in readable:
        meant = next(iter(get_close_matches(name, readable, 1, cutoff=0.8)), "")
    if meant and meant not in own_names(feed):
        yield warning(feed, "neuroon.W012", f"nobody reads {name}", f"Did you mean {meant}?")


def _usual_entry(feed: Feed[Any], name: str) -> str:
    """Return the entry that shops often call so, or ""; a method of that name is the shop's own."""
    declared = getattr_static(feed, name)  # a property is not to be run
    return USUAL_ENTRIES.get(name, "") if isinstance(declared, str | Value) else ""
