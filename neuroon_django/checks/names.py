"""Checks of what a feed's class says: entries that are missing, misspelt, or names of the app's own."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from inspect import getattr_static
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db.models import Value

from neuroon_django.feeds import OrderFeed, ProductFeed, Source
from neuroon_django.feeds.lookups import accepts

REQUIRED = {
    ProductFeed: ("external_id", "name", "price", "url", "is_listed"),
    OrderFeed: ("order_id", "order_value", "is_paid"),
}
LISTS = ("shops", "depends_on", "ignores", "bulk_writes")
OVERRIDDEN = (*LISTS, "get_queryset", "extra", "lines")
# What shops write for an entry that is called something else.
USUAL_ENTRIES = {
    "category": "categories",
    "image": "image_url",
    "stock": "stock_quantity",
    "quantity": "stock_quantity",
    "sale": "sale_price",
    "reviews": "review_count",
}


def error(source: Source[Any], id: str, message: str, hint: str) -> Error:
    """Return an error about one source, which its message begins with."""
    return Error(f"{source.name}: {message}.", hint=hint, obj=source.model, id=id)


def warning(source: Source[Any], id: str, message: str, hint: str) -> Warning:
    """Return a warning about one source, which its message begins with."""
    return Warning(f"{source.name}: {message}.", hint=hint, obj=source.model, id=id)


def how_to_write(name: str) -> str:
    """Return what to type for an entry."""
    return f'Write {name} = "…", a lookup, or a method def {name}(self, …).'


def base_of(source: Source[Any]) -> type[ProductFeed[Any]] | type[OrderFeed[Any]]:
    """Return the app's own class that a feed is a subclass of."""
    return ProductFeed if isinstance(source.feed, ProductFeed) else OrderFeed


def own_names(source: Source[Any]) -> list[str]:
    """Return the names that the shop's own classes write, each once."""
    app_classes = base_of(source).__mro__
    shop_classes = [cls for cls in type(source.feed).__mro__ if cls not in app_classes]
    return list(dict.fromkeys(name for cls in shop_classes for name in vars(cls)))


def required(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report missing entries without which nothing can be sent."""
    missing = [name for name in REQUIRED[base_of(source)] if getattr(source.feed, name, None) is None]
    if isinstance(source.feed, OrderFeed) and not source.overrides("lines"):
        missing.append("lines")
    for name in missing:
        yield error(source, "neuroon.E007", f"it does not say what {name} is", how_to_write(name))


def methods(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report methods that do not take the object that they are asked about."""
    noun = "order" if isinstance(source.feed, OrderFeed) else "product"
    asked = {name: entry.get for name, entry in source.compiled.items() if entry.kind == "method"}
    also = {name: getattr(source.feed, name, None) for name in ("extra", "lines")}
    for name, method in (asked | also).items():
        if callable(method) and not accepts(method, None):
            message = f"{name}() cannot be called with the {noun} alone"
            hint = f"Write def {name}(self, {noun})."
            yield error(source, "neuroon.E005", message, hint)


def misspelt(source: Source[Any]) -> Iterator[CheckMessage]:
    """Report names that hide one of the app's own, and names that look like an entry but are none."""
    readable = [*source.entries, *OVERRIDDEN]
    reserved = _reserved(source)
    for name in own_names(source):
        if name in reserved:
            message = f"{name} is a name that the app uses itself"
            yield error(source, "neuroon.E011", message, "Give it another name.")
        elif name not in readable and not name.startswith("_"):
            yield from _unread(source, name, readable)


def _reserved(source: Source[Any]) -> set[str]:
    """Return the names that are set on a feed; a shop may repeat the model that it registers."""
    repeats_model = getattr_static(type(source.feed), "model", None) is source.model
    return {"shop"} if repeats_model else {"model", "shop"}


def _unread(source: Source[Any], name: str, readable: list[str]) -> Iterator[CheckMessage]:
    """Report a name that nobody reads where an entry of a similar name is not written."""
    meant = _usual_entry(source, name)
    if meant not in readable:
        meant = next(iter(get_close_matches(name, readable, 1, cutoff=0.86)), "")
    if meant and meant not in own_names(source):
        yield warning(source, "neuroon.W012", f"nobody reads {name}", f"Did you mean {meant}?")


def _usual_entry(source: Source[Any], name: str) -> str:
    """Return the entry that shops often call so, or ""; a method of that name is the shop's own."""
    declared = getattr_static(source.feed, name)  # a property is not to be run
    return USUAL_ENTRIES.get(name, "") if isinstance(declared, str | Value) else ""
