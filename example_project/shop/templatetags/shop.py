"""Template helpers of the shop's pages: prices, drawings, links that keep the filters."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.formats import number_format

from shop import markets
from shop.drawings import Drawing, draw
from shop.models import Product

register = template.Library()

SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}


@register.filter
def money(amount: Decimal | float, currency: str = "") -> str:
    """`1249.5` as `€1,249.50`."""
    code = currency or markets.currency()
    figure = number_format(amount, 2, use_l10n=False, force_grouping=True)
    return f"{SIGNS[code]}{figure}" if code in SIGNS else f"{figure} {code}"


@register.inclusion_tag("shop/drawing.svg")
def drawing(product: Product) -> dict[str, Drawing]:
    return {"drawing": draw(product)}
