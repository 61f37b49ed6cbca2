"""The feed of items, which depend on offers and their batches."""

from __future__ import annotations

from django.db.models import Value

from neuroon_django import ProductFeed, register
from tests.shop.models import Item


@register(Item)
class ItemFeed(ProductFeed[Item]):
    external_id = "code"
    name = "title"
    price = 1
    url = Value("/")
    depends_on = ["offers__batches"]
