"""The overview: how a shop stands, what is wrong and what to do about it, and the buttons for that.

`buttons` has what a press does; a press is a POST that ends in a redirect.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

from neuroon_django.admin import buttons, words
from neuroon_django.admin.charts import bars, segments
from neuroon_django.admin.rows import ReadOnlyAdmin, shop_of
from neuroon_django.admin.runs import charts_of, run_counts, run_length, run_state
from neuroon_django.admin.words import counted, number, span
from neuroon_django.conf import conf
from neuroon_django.models import Conversion, Group, Run, ShopState, SyncedProduct
from neuroon_django.operations.earnings import Earned, earnings_of
from neuroon_django.operations.health import health_of
from neuroon_django.operations.status import Pause
from neuroon_django.operations.triage import Reason, reasons_of
from neuroon_django.operations.verdict import Verdict

TEMPLATES = "admin/neuroon_django/shopstate"
RUNS = 5  # that the overview shows
RETRY_THESE = ngettext_lazy("Retry %(n)s", "Retry these %(n)s", "count")
FROM_ORDERS = ngettext_lazy("from %(n)s order of %(value)s", "from %(n)s orders of %(value)s", "count")


@admin.register(ShopState)
class ShopStateAdmin(ReadOnlyAdmin):
    """One page in the place of a list: how one shop stands."""

    def get_urls(self) -> list[Any]:
        """Return the overview's address and the preview's."""
        preview = self.admin_site.admin_view(self.preview_view)
        name = "neuroon_django_shopstate_preview"
        return [path("preview/", preview, name=name), *super().get_urls()[:1]]

    @method_decorator(transaction.non_atomic_requests)  # a button asks Neuroon
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the overview; a POST is one of its buttons."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shop = shop_of(request)
        if request.method == "POST":
            if not self.has_operate_permission(request):
                raise PermissionDenied
            asked = buttons.press(request, self, shop)
            return asked or HttpResponseRedirect(request.get_full_path())
        may = self.has_operate_permission(request)
        return self._page(
            request, "overview", {"may_change": may, **_facts(shop), **(extra_context or {})}
        )

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Show the search itself, as the shop's pages have it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._page(request, "preview", {"title": _("Search preview")})

    def _page(self, request: HttpRequest, name: str, facts: dict[str, Any]) -> HttpResponse:
        shop = shop_of(request)
        aliases = list(conf.shops())
        context = {
            **self.admin_site.each_context(request),
            "title": _("Neuroon search"),
            "opts": self.opts,
            "media": self.media,
            "shop": shop,
            "alias": shop.config.alias,
            "aliases": aliases if len(aliases) > 1 else [],
            "overview_url": reverse(f"{self.admin_site.name}:neuroon_django_shopstate_changelist"),
            **facts,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"{TEMPLATES}/{name}.html", context)


def _facts(shop: ShopState) -> dict[str, Any]:
    """Return what the overview shows, read in a constant number of queries."""
    health = health_of(shop)
    status = health.status
    runs = list(Run.objects.filter(shop=shop).order_by("-pk")[:RUNS])
    for run in runs:
        run.shop = shop
    products = reasons_of(SyncedProduct.objects.of(shop)) if status.products["rejected"] else []
    orders = reasons_of(Conversion.objects.of(shop)) if status.conversions["rejected"] else []
    return {
        "status": status,
        "verdict": _localized(health.verdict),
        "waits": [_wait(wait) for wait in status.waits],
        "steps": [_step_row(step) for step in (shop.verification or {}).get("steps", [])],
        "products": _bar(status.products, SyncedProduct.Status),
        "conversions": _bar(status.conversions, Conversion.Status),
        "totals": _totals(shop, status.products),
        "triage": [*_reason_rows(products, "product"), *_reason_rows(orders, "order")],
        "runs": [
            (run_state(r), r.get_kind_display(), r.began_at, run_length(r), run_counts(r)) for r in runs
        ],
        "earnings": [_earned_row(earned) for earned in earnings_of(shop)],
        "queue_text": number(status.queued),
        "changes_text": number(status.changes),
        "age_text": span(status.queue_age) if status.oldest else "",
        **charts_of(shop),
    }


def _localized(verdict: Verdict) -> Verdict:
    """Return the verdict in the person's language, as far as its words are the app's own."""
    problems = [
        replace(one, text=words.localized(one.text), cure=words.localized(one.cure))
        for one in verdict.problems
    ]
    return Verdict(verdict.level, words.localized(verdict.text), problems)


def _wait(wait: Pause) -> str:
    """Return what Neuroon asked to be left alone, and for how long yet."""
    until = span(wait.until - timezone.now()) if wait.until else ""
    again = _("tried again in %(until)s") % {"until": until} if until else ""
    what = f"{Group(wait.group).label}: {words.localized(wait.reason)}"
    return " · ".join(filter(None, [what, again]))


def _step_row(step: dict[str, Any]) -> dict[str, Any]:
    """Return a step for the template, its name and its result in the person's language."""
    name, result = step["name"], step["result"]
    own = {"name": words.STEPS.get(name, name), "label": words.RESULTS.get(result, result)}
    return step | own | {"result": result}


def _bar(counts: dict[str, int], statuses: Any) -> list[dict[str, Any]]:
    return [s | {"text": number(s["count"])} for s in segments(counts, statuses)]


def _totals(shop: ShopState, products: dict[str, int]) -> dict[str, Any]:
    """Return how many products each side has, as words; "" for what is not known."""
    known: dict[str, int] = shop.totals
    in_step = sum(products.values()) - products["rejected"] - products["unlisted"]
    shown = {
        name: number(known[name]) if name in known else "" for name in ("shop", "neuroon", "quota")
    }
    full = known.get("quota", 0) and known.get("neuroon", 0) >= known["quota"]
    at: datetime | None = shop.compared_at
    return shown | {"mirror": number(in_step), "at": at, "full": full}


def _reason_rows(reasons: list[Reason], kind: str) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "reason": reason,
            "count": number(reason.count),
            "retry": counted(RETRY_THESE, reason.count),
        }
        for reason in reasons
    ]


def _earned_row(earned: Earned) -> dict[str, Any]:
    """Return a currency's sums and its chart for the template."""
    days = [
        (date_format(day, "MONTH_DAY_FORMAT"), float(n), f"{number(n, 2)} {earned.currency}")
        for day, n in earned.days
    ]
    value = f"{number(earned.value, 2)} {earned.currency}"
    return {
        "currency": earned.currency,
        "attributed": number(earned.attributed, 2),
        "orders": counted(FROM_ORDERS, earned.orders, value=value),
        "chart": bars(days),
    }
