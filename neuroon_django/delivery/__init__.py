"""Delivery: fold what changed, claim what is due, send it, and write down what came of it.

`fold` turns change rows into due rows, `scan` finds what changed without a signal, `engine` runs the
channels `products`, `deletes` and `orders`; `preview` and `reconcile` only look, and queue.

Where to look: what an answer means for one product, a 422 among them, says `product_answers`, and
whose fault it is `blame`; for deletes and orders their channels do. What a status means for the whole
endpoint says `error_policy`. What happens when a worker dies says the top of `models/delivery.py` for
its rows and of `models/run_lease.py` for its run. Where the language of a payload is set:
`feeds/context.py`.
"""

from neuroon_django.delivery.engine import Engine
from neuroon_django.delivery.fingerprint import notice_changes
from neuroon_django.delivery.fold import fold, fold_all, fold_orders
from neuroon_django.delivery.preview import preview_orders, preview_products, preview_rows
from neuroon_django.delivery.pruning import prune_changes
from neuroon_django.delivery.reconcile import Reconciliation
from neuroon_django.delivery.runs import order_run, orders_wait, product_run, products_wait
from neuroon_django.delivery.scan import Scan
from neuroon_django.delivery.statistics import RunStatistics

__all__ = [
    "Engine",
    "Reconciliation",
    "RunStatistics",
    "Scan",
    "fold",
    "fold_all",
    "fold_orders",
    "notice_changes",
    "order_run",
    "orders_wait",
    "preview_orders",
    "preview_products",
    "preview_rows",
    "product_run",
    "products_wait",
    "prune_changes",
]
