"""Where the shop sells, by the language of a page or of a shop at Neuroon: in which currency."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.utils.translation import get_language

CENT = Decimal("0.01")


def currency() -> str:
    """The currency of the active language's market."""
    language = get_language() or ""
    return str(settings.SHOP_CURRENCIES.get(language, settings.SHOP_CURRENCY))


def in_currency(price: Decimal, code: str) -> Decimal:
    """A price of the catalogue, which is in `SHOP_CURRENCY`, at the shop's own fixed rate."""
    return (price * settings.SHOP_RATES.get(code, Decimal(1))).quantize(CENT)
