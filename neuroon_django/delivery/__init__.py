"""Delivery: fold what changed, claim what is due, send it, and write down what came of it."""

from neuroon_django.delivery.fold import fold, fold_all
from neuroon_django.delivery.order_fold import find_paid, fold_orders
from neuroon_django.delivery.order_preview import preview_orders
from neuroon_django.delivery.order_report import build, lines_of
from neuroon_django.delivery.order_run import ConversionRun
from neuroon_django.delivery.run import ProductRun
from neuroon_django.delivery.scan import Scan
from neuroon_django.delivery.troubles import Tally

__all__ = [
    "ConversionRun",
    "ProductRun",
    "Scan",
    "Tally",
    "build",
    "find_paid",
    "fold",
    "fold_all",
    "fold_orders",
    "lines_of",
    "preview_orders",
]
