"""A list of rows to deliver: to look at, to act on in sets, and to take along as CSV.

`products` and `conversions` are the two lists that there are; `rows` has what they look like.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from neuroon_django.admin import acting
from neuroon_django.admin.export import csv_response
from neuroon_django.admin.rows import (
    BoundedPaginator,
    ErrorFilter,
    FeedFilter,
    ReadOnlyAdmin,
    ShopFilter,
    object_link,
    shops_of,
    state,
)
from neuroon_django.admin.words import counted, moment, span
from neuroon_django.operations.wording import shorten
from neuroon_django.recording.wakeup import wake_after_commit


class Act(NamedTuple):
    """What can be done with rows: which of them it concerns, what is done, and how it is said."""

    label: Any
    concerned: Callable[[Any], Any]
    run: Callable[[Any], int]
    done: Any  # the sentence about so many rows
    always_asks: bool = False
    note: Any = ""


class DeliveryList(ChangeList):
    """A page of rows, each with its shop and its object's name."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        of_rows: Any = self.model_admin
        of_rows.complete(request, self.result_list)


class DeliveryAdmin(ReadOnlyAdmin):
    """A list of rows to deliver; actions change them in sets."""

    actions = ["send_now", "retry"]
    change_form_template = "admin/neuroon_django/change_form.html"
    list_filter: ClassVar[Any] = ["status", ShopFilter, FeedFilter, ErrorFilter]
    ordering = ["-pk"]
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    # What a list says of its own.
    acts: dict[str, Act]
    task: str
    feeds: Any  # the sources of the feeds whose objects the rows stand for
    exported: Sequence[str]  # columns of the CSV file

    # Rows

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows of the request's shops."""
        return super().get_queryset(request).filter(shop__in=list(shops_of(request)))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that completes its rows."""
        return DeliveryList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return a row with its shop and its object's name."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            self.complete(request, [row])
        return row

    def complete(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Give rows their shops and their objects' names, in constant queries."""
        shops = shops_of(request)
        for row in rows:
            row.shop, row.object_name = shops[row.shop_id], ""
        for shop in shops.values():
            names = self.names(shop, [row for row in rows if row.shop_id == shop.pk])
            for row in rows:
                row.object_name = names.get(row.pk, row.object_name)

    def names(self, shop: Any, rows: Sequence[Any]) -> dict[int, str]:
        """Return the names of the rows' objects, where they have any beside their id."""
        return {}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find rows by the beginning of an id, or by the whole key of the shop's object.

        PostgreSQL finds both by index. SQLite, MySQL and MariaDB have none for a beginning: there the
        rows are read from the latest on, all of them where few or none match.
        """
        term = search_term.strip()
        if not term:
            return queryset, False
        [name] = self.search_fields
        labels = [feed.label for feed in self.feeds()]
        matches = Q(**{f"{name}__startswith": term}) | Q(model__in=labels, object_pk=term)
        return queryset.filter(matches | self.named_like(request, term)), False

    def named_like(self, request: HttpRequest, term: str) -> Q:
        """Return the condition of rows whose object's name contains the term."""
        return Q()

    # Columns

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, row: Any) -> str:
        """Return the status with its colour."""
        return state(row)

    @admin.display(description=gettext_lazy("object"))
    def shop_object(self, row: Any) -> str:
        """Return the shop's object by its name, with a link."""
        return object_link(row, self.admin_site.name, row.object_name)

    @admin.display(description=gettext_lazy("last error"))
    def error(self, row: Any) -> str:
        """Return the last error, cut short."""
        return shorten(row.last_error)

    @admin.display(description=gettext_lazy("when"), ordering="due_at")
    def when(self, row: Any) -> str:
        """Return when it is tried next or, of what is settled, when Neuroon last accepted it."""
        if row.due_at is not None:
            wait = row.due_at - timezone.now()
            return _("in %(span)s") % {"span": span(wait)} if wait > timedelta(0) else _("now")
        accepted = self.accepted_at(row)
        return moment(accepted, "SHORT_DATETIME_FORMAT") if accepted else ""

    def accepted_at(self, row: Any) -> datetime | None:
        """Return when Neuroon last accepted it."""
        raise NotImplementedError

    # Acting

    @admin.action(permissions=["operate"], description=gettext_lazy("Sync now"))
    def send_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Queue the chosen rows, whether or not anything changed."""
        return self.act(request, queryset, "send_now")

    @admin.action(permissions=["operate"], description=gettext_lazy("Retry rejected rows"))
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Queue those of the chosen rows that were rejected."""
        return self.act(request, queryset, "retry")

    def act(
        self, request: HttpRequest, rows: Any, name: str, *, obj: Any = None, back: str = ""
    ) -> HttpResponse | None:
        """Do it and say what happened; return a page that asks where it is dangerous or for many."""
        act = self.acts[name]
        concerned = act.concerned(rows)
        n = 0 if acting.is_confirmed(request) else concerned.count()
        if n > acting.MANY or (n and act.always_asks):
            some = list(concerned.order_by("-pk")[: acting.EXAMPLES])
            self.complete(request, some)
            examples = [" · ".join(filter(None, [str(row), row.object_name])) for row in some]
            question = counted(act.done, n)
            return acting.ask(request, self, question, n, examples, note=act.note, back=back)
        done = act.run(concerned)
        wake_after_commit(self.task)
        level = messages.SUCCESS if done else messages.WARNING
        acting.tell(request, self, counted(act.done, done), obj=obj, level=level)
        return None

    # Further addresses

    def get_urls(self) -> list[Any]:
        """Add the export of a list and the buttons of a row."""
        info = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        button = transaction.non_atomic_requests(wrap(self.button_view))  # one asks Neuroon
        return [
            path("export/", wrap(self.export_view), name=f"{info}_export"),
            path("<path:object_id>/act/", button, name=f"{info}_act"),
            *super().get_urls(),
        ]

    def export_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """Return the filtered list as a CSV file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        queryset = self.get_changelist_instance(request).get_queryset(request)
        name = self.opts.verbose_name_plural
        return csv_response(
            str(name), self.exported, queryset, lambda rows: self.complete(request, rows)
        )

    def button_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Do what a button of a row's page says."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if request.method != "POST" or not self.has_operate_permission(request):
            raise PermissionDenied
        page = reverse(
            f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change",
            args=[quote(row.pk)],
        )
        page += f"?{request.GET.urlencode()}" if request.GET else ""
        asked = self.press(request, row, request.POST.get("act", ""), page)
        return asked or HttpResponseRedirect(page)

    def press(self, request: HttpRequest, row: Any, name: str, page: str) -> HttpResponse | None:
        """Do what the button of that name says with one row."""
        if name not in self.acts:
            raise Http404
        rows = self.get_queryset(request).filter(pk=row.pk)
        return self.act(request, rows, name, obj=row, back=page)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list, with the address of its export."""
        query = request.GET.urlencode()
        address = f"export/?{query}" if query else "export/"
        return super().changelist_view(request, {"export_url": address, **(extra_context or {})})
