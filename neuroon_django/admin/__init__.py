"""Django's admin: what was sent and what was not, an overview, and a mixin for the shop's own admin.

Imported by the admin's autodiscovery, or by a shop for `NeuroonProductAdminMixin`; the lists open in
a constant number of queries however long they are.
"""

from neuroon_django.admin.lists import ConversionAdmin, SyncedProductAdmin
from neuroon_django.admin.mixin import NeuroonProductAdminMixin
from neuroon_django.admin.overview import ShopStateAdmin

__all__ = ["ConversionAdmin", "NeuroonProductAdminMixin", "ShopStateAdmin", "SyncedProductAdmin"]
