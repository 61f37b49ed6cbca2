"""The middleware that keeps the shopper's clicks, as unparsed text, while a request is served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase

from neuroon_django import clicks
from neuroon_django.conf import conf
from neuroon_django.request_shop import shop_for_request

Response = HttpResponseBase


class ClickAttributionMiddleware:
    """Record the widget's cookie with every order that is saved in a shopper's request (law 13).

    Put it anywhere in `MIDDLEWARE`. Subclass it and override `allows` to ask for consent; then put
    it behind what `allows` reads, such as the session's middleware. Where there are two, clicks are
    kept only if both allow it. Orders that staff saves (`request.user.is_staff`) get none.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(self.allows):
            raise ImproperlyConfigured(f"{type(self).__name__}.allows must not be async")
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Response | Awaitable[Response]:
        if iscoroutinefunction(self.get_response):
            return self._acall(request)
        with clicks.serving(request, self._text(request)):
            response: Response = self.get_response(request)
            return response

    async def _acall(self, request: HttpRequest) -> Response:
        may_block = _cookie(request) and type(self).allows is not ClickAttributionMiddleware.allows
        text = await sync_to_async(self._text)(request) if may_block else self._text(request)
        with clicks.serving(request, text):
            response: Response = await self.get_response(request)
            return response

    def process_view(self, request: HttpRequest, *args: Any) -> None:
        """Forget the clicks in the admin, where orders are not the visitor's own.

        Elsewhere note which shop they were made in; by now other middlewares have set the language.
        """
        match = request.resolver_match
        if match is not None and "admin" in match.app_names:
            clicks.current.set("")
        elif clicks.current.get() and (shop := shop_for_request(request)):
            clicks.current_shop.set(shop.fingerprint)

    def allows(self, request: HttpRequest) -> bool:
        """Return whether this shopper consents to clicks being kept with an order.

        It is called only where there are clicks, and may read the session and the database, also
        under ASGI.
        """
        return True

    def _text(self, request: HttpRequest) -> str:
        """Return the cookie's text if the app is on and the shopper consents, else ""."""
        text = _cookie(request)
        if not text or not conf.ENABLED or clicks.is_refused(request):
            return ""
        return clicks.storable(text) if self.allows(request) else ""


def _cookie(request: HttpRequest) -> str:
    return request.COOKIES.get(clicks.COOKIE_NAME, "")
