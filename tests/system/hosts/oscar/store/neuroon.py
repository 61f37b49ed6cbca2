"""What the handbook tells a shop to write."""

from oscar.core.loading import get_model

from neuroon_django import register
from neuroon_django.contrib.oscar import OscarOrderFeed, OscarProductFeed

register(get_model("catalogue", "Product"))(OscarProductFeed)
register(get_model("order", "Order"))(OscarOrderFeed)
