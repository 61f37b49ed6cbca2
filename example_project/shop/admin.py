"""The shop's back office; a product's page shows what Neuroon knows of it."""

# mypy: disable-error-code="type-arg"

from __future__ import annotations

from django.contrib import admin

from neuroon_django.admin import NeuroonProductAdminMixin
from shop.models import Brand, Category, Order, OrderLine, Product, StockRecord


class StockRecordInline(admin.TabularInline):
    model = StockRecord
    extra = 0


class OrderLineInline(admin.TabularInline):
    model = OrderLine
    extra = 0
    raw_id_fields = ["product"]


@admin.register(Product)
class ProductAdmin(NeuroonProductAdminMixin, admin.ModelAdmin):
    list_display = ["title", "sku", "brand", "is_published"]
    list_filter = ["is_published", "brand"]
    list_select_related = ["brand"]
    search_fields = ["title", "sku"]
    prepopulated_fields = {"slug": ["title"]}
    raw_id_fields = ["categories"]
    inlines = [StockRecordInline]


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["number", "status", "total", "currency", "created"]
    list_filter = ["status"]
    search_fields = ["number", "email"]
    readonly_fields = ["number", "total", "currency", "created"]
    inlines = [OrderLineInline]


@admin.register(Brand)
class BrandAdmin(admin.ModelAdmin):
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ["name", "parent"]
    list_select_related = ["parent"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}
