"""What every page shows around its own content."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from shop.basket import Basket


def shop(request: HttpRequest) -> dict[str, Any]:
    return {"basket": Basket(request), "sandbox": settings.SHOP_SANDBOX_URL}
