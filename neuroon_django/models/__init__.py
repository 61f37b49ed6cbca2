"""The tables: what the shop writes, what workers share, and every change that a row can undergo.

`change` is the outbox, `product` the mirror, `conversion` the orders; `delivery` tells how rows of
both are claimed and settled, `assignment` which object owns which external id. `shop` and `endpoint`
are what all workers share, `several_shops` what a fold asks of all shops, `waiting` the children of
products that are not sent yet, `planned` what changes by the clock, `run` what runs did. A row's
columns change only through the methods of these files.
"""

from neuroon_django.models.assignment import Assignment
from neuroon_django.models.change import Change, unseen
from neuroon_django.models.conversion import Conversion, ConversionOutcomes, ConversionStatus
from neuroon_django.models.delivery import Delivery, Lane
from neuroon_django.models.endpoint import Endpoint, Group
from neuroon_django.models.fold_lock import FoldLock
from neuroon_django.models.planned import PlannedChange
from neuroon_django.models.product import SyncedProduct
from neuroon_django.models.product_outcomes import ProductOutcomes, ProductStatus
from neuroon_django.models.run import Run
from neuroon_django.models.shop import ShopState, TokenMethod
from neuroon_django.models.waiting import WaitingChild

__all__ = [
    "Assignment",
    "Change",
    "Conversion",
    "ConversionOutcomes",
    "ConversionStatus",
    "Delivery",
    "Endpoint",
    "FoldLock",
    "Group",
    "Lane",
    "PlannedChange",
    "ProductOutcomes",
    "ProductStatus",
    "Run",
    "ShopState",
    "SyncedProduct",
    "TokenMethod",
    "WaitingChild",
    "unseen",
]
