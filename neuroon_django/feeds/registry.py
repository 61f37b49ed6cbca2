"""Which feeds are registered, and their sources, which workers and receivers ask for by model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from django.apps import apps
from django.core.exceptions import AppRegistryNotReady
from django.db.models import Model

from neuroon_django.conf import conf
from neuroon_django.exceptions import ConfigurationError
from neuroon_django.feeds.declarations import Feed, OrderFeed, ProductFeed
from neuroon_django.feeds.keys import is_composite
from neuroon_django.feeds.lookups import accepts
from neuroon_django.feeds.paths import Path, same_table
from neuroon_django.feeds.rendering import ProductSource
from neuroon_django.feeds.reporting import OrderSource
from neuroon_django.feeds.source import Source

if TYPE_CHECKING:
    from neuroon_django.conf import ShopConfig

F = TypeVar("F", bound=type[Feed[Any]])


class Registration(NamedTuple):
    """A model and the feed that was registered for it."""

    model: type[Model]
    feed: type[Feed[Any]]


class Registry:
    """The feeds of a project, by the label of their model, and their sources by shop.

    Without a shop every feed's source is given, bound to the first shop that it is for: whose changes
    concern a feed is the same for all shops.
    """

    def __init__(self) -> None:
        self.feeds: dict[str, Registration] = {}
        self.duplicates: list[Registration] = []
        self.unusable: list[Registration] = []  # of composite keys, or not to be made
        self.closed = False
        self.bulk_models: list[type[Model] | str] = []  # what `tell_bulk_writes` was given
        self._bound: dict[tuple[Registration, ShopConfig], Source[Any]] = {}

    def add(self, model: type[Model], feed: type[Feed[Any]]) -> None:
        """Register a feed for a model; the first one of a model is used."""
        if self.closed:
            raise ConfigurationError(
                f"@register({model.__name__}) came after start-up. Put {feed.__name__} into "
                f"neuroon.py of an installed app: {model._meta.app_label}/neuroon.py"
            )
        registration = Registration(model, feed)
        if is_composite(model) or not accepts(feed):
            self.unusable.append(registration)
            return
        label = model._meta.label_lower
        if label in self.feeds and self.feeds[label].feed is not feed:
            self.duplicates.append(registration)
        self.feeds.setdefault(label, registration)

    def add_bulk_writes(self, model: type[Model] | str) -> None:
        """Count bulk writes of a model, which may be named before it is there: "app.Model"."""
        if model_of(model) is None and (apps.models_ready or not isinstance(model, str)):
            raise ConfigurationError(
                f'tell_bulk_writes({model!r}): there is no such model. Write the model, or "app.Model".'
            )
        self.bulk_models.append(model)

    def bulk_written(self) -> list[type[Model]]:
        """Return the models whose bulk writes count; entries that are none are left out."""
        lists = [source.feed.bulk_writes for source in self.sources().values()]
        named = [entry for entries in lists if _is_list(entries) for entry in entries]
        return [model for entry in [*self.bulk_models, *named] if (model := model_of(entry))]

    def sources(self, shop: ShopConfig | None = None) -> dict[str, Source[Any]]:
        """Return every feed that is for a shop, bound to it, by the label of its model.

        Without a shop every feed is bound to the first shop that it is for; one that is for none is
        left out.
        """
        shops = [shop] if shop else conf.shops().values()
        bound = ((label, one, _first(one.feed, shops)) for label, one in self.feeds.items())
        return {label: self._source(one, config) for label, one, config in bound if config}

    def withdrawn_labels(self, shop: ShopConfig) -> list[str]:
        """Return the labels of product feeds of this project that are not for this shop."""
        every = ((label, one.feed) for label, one in self.feeds.items())
        return [n for n, feed in every if issubclass(feed, ProductFeed) and not is_for(feed, shop)]

    def _labels(self, kind: type[Feed[Any]], shop: ShopConfig | None) -> list[str]:
        """Return the labels of the feeds of a kind that are for a shop; no feed is made for it."""
        shops = [shop] if shop else list(conf.shops().values())
        of_kind = ((n, one.feed) for n, one in self.feeds.items() if issubclass(one.feed, kind))
        return [label for label, feed in of_kind if _first(feed, shops)]

    def _source(self, registration: Registration, shop: ShopConfig) -> Source[Any]:
        if (registration, shop) not in self._bound:
            self._bound[registration, shop] = self._bind(registration, shop)
        return self._bound[registration, shop]

    def _bind(self, registration: Registration, shop: ShopConfig) -> Source[Any]:
        model, feed = registration
        source: ProductSource[Any] | OrderSource[Any]
        if issubclass(feed, ProductFeed):
            source = ProductSource(feed, model, shop)
        else:
            source = OrderSource(feed, model, shop)
        source.products = lambda product: self.product_source_of(type(product), shop)
        return source

    def products(self, shop: ShopConfig | None = None) -> list[ProductSource[Any]]:
        """Return the product feeds' sources."""
        return [s for s in self.sources(shop).values() if isinstance(s, ProductSource)]

    def orders(self, shop: ShopConfig | None = None) -> list[OrderSource[Any]]:
        """Return the order feeds' sources."""
        return [s for s in self.sources(shop).values() if isinstance(s, OrderSource)]

    def product_source(self, label: str, shop: ShopConfig | None = None) -> ProductSource[Any] | None:
        """Return the source of a model's products, None where it has no product feed here."""
        source = self.sources(shop).get(label)
        return source if isinstance(source, ProductSource) else None

    def order_source(self, label: str, shop: ShopConfig | None = None) -> OrderSource[Any] | None:
        """Return the source of a model's orders, None where it has no order feed here."""
        source = self.sources(shop).get(label)
        return source if isinstance(source, OrderSource) else None

    def product_source_of(
        self, model: type[Model], shop: ShopConfig | None = None
    ) -> ProductSource[Any] | None:
        """Return the source of products of this model, its proxies and children included."""
        sources = (s for s in self.sources_of(model, shop) if isinstance(s, ProductSource))
        return next(sources, None)

    def sources_of(self, model: type[Model], shop: ShopConfig | None = None) -> Iterator[Source[Any]]:
        """Yield the sources whose objects are instances of this model, proxies and children too."""
        concrete = model._meta.concrete_model or model
        for source in self.sources(shop).values():
            if issubclass(concrete, source.model._meta.concrete_model or source.model):
                yield source

    def product_labels(self, shop: ShopConfig | None = None) -> list[str]:
        """Return the labels of the models that have a product feed here."""
        return self._labels(ProductFeed, shop)

    def order_labels(self, shop: ShopConfig | None = None) -> list[str]:
        """Return the labels of the models that have an order feed here."""
        return self._labels(OrderFeed, shop)

    def product_topics(self, shop: ShopConfig | None = None) -> set[str]:
        """Return the labels of changes that concern products, directly or along a relation."""
        sources = self.products(shop)
        targets = {path.target._meta.label_lower for source in sources for path in source.paths}
        return targets | {source.topic for source in sources}

    def order_topics(self, shop: ShopConfig | None = None) -> set[str]:
        """Return the labels of changes that concern orders."""
        return {source.topic for source in self.orders(shop)}

    def dependents(
        self, label: str, shop: ShopConfig | None = None
    ) -> list[tuple[ProductSource[Any], Path]]:
        """Return the product sources, with each path, along which an object of a model is read."""
        return [
            (source, path)
            for source in self.products(shop)
            for path in source.paths
            if path.target._meta.label_lower == label
        ]

    def topics_of(self, model: type[Model]) -> dict[str, type[Model]]:
        """Return the labels that a change of this model's objects is recorded under, with models."""
        known = [(source.model, source.topic) for source in self.sources().values()]
        targets = [path.target for source in self.products() for path in source.paths]
        known += [(target, target._meta.label_lower) for target in targets]
        return {t: m for m, t in known if same_table(model, m) and not is_composite(m)}


def is_for(feed: type[Feed[Any]], shop: ShopConfig) -> bool:
    """Return whether a feed is for a shop: for all of them unless it names some."""
    return not _is_list(feed.shops) or not feed.shops or shop.alias in feed.shops


def _first(feed: type[Feed[Any]], shops: Iterable[ShopConfig]) -> ShopConfig | None:
    """Return the first of these shops that a feed is for."""
    return next((shop for shop in shops if is_for(feed, shop)), None)


def _is_list(entries: object) -> bool:
    return isinstance(entries, list | tuple | set | frozenset)


def model_of(entry: object) -> type[Model] | None:
    """Return the model that an entry of `bulk_writes` is or names as "app.Model", or None."""
    if isinstance(entry, str):
        try:
            return apps.get_model(entry)
        except (LookupError, ValueError, AppRegistryNotReady):
            return None
    if not (isinstance(entry, type) and issubclass(entry, Model)) or entry is Model:
        return None
    return None if entry._meta.abstract else entry


def _unregistrable(given: object) -> str:
    """Return what to write instead of `@register`, `@register()` or `@register("shop.Product")`."""
    if isinstance(given, str):
        app, _, name = given.rpartition(".")
        name = name if name.isidentifier() else "Product"
        cure = f"from {app or '<app>'}.models import {name}, then @register({name})"
        return f"@register({given!r}) takes the model itself, not its name. Write: {cure}"
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
            cure = f"class {name}(ProductFeed): or class {name}(OrderFeed):"
            raise ConfigurationError(f"{name} is no feed. Write {cure}")
        for model in models:
            registry.add(model, feed)
        return feed

    return wrapper
