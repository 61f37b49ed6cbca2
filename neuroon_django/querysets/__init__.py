"""Verbs on rows: the only place where this app's rows change, and the only definition of "due".

`changes` appends what the shop did, `delivery` claims and settles what is on its way, `products`
and `conversions` fold changes into due rows, `shops` keeps what all workers share.
"""

from neuroon_django.querysets.changes import ChangeQuerySet
from neuroon_django.querysets.conversions import ConversionQuerySet
from neuroon_django.querysets.delivery import DeliveryQuerySet, Lane, Settlement
from neuroon_django.querysets.products import Placement, SyncedProductQuerySet
from neuroon_django.querysets.rows import PrimaryManager
from neuroon_django.querysets.shops import GROUPS, ShopStateQuerySet
from neuroon_django.querysets.states import ConversionStatus, ProductStatus

__all__ = [
    "GROUPS",
    "ChangeQuerySet",
    "ConversionQuerySet",
    "ConversionStatus",
    "DeliveryQuerySet",
    "Lane",
    "Placement",
    "PrimaryManager",
    "ProductStatus",
    "Settlement",
    "ShopStateQuerySet",
    "SyncedProductQuerySet",
]
