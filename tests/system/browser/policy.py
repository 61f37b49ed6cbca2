"""A Content-Security-Policy with a nonce, read lazily as Django's own and django-csp's are."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

POLICY = (
    "default-src 'none'; script-src {scripts}; connect-src 'self' {api}; style-src 'self'; "
    "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class StrictPolicy:
    """Scripts need the nonce, but for the shop's own; no nonce can hold for a page cached whole."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        used: list[str] = []

        def nonce() -> str:
            used.append(secrets.token_urlsafe(16))
            return used[0]

        request.csp_nonce = SimpleLazyObject(nonce)  # type: ignore[attr-defined]
        response = self.get_response(request)
        scripts = [f"{settings.NEUROON_STOREFRONT_URL}/static/shop/shop.js"]
        scripts += [f"'nonce-{value}'" for value in used]
        if request.path.startswith("/cached/"):
            scripts = ["'self'", settings.NEUROON_WIDGET_URL]
        if not request.path.startswith("/admin/"):
            api = settings.NEUROON_API_URL
            policy = POLICY.format(scripts=" ".join(scripts), api=api)
            response["Content-Security-Policy"] = policy
        return response
