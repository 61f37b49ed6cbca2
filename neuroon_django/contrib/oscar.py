"""Feeds for a shop that is built on django-oscar, forked apps included: import it from `neuroon.py`.

What the storefront lists is a product at Neuroon: a stand-alone product, or a parent with its
children's price and stock. A child is bought under its parent's id, unless `sends_children` is set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Model, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Substr
from django.db.models.signals import post_save
from django.dispatch import receiver
from oscar.core.loading import get_class, get_model

from neuroon_django.feeds import ConversionLine, OrderFeed, ProductFeed, registry
from neuroon_django.recording.record import mark_changed

MOST_LEVELS = 8  # of a category's tree whose names are sent, beside its own
LEVEL = "neuroon_level_"


class OscarProductFeed(ProductFeed[Any]):
    """Oscar's products: prices and stock by the project's strategy, categories from root to leaf.

    With `sends_children`, children are products beside their parents: they keep their own price and
    stock, and take title, description, images and categories from the parent where they have none.
    """

    sends_children: ClassVar[bool] = False

    name = "get_title"
    sku = "upc"
    rating = "rating"
    parent = "parent"
    depends_on: ClassVar[list[str]] = [
        *("product_class", "images", "categories", "stockrecords", "children__stockrecords"),
        *("parent__product_class", "parent__images", "parent__categories"),
    ]

    def get_queryset(self) -> QuerySet[Any]:
        """Return the products that the storefront can list, the children only with `sends_children`."""
        # Oscar leaves their order to the database; its own strategy takes the first one.
        records = get_model("partner", "StockRecord")._default_manager.order_by("pk")
        stock = Prefetch("stockrecords", queryset=records)
        children = self.model._default_manager.filter(is_public=True).prefetch_related(stock)
        queryset: Any = self.model._default_manager.prefetch_related(stock)
        queryset = queryset.prefetch_browsable_categories(categories_with_ancestors())
        queryset = queryset.prefetch_public_children(children)
        found: QuerySet[Any] = queryset if self.sends_children else queryset.filter(parent=None)
        return found

    def strategy(self) -> Any:
        """Return the strategy that prices are asked of: the project's, for no request and no user."""
        return get_class("partner.strategy", "Selector")().strategy()

    def purchase_info(self, product: Any) -> Any:
        """Return the strategy's price and availability; a parent's are those of its children."""
        strategy = self.strategy()
        ask = strategy.fetch_for_parent if product.is_parent else strategy.fetch_for_product
        return ask(product)

    def is_listed(self, product: Any) -> bool:
        """Return whether a shopper can find it: public, and so is the parent of a child."""
        return product.is_public and (product.parent is None or product.parent.is_public)

    def price(self, product: Any) -> Decimal | None:
        """Return what a shopper pays, with the tax where it is known."""
        price = self.purchase_info(product).price
        if not price.exists:
            return None
        amount: Decimal = price.incl_tax if price.is_tax_known else price.excl_tax
        return amount

    def currency(self, product: Any) -> str | None:
        """Return the currency of the price."""
        code: str | None = self.purchase_info(product).price.currency
        return code

    def in_stock(self, product: Any) -> bool:
        """Return whether one can be bought now."""
        return bool(self.purchase_info(product).availability.is_available_to_buy)

    def stock_quantity(self, product: Any) -> int | None:
        """Return how many can be bought, None where nobody counts them and for parents."""
        number = getattr(self.purchase_info(product).availability, "num_available", None)
        return None if number is None else max(0, number)

    def description(self, product: Any) -> str:
        """Return its own description, or the parent's."""
        text: str = product.description or (product.parent.description if product.parent else "")
        return text

    def image_url(self, product: Any) -> Any:
        """Return the primary image, its own or the parent's; `MissingProductImage` is none."""
        return product.primary_image().original if product.get_all_images() else None

    def categories(self, product: Any) -> list[str]:
        """Return the names of its public categories, or the parent's, each after its ancestors'."""
        return [name for category in product.get_categories() for name in names_of(category)]


class OscarOrderFeed(OrderFeed[Any]):
    """Oscar's orders. One that exists is paid, unless OSCAR_NEUROON_PAID_STATUSES names statuses."""

    order_id = "number"
    order_value = "total_incl_tax"
    currency = "currency"

    def is_paid(self, order: Any) -> bool:
        """Return whether it is paid: oscar places an order when its payment was taken."""
        statuses = getattr(settings, "OSCAR_NEUROON_PAID_STATUSES", None)
        return statuses is None or order.status in statuses

    def lines(self, order: Any) -> Iterable[ConversionLine]:
        """Yield the lines whose product is still there, a child's as its parent's."""
        for line in order.lines.select_related("product__parent"):
            if line.product is not None:
                product = canonical(line.product)
                yield ConversionLine(product, line.quantity, line.line_price_incl_tax)


def canonical(product: Any) -> Model:
    """Return the product that Neuroon knows: a child's parent, unless children are sent."""
    source = registry.product_source_of(type(product))
    children = source is not None and getattr(source.feed, "sends_children", False)
    found: Model = product if children or product.parent is None else product.parent
    return found


def categories_with_ancestors() -> QuerySet[Any]:
    """Return oscar's public categories, each with its ancestors' names: no query for each of them."""
    model: Any = get_model("catalogue", "Category")
    levels = {}
    for level in range(1, MOST_LEVELS + 1):
        start = Substr(OuterRef("path"), 1, level * model.steplen)
        named = model._base_manager.filter(path=start, depth=level).values("name")
        levels[f"{LEVEL}{level}"] = Subquery(named)
    found: QuerySet[Any] = model._default_manager.browsable().annotate(**levels)
    return found


def names_of(category: Any) -> Iterator[str]:
    """Yield the names from the root to a category of `categories_with_ancestors`."""
    for level in range(1, min(category.depth - 1, MOST_LEVELS) + 1):
        yield getattr(category, f"{LEVEL}{level}")
    yield category.name


@receiver(post_save, sender="catalogue.Category", dispatch_uid="neuroon_django.contrib.oscar")
def categories_below_changed(instance: Any, raw: bool = False, **kwargs: Any) -> None:
    """Record the categories below one that was saved: its name is in their products' payloads.

    Its position in the tree is no relation that a feed could name in `depends_on`.
    """
    if not raw:
        below = type(instance)._base_manager.filter(path__startswith=instance.path)
        mark_changed(below.exclude(pk=instance.pk))
