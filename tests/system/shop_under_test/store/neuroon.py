"""What a product is for Neuroon."""

from neuroon_django import ProductFeed, register
from store.models import Product


@register(Product)
class CatalogueFeed(ProductFeed[Product]):
    external_id = "sku"
