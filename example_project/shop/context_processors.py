"""What the header of every page shows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from shop.basket import Basket


def shop(request: HttpRequest) -> dict[str, Any]:
    return {"basket": Basket(request)}
