"""Checks of what a feed's class says: entries that are missing, misspelt, or names of the app's own."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from inspect import getattr_static
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db.models import Value
from django.utils.translation import gettext as _

from neuroon_django.feeds import Feed, OrderFeed, ProductFeed

REQUIRED = {
    ProductFeed: ("external_id", "name", "price", "url", "is_listed"),
    OrderFeed: ("order_id", "order_value", "is_paid"),
}
LISTS = ("depends_on", "ignores")
OVERRIDDEN = (*LISTS, "get_queryset", "extra", "lines")
# What shops write for an entry that is called something else.
USUAL_ENTRIES = {
    "category": ["categories"],
    "image": ["image_url"],
    "stock": ["stock_quantity"],
    "quantity": ["stock_quantity"],
    "sale": ["sale_price"],
}


def error(feed: Feed[Any], id: str, message: str, hint: str) -> Error:
    """A message about one feed."""
    return Error(f"{type(feed).__name__}: {message}.", hint=hint, obj=feed.model, id=id)


def how_to_say(name: str) -> str:
    """What to type for an entry."""
    return _('Write %(name)s = "…", a lookup, or a method def %(name)s(self, …).') % {"name": name}


def own_names(feed: Feed[Any]) -> list[str]:
    """What the shop's own classes write."""
    base = ProductFeed if isinstance(feed, ProductFeed) else OrderFeed
    own = [n for c in type(feed).__mro__ if c not in base.__mro__ for n in vars(c)]
    return list(dict.fromkeys(own))


def required(feed: Feed[Any]) -> Iterator[CheckMessage]:
    """Entries without which nothing can be sent."""
    kind = ProductFeed if isinstance(feed, ProductFeed) else OrderFeed
    missing = [name for name in REQUIRED[kind] if getattr(feed, name, None) is None]
    if isinstance(feed, OrderFeed) and type(feed).lines is OrderFeed.lines:
        missing.append("lines")
    for name in missing:
        yield error(
            feed,
            "neuroon.E007",
            _("it does not say what %s is") % name,
            how_to_say(name),
        )


def misspelt(feed: Feed[Any]) -> Iterator[CheckMessage]:
    """Names that nobody reads, and names of the app's own that break it."""
    base = ProductFeed if isinstance(feed, ProductFeed) else OrderFeed
    right = [*base.entries, *OVERRIDDEN]
    ours = {name for name in [*dir(base), "model", "label"] if name[0] != "_"} - {*right}
    own = own_names(feed)
    for name in own:
        if name in ours and not (name == "model" and getattr_static(type(feed), name) is feed.model):
            yield error(
                feed,
                "neuroon.E011",
                _("%s is a name that the app uses itself") % name,
                _("Give it another name."),
            )
            continue
        stands = getattr_static(feed, name)  # a property is not to be run
        is_entry = isinstance(stands, str | Value)
        usual = [n for n in USUAL_ENTRIES.get(name, []) if is_entry and n in right]
        near = usual or get_close_matches(name, right, 1, cutoff=0.8)
        if near and name not in right and not name.startswith("_") and near[0] not in own:
            yield Warning(
                _("%(feed)s: nobody reads %(name)s.") % {"feed": type(feed).__name__, "name": name},
                hint=_("Did you mean %s?") % near[0],
                obj=feed.model,
                id="neuroon.W012",
            )
