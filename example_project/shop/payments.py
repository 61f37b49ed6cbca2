"""The shop's side of an imaginary payment provider.

The provider's server calls the webhook: no session, no shopper's cookies, a signed body instead.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from http import HTTPStatus

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from shop.models import Order


def sign(number: str) -> str:
    """What the provider puts beside an order's number: HMAC-SHA256, in hex."""
    secret = settings.SHOP_PAYMENT_SECRET.encode()
    return hmac.new(secret, number.encode(), hashlib.sha256).hexdigest()


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> JsonResponse:
    """`{"order": number, "signature": hex}`; saying it twice does no harm."""
    try:
        number, signature = _read(request.body)
    except (ValueError, RecursionError):
        return _refused(HTTPStatus.BAD_REQUEST, "Send the order and its signature as JSON.")
    if not hmac.compare_digest(sign(number).encode(), signature.encode()):
        return _refused(HTTPStatus.FORBIDDEN, "The signature does not fit the order.")
    return _pay(number)


def _pay(number: str) -> JsonResponse:
    with transaction.atomic():
        order = Order.objects.select_for_update().filter(number=number).first()
        if order is None:
            return _refused(HTTPStatus.NOT_FOUND, "There is no such order.")
        if order.status == Order.Status.CANCELLED:
            return _refused(HTTPStatus.CONFLICT, "The order was cancelled.")
        if order.status == Order.Status.NEW:
            order.status = Order.Status.PAID
            order.save()
    return JsonResponse({"order": order.number, "status": order.status})


def _read(body: bytes) -> tuple[str, str]:
    match json.loads(body):
        case {"order": str(number), "signature": str(signature)}:
            number.encode(), signature.encode()  # a lone surrogate is a ValueError too
            return number, signature
    raise ValueError("not an order and a signature")


def _refused(status: HTTPStatus, message: str) -> JsonResponse:
    return JsonResponse({"error": message}, status=status)
