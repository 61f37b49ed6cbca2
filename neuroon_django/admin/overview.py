"""The overview: how things stand, what is wrong, and the buttons *Resume*, *Scan* and *Verify*."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from neuroon_django.admin.rows import ReadOnlyAdmin, shop_of
from neuroon_django.admin.words import RESULTS, STEPS
from neuroon_django.models import Conversion, Group, ShopState, SyncedProduct
from neuroon_django.operations.health import Health, health_of, pause_problems
from neuroon_django.operations.problems import SWITCHED_OFF
from neuroon_django.operations.status import Pause, resume
from neuroon_django.operations.steps import Step
from neuroon_django.operations.verification import Verification
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, wake_after_commit

WIDTH = 1000  # units of the status bar
TEMPLATE = "admin/neuroon_django/shopstate/overview.html"


@admin.register(ShopState)
class ShopStateAdmin(ReadOnlyAdmin):
    """One page in the place of a list: there is one shop."""

    def get_urls(self) -> list[Any]:
        """Return the list's address only."""
        return super().get_urls()[:1]

    @method_decorator(transaction.non_atomic_requests)  # no HTTP in a transaction
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the overview; a POST is one of its buttons."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shop = shop_of(request)
        steps: list[Step] = []
        if request.method == "POST":
            if not self.has_operate_permission(request):
                raise PermissionDenied
            if "verify" not in request.POST:
                self._set_going(request, shop)
                return HttpResponseRedirect(request.path)
            steps = self._verify(request, shop)
            shop.refresh_from_db()
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": _("Neuroon search"),
            "opts": self.opts,
            "media": self.media,
            "may_change": self.has_operate_permission(request),
            "steps": [_step_row(step) for step in steps],
            **_facts(health_of(shop)),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, TEMPLATE, context)

    def _set_going(self, request: HttpRequest, shop: ShopState) -> None:
        """Do what a button other than *Verify* asks for."""
        if "resume" in request.POST:
            resume(shop)
            wake_after_commit(ORDERS)
            self.message_user(request, _("All pauses have ended."), messages.SUCCESS)
        elif "scan" in request.POST:
            ShopState.objects.request_scan(shop.pk)
            message = _("The next run compares the whole catalogue.")
            self.message_user(request, message, messages.SUCCESS)
        wake_after_commit(PRODUCTS)

    def _verify(self, request: HttpRequest, shop: ShopState) -> list[Step]:
        """Take the steps of the verification, and tell how it ended."""
        verification = Verification(shop.config)
        steps = list(verification.run())
        if verification.passed:
            self.message_user(request, _("The verification has passed."), messages.SUCCESS)
        else:
            names = ", ".join(str(STEPS[name]) for name in verification.failed)
            self.message_user(request, _("Failed: %s") % names, messages.ERROR)
        return steps


def _facts(health: Health) -> dict[str, Any]:
    status = health.status
    elsewhere = {SWITCHED_OFF, *pause_problems(status.pauses)}  # in banners of their own
    return {
        "status": status,
        "shop": status.shop,
        "pauses": [_pause_row(pause) for pause in status.pauses],
        "cures": dict.fromkeys(pause.cure for pause in status.pauses if pause.cure),
        "waits": [_pause_row(wait) for wait in status.waits],
        "problems": [problem for problem in health.problems if problem not in elsewhere],
        "products": _bar(status.products, SyncedProduct.Status),
        "conversions": _bar(status.conversions, Conversion.Status),
    }


def _pause_row(pause: Pause) -> dict[str, Any]:
    """Return a pause or a wait for the template."""
    return {"group": Group(pause.group).label, "reason": pause.reason, "until": pause.until}


def _step_row(step: Step) -> dict[str, Any]:
    """Return a step for the template, its name and its result in the person's language."""
    words = {"name": STEPS[step.name], "result": step.result, "label": RESULTS[step.result]}
    return {**words, "text": step.text, "cure": step.cure}


def _bar(counts: dict[str, int], statuses: Any) -> list[dict[str, Any]]:
    """Return the segments of a bar: each status's share, none so small that it cannot be seen."""
    total = sum(counts.values()) or 1
    shares = {name: max(n * WIDTH / total, 6) if n else 0 for name, n in counts.items()}
    scale, at, segments = WIDTH / (sum(shares.values()) or 1), 0.0, []
    for name, n in counts.items():
        width = shares[name] * scale
        label = statuses(name).label
        segments.append({"name": name, "label": label, "count": n, "x": at, "width": width})
        at += width
    return segments
