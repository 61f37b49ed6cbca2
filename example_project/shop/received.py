"""What Neuroon received: pages over the sandbox's control side, for looking at one's own work.

A real Neuroon has no such side; with one configured, these pages say so.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import requests
from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

TIMEOUT = 2
PER_PAGE = 25
LAST_REQUESTS = 30


class Silent(Exception):
    """The sandbox gave no answer that makes sense, and why."""


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    def gather() -> dict[str, Any]:
        state = _ask("state", dict)
        last = _ask(f"requests?limit={LAST_REQUESTS}", list)
        return {
            "state": state,
            "request_count": sum(state.get("requests", {}).values()),
            "verified": state.get("settings", {}).get("verified"),
            "last": [_told(one) for one in reversed(last)],
        }

    return _show(request, "overview", gather)


@require_GET
def products(request: HttpRequest) -> HttpResponse:
    def gather() -> dict[str, Any]:
        page = Paginator(_ask("products", list), PER_PAGE).get_page(request.GET.get("page"))
        pages = page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)
        return {"page": page, "pages": pages}

    return _show(request, "products", gather)


@require_GET
def conversions(request: HttpRequest) -> HttpResponse:
    def gather() -> dict[str, Any]:
        return {"conversions": _ask("conversions", list)[::-1]}

    return _show(request, "conversions", gather)


def _show(request: HttpRequest, tab: str, gather: Callable[[], dict[str, Any]]) -> HttpResponse:
    context: dict[str, Any] = {
        "tab": tab,
        "address": settings.SHOP_SANDBOX_URL,
        "storefront": settings.NEUROON_STOREFRONT_URL,
    }
    try:
        context |= gather()
    except Silent as reason:
        context |= {"silent": str(reason)}
    return render(request, f"shop/received/{tab}.html", context)


def _ask(path: str, shape: type) -> Any:
    """An answer of the control side, its numbers as exact as they were sent."""
    try:
        with requests.Session() as session:
            session.trust_env = False  # it runs on this machine: no proxy
            address = f"{settings.SHOP_SANDBOX_URL.rstrip('/')}/_sandbox/{path}"
            response = session.get(address, timeout=TIMEOUT)
            answer = response.json(parse_float=Decimal) if response.ok else None
    except requests.RequestException:
        raise Silent("Nothing answers there.") from None
    if not isinstance(answer, shape):
        raise Silent(f"What answers there is no sandbox (status {response.status_code}).")
    return answer


def _told(received: dict[str, Any]) -> dict[str, Any]:
    status = received.get("status")
    return {
        "method": received.get("method"),
        "path": received.get("path"),
        "status": status or "no answer",
        "refused": not status or status >= 400,
        "products": len(received.get("external_ids") or ()),
    }
