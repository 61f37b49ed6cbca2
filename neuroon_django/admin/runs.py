"""The page of the runs: the last ones, and what left in each hour of the last day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from neuroon_django.admin.charts import bars
from neuroon_django.admin.rows import BoundedPaginator, ReadOnlyAdmin, ShopFilter, shop_of, shops_of
from neuroon_django.admin.words import moment, number, span
from neuroon_django.models import Run, ShopState
from neuroon_django.operations.throughput import hours_of, time_left

COUNTS = ("synced", "unchanged", "rejected", "deleted", "reported", "scanned")


class RunList(ChangeList):
    """A page of runs, each with its shop."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        for run in self.result_list:
            run.shop = shops_of(request)[run.shop_id]


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """The runs that did something."""

    list_display = ["state", "kind", "began", "took", "did", "end"]
    list_display_links = None
    list_filter = ["kind", ShopFilter]
    ordering = ["-pk"]
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Return the runs of the request's shops."""
        return super().get_queryset(request).filter(shop__in=list(shops_of(request)))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that completes its rows."""
        return RunList

    def get_urls(self) -> list[Any]:
        """Return the list's address only."""
        return super().get_urls()[:1]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the charts above the list."""
        context = charts_of(shop_of(request))
        context["above_list"] = "admin/neuroon_django/throughput.html"
        return super().changelist_view(request, context | (extra_context or {}))

    @admin.display(description=gettext_lazy("status"))
    def state(self, run: Run) -> str:
        """Return whether it is under way, was stopped, or came to its end."""
        return run_state(run)

    @admin.display(description=gettext_lazy("began"), ordering="began_at")
    def began(self, run: Run) -> str:
        """Return when it began."""
        return moment(run.began_at, "SHORT_DATETIME_FORMAT")

    @admin.display(description=gettext_lazy("took"))
    def took(self, run: Run) -> str:
        """Return how long it took, and how long it still takes."""
        return run_length(run)

    @admin.display(description=gettext_lazy("what it did"))
    def did(self, run: Run) -> str:
        """Return the counts that are not 0."""
        return run_counts(run)

    @admin.display(description=gettext_lazy("why it ended"))
    def end(self, run: Run) -> str:
        """Return why it ended before its work did, "" where it did not."""
        return run.reason


def run_state(run: Run) -> str:
    """Return a run's state as a word and, beside it, a colour."""
    if run.is_under_way:
        name, word = "sending", _("under way")
    elif run.reason:
        name, word = "warning", _("stopped")
    else:
        name, word = "ok", _("done")
    return format_html('<span class="neuroon-state neuroon-{}">{}</span>', name, word)


def run_length(run: Run) -> str:
    """Return how long a run took; of one under way also how long it still takes, if that is known."""
    took = span(timedelta(seconds=run.seconds))
    left = time_left(run, run.shop)
    return (
        took
        if left is None
        else _("%(took)s, about %(left)s left")
        % {
            "took": took,
            "left": span(left),
        }
    )


def run_counts(run: Run) -> str:
    """Return what a run did, as "19,436 synced, 210 rejected"."""
    fields: list[Any] = [run._meta.get_field(name) for name in COUNTS]
    counts = [(getattr(run, field.name), field.verbose_name) for field in fields]
    return ", ".join(f"{number(n)} {name}" for n, name in counts if n)


def charts_of(shop: ShopState) -> dict[str, Any]:
    """Return the charts of throughput and queue age over the last 24 hours, in one query."""
    hours = hours_of(shop)
    labels = [moment(hour.begin, "H:i") for hour in hours]
    sent = [(label, h.sent, number(round(h.sent))) for label, h in zip(labels, hours, strict=True)]
    waits = [
        (label, round(h.longest_wait), span(timedelta(seconds=h.longest_wait)))
        for label, h in zip(labels, hours, strict=True)
    ]
    return {"throughput": bars(sent), "queue_age": bars(waits)}
