"""Django's admin: what was sent and what was not, an overview, runs, and a mixin for the shop's admin.

Imported by the admin's autodiscovery, or by a shop for `NeuroonProductAdminMixin`; the lists open in
a constant number of queries however long they are.
"""

from neuroon_django.admin.conversions import ConversionAdmin
from neuroon_django.admin.mixin import NeuroonProductAdminMixin
from neuroon_django.admin.overview import ShopStateAdmin
from neuroon_django.admin.products import SyncedProductAdmin
from neuroon_django.admin.runs import RunAdmin

__all__ = [
    "ConversionAdmin",
    "NeuroonProductAdminMixin",
    "RunAdmin",
    "ShopStateAdmin",
    "SyncedProductAdmin",
]
