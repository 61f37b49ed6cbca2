"""The overview: how things stand, and the buttons *Resume*, *Scan* and *Verify*."""

from __future__ import annotations

import io
import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from neuroon_django.admin.rows import ModelAdmin
from neuroon_django.conf import conf
from neuroon_django.models import Conversion, ShopState, SyncedProduct
from neuroon_django.operations.status import Status, resume, status_of, token_age
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, wake_after_commit

WIDTH = 1000  # units of the state bar


@admin.register(ShopState)
class ShopStateAdmin(ModelAdmin):
    """One page in the place of a list: there is one shop."""

    class Media:
        css = {"all": ["neuroon_django/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        return super().get_urls()[:1]  # the list's address only

    @method_decorator(transaction.non_atomic_requests)  # no HTTP in a transaction
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        shop = ShopState.objects.for_config(conf.shop())
        steps: list[dict[str, Any]] = []
        if request.method == "POST":
            if not self.has_change_permission(request):
                raise PermissionDenied
            if "verify" not in request.POST:
                self._order(request, shop)
                return HttpResponseRedirect(request.path)
            steps = self._verify(request)
            shop.refresh_from_db()
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": _("Neuroon search"),
            "opts": self.opts,
            "media": self.media,
            "may_change": self.has_change_permission(request),
            "steps": steps,
            **_facts(status_of(shop)),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/neuroon_django/shopstate/overview.html", context)

    def _order(self, request: HttpRequest, shop: ShopState) -> None:
        """A button other than *Verify*: set something going."""
        if "resume" in request.POST:
            resume(shop)
            wake_after_commit(ORDERS)
            self.message_user(request, _("All pauses are ended."), messages.SUCCESS)
        elif "scan" in request.POST:
            ShopState.objects.request_scan(shop.pk)
            self.message_user(
                request, _("The next run compares the whole catalogue."), messages.SUCCESS
            )
        wake_after_commit(PRODUCTS)

    def _verify(self, request: HttpRequest) -> list[dict[str, Any]]:
        """The steps of `neuroon_verify`, as it took them."""
        out = io.StringIO()
        try:
            call_command("neuroon_verify", json=True, stdout=out, stderr=io.StringIO())
        except CommandError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, _("Everything is in place."), messages.SUCCESS)
        steps: list[dict[str, Any]] = json.loads(out.getvalue() or '{"steps": []}')["steps"]
        return steps


def _facts(status: Status) -> dict[str, Any]:
    return {
        "status": status,
        "shop": status.shop,
        "can_send": conf.can_send,
        "token_age": token_age(status.shop),
        "products": _bar(status.products, SyncedProduct.Status),
        "conversions": _bar(status.conversions, Conversion.Status),
    }


def _bar(counts: dict[str, int], states: Any) -> list[dict[str, Any]]:
    """Segments of a bar: each state's share, none so small that it cannot be seen."""
    total = sum(counts.values()) or 1
    shares = {name: max(n * WIDTH / total, 6) if n else 0 for name, n in counts.items()}
    scale, at, segments = WIDTH / (sum(shares.values()) or 1), 0.0, []
    for name, n in counts.items():
        width = shares[name] * scale
        label = states(name).label
        segments.append({"name": name, "label": label, "count": n, "x": at, "width": width})
        at += width
    return segments
