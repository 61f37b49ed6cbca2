"""Who is registered: `register`, and the feeds that a worker or a receiver asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from django.db.models import Model

from neuroon_django.exceptions import ConfigurationError
from neuroon_django.feeds.feed import Feed
from neuroon_django.feeds.keys import is_composite
from neuroon_django.feeds.orders import OrderFeed
from neuroon_django.feeds.paths import Path, same_table
from neuroon_django.feeds.products import ProductFeed

F = TypeVar("F", bound=type[Feed[Any]])


class Registry:
    """The feeds of a project, by the label of their model."""

    def __init__(self) -> None:
        self.feeds: dict[str, Feed[Any]] = {}
        self.doubles: list[tuple[type[Model], type[Feed[Any]]]] = []
        self.unusable: list[tuple[type[Model], type[Feed[Any]]]] = []  # of models with composite keys
        self.closed = False

    def add(self, model: type[Model], feed: type[Feed[Any]]) -> None:
        if self.closed:
            raise ConfigurationError(
                f"@register({model.__name__}) came after start-up. Put {feed.__name__} into "
                f"neuroon.py of an installed app: {model._meta.app_label}/neuroon.py"
            )
        if is_composite(model):
            self.unusable.append((model, feed))
            return
        label = model._meta.label_lower
        if label in self.feeds and type(self.feeds[label]) is not feed:
            self.doubles.append((model, feed))
        self.feeds.setdefault(label, feed(model))

    def products(self) -> list[ProductFeed[Any]]:
        return [feed for feed in self.feeds.values() if isinstance(feed, ProductFeed)]

    def orders(self) -> list[OrderFeed[Any]]:
        return [feed for feed in self.feeds.values() if isinstance(feed, OrderFeed)]

    def product_feed(self, label: str) -> ProductFeed[Any] | None:
        feed = self.feeds.get(label)
        return feed if isinstance(feed, ProductFeed) else None

    def order_feed(self, label: str) -> OrderFeed[Any] | None:
        feed = self.feeds.get(label)
        return feed if isinstance(feed, OrderFeed) else None

    def feeds_of(self, model: type[Model]) -> Iterator[Feed[Any]]:
        """The feeds whose objects are instances of this model, its proxies and children included."""
        concrete = model._meta.concrete_model or model
        for feed in self.feeds.values():
            if issubclass(concrete, feed.model._meta.concrete_model or feed.model):
                yield feed

    def hanging(self, label: str) -> list[tuple[ProductFeed[Any], Path]]:
        """The product feeds, with each path, along which an object of that model is read."""
        return [
            (feed, path)
            for feed in self.products()
            for path in feed.paths
            if path.target._meta.label_lower == label
        ]

    def topics_of(self, model: type[Model]) -> dict[str, type[Model]]:
        """The labels that a change of this model's objects is recorded under, and their models."""
        known = [(feed.model, feed.topic) for feed in self.feeds.values()]
        targets = [path.target for feed in self.products() for path in feed.paths]
        known += [(target, target._meta.label_lower) for target in targets]
        return {t: m for m, t in known if same_table(model, m) and not is_composite(m)}


def _unregistrable(given: object) -> str:
    """What to write instead of `@register`, `@register()` or `@register("shop.Product")`."""
    if isinstance(given, str):
        app, _, name = given.rpartition(".")
        name = name if name.isidentifier() else "Product"
        told = f"from {app or '<app>'}.models import {name}, then @register({name})"
        return f"@register({given!r}) takes the model itself, not its name. Write: {told}"
    if isinstance(given, type) and issubclass(given, Feed):
        return f"@register needs the model. Write @register(Product) above class {given.__name__}"
    called = "" if given is None else repr(given)
    return f"@register({called}) takes the shop's models. Write @register(Product) above the feed"


registry = Registry()


def register(*models: type[Model]) -> Callable[[F], F]:
    """Connect a feed to its model: `@register(Product)` above the class, in `<app>/neuroon.py`."""
    for model in models or [None]:
        if not (isinstance(model, type) and issubclass(model, Model)):
            raise ConfigurationError(_unregistrable(model))

    def wrapper(feed: F) -> F:
        if not (isinstance(feed, type) and issubclass(feed, ProductFeed | OrderFeed)):
            name = getattr(feed, "__name__", repr(feed))
            told = f"class {name}(ProductFeed): or class {name}(OrderFeed):"
            raise ConfigurationError(f"{name} is no feed. Write {told}")
        for model in models:
            registry.add(model, feed)
        return feed

    return wrapper
