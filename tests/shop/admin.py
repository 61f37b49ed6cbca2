"""The shop's own product admin, with the app's mixin."""

from django.contrib import admin

from neuroon_django.admin import NeuroonProductAdminMixin
from tests.shop.models import Product


@admin.register(Product)
class ProductAdmin(NeuroonProductAdminMixin, admin.ModelAdmin):
    list_display = ["title", "sku"]
    ordering = ["pk"]
