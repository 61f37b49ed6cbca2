"""What a shop subclasses to say what its products and orders are for Neuroon; nothing else.

Everything that works with a feed lives on its `source.Source`, so that no name that a shop gives to
a method of its own can clash. `model` and `shop` are set when the feed is bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.db.models import Model, QuerySet

if TYPE_CHECKING:
    from neuroon_django.conf import ShopConfig

M = TypeVar("M", bound=Model)


class Feed(Generic[M]):
    """What both feeds share: a model, its queryset, and entries that say where values come from.

    An entry is a lookup (a string: attribute, callable, annotation, or a path over relations), a
    method, or a constant (`Value(…)`, or anything that is not a string). `depends_on` names relations
    that methods read, `ignores` fields whose change alone does not count. `bulk_writes` names models
    (or "app.Model") whose `update()`, `bulk_create()` and `bulk_update()` count as saves do. `shops`
    are the aliases of the shops that the feed is for, all of them by default; `self.shop` is the one
    that is asked for (`alias`, `LANGUAGE`, `CURRENCY`, `STOREFRONT_URL`), in every method.
    """

    model: type[M]
    shop: ShopConfig
    depends_on: ClassVar[list[str]] = []
    ignores: ClassVar[list[str]] = []
    bulk_writes: ClassVar[list[type[Model] | str]] = []
    shops: ClassVar[list[str]] = []

    def get_queryset(self) -> QuerySet[M]:
        """Return the objects that exist for Neuroon: the default manager's unless overridden."""
        return self.model._default_manager.all()


class ProductFeed(Feed[M]):
    """What a product is for Neuroon (fields: `API.md`, "Products").

    `external_id`, `name`, `price` and `url` are required. `is_listed` False takes a product out of
    Neuroon while the shop keeps it. `price` and `sale_price` are amounts in `currency`; `categories`
    and `tags` are names, as a list, a queryset or comma-separated text. Of the plugin route only are
    `sku`, `rating` (0 to 5), `review_count`, `attributes` (texts by name) and `parent`: the product
    that a variant belongs to, or that one's external id. `changes_at` is when the product changes by
    the clock alone, as at a sale's end or its publication: a datetime, a date, or several of them.
    """

    external_id: Any = "pk"
    name: Any = "name"
    price: Any = "price"
    url: Any = "get_absolute_url"
    is_listed: Any = True
    description: Any = None
    sale_price: Any = None
    currency: Any = None
    image_url: Any = None
    categories: Any = None
    brand: Any = None
    tags: Any = None
    in_stock: Any = None
    stock_quantity: Any = None
    sku: Any = None
    rating: Any = None
    review_count: Any = None
    attributes: Any = None
    parent: Any = None
    changes_at: Any = None

    def extra(self, product: M) -> Mapping[str, Any]:
        """Return further fields of the plugin route by their wire names, such as `{"gtin": …}`."""
        return {}


class OrderFeed(Feed[M]):
    """What a paid order is for Neuroon (`API.md`, "Conversions").

    A paid order that `is_cancelled` before it was reported is not reported. `clicks` is where a
    headless checkout keeps the cookie's text with the order: a field, JSON or a mapping. Of the
    relations in `depends_on`, those whose rows are one order's alone also say whose changes count:
    rows that point to it, such as payments, and one-to-one relations.
    Of several shops an order belongs to the one in whose pages its products were clicked; where that
    is not known, `shop_alias` says it, as by `"channel__slug"`.
    """

    order_id: Any = "pk"
    order_value: Any = None
    currency: Any = None
    is_paid: Any = None
    is_cancelled: Any = False
    clicks: Any = None
    shop_alias: Any = None

    def lines(self, order: M) -> Iterable[ConversionLine]:
        """Return the order's lines; only those whose product was found by a search are reported."""
        return ()


@dataclass(frozen=True, slots=True)
class ConversionLine:
    """One line of an order: `product` is the shop's object or an external id, `line_total` money."""

    product: Any
    quantity: int
    line_total: Decimal | float | int


# What a shop can say, in the order of the classes: a new entry is declared there, cleaned in
# `rendering`, and has its field in `api.messages.Product`.
PRODUCT_ENTRIES = tuple(ProductFeed.__annotations__)
ORDER_ENTRIES = tuple(OrderFeed.__annotations__)
