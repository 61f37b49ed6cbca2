"""The buttons of the overview: what each does, and what it says afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from neuroon_django.admin import acting
from neuroon_django.admin.conversions import ConversionAdmin
from neuroon_django.admin.products import SyncedProductAdmin
from neuroon_django.models import Conversion, ShopState, SyncedProduct
from neuroon_django.operations.remote import compare_totals
from neuroon_django.operations.status import resume
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, VERIFICATION, wake_after_commit

Press = Callable[[HttpRequest, Any, ShopState], HttpResponse | None]
LISTS: dict[str, Any] = {
    "product": (SyncedProduct, SyncedProductAdmin),
    "order": (Conversion, ConversionAdmin),
}


def press(request: HttpRequest, admin: ModelAdmin[Any], shop: ShopState) -> HttpResponse | None:
    """Do what the pressed button says; return the page that asks first, where one does."""
    pressed = next((name for name in BUTTONS if name in request.POST), None)
    if pressed is None:
        raise Http404
    return BUTTONS[pressed](request, admin, shop)


def _resume(request: HttpRequest, admin: ModelAdmin[Any], shop: ShopState) -> None:
    resume(shop)
    wake_after_commit(ORDERS)
    wake_after_commit(PRODUCTS)
    acting.tell(request, admin, _("All pauses have ended."))


def _scan(request: HttpRequest, admin: ModelAdmin[Any], shop: ShopState) -> None:
    ShopState.objects.request_scan(shop.pk)
    wake_after_commit(PRODUCTS)
    acting.tell(request, admin, _("The next run compares the whole catalogue."))


def _sync(request: HttpRequest, admin: ModelAdmin[Any], shop: ShopState) -> None:
    SyncedProduct.objects.reset_backoff(shop)
    Conversion.objects.reset_backoff(shop)
    wake_after_commit(ORDERS)
    wake_after_commit(PRODUCTS)
    acting.tell(request, admin, _("What is queued is tried now."))


def _verify(request: HttpRequest, admin: ModelAdmin[Any], shop: ShopState) -> None:
    ShopState.objects.request_verification(shop.pk)
    wake_after_commit(VERIFICATION)
    acting.tell(request, admin, _("The verification was asked for, and waits for a worker."))


def _compare(request: HttpRequest, admin: ModelAdmin[Any], shop: ShopState) -> None:
    reason = compare_totals(shop)
    if reason:
        acting.tell(request, admin, _("Neuroon did not say: %s") % reason, level=messages.ERROR)
    else:
        acting.tell(request, admin, _("The products were counted."))


def _retry_orders(request: HttpRequest, admin: ModelAdmin[Any], shop: ShopState) -> HttpResponse | None:
    return _retry(request, admin, shop, "order")


def _retry(
    request: HttpRequest, admin: ModelAdmin[Any], shop: ShopState, kind: str = "product"
) -> HttpResponse | None:
    """Try again what was rejected for the given reason, or everything that was rejected."""
    found = LISTS.get(request.POST.get("kind", kind))
    if found is None:
        raise Http404
    model, of_list = found
    own = of_list(model, admin.admin_site)
    if not own.has_operate_permission(request):
        raise PermissionDenied
    rows = model.objects.of(shop)
    if reason := request.POST.get("reason"):
        rows = rows.filter(last_error=reason)
    asked: HttpResponse | None = own.act(request, rows, "retry")
    return asked


BUTTONS: dict[str, Press] = {
    "resume": _resume,
    "scan": _scan,
    "sync": _sync,
    "verify": _verify,
    "compare": _compare,
    "retry": _retry,
    "retry_orders": _retry_orders,
}
