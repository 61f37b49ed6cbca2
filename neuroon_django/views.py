"""The view of the widget token, for pages that are cached whole and for browser-rendered shops."""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.utils.log import log_response
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from neuroon_django import widget
from neuroon_django.conf import conf
from neuroon_django.request_shop import shop_for_request

logger = logging.getLogger("neuroon_django")

RETRY_AFTER = 30  # seconds


@login_not_required
@never_cache
@require_GET
def widget_token(request: HttpRequest) -> JsonResponse:
    """Return the token as `{"token": "…"}`, or a 503 with `Retry-After` where there is none.

    Of several shops it is the request's, or the one whose alias `?shop=` gives; 404 for none.
    """
    alias = request.GET.get("shop", "")
    shop = conf.shops().get(alias) if alias else shop_for_request(request)
    if shop is None:
        return JsonResponse({"error": "no shop"}, status=404)
    token = widget.token_for(shop)
    if token:
        return JsonResponse({"token": token})
    response = JsonResponse({"error": "no token"}, status=503)
    response["Retry-After"] = str(RETRY_AFTER)
    # Django would log any 503 as an error of the shop, and mail it to its admins.
    log_response("no_widget_token", response=response, request=request, logger=logger, level="info")
    return response
