"""What the lists share: the shop, bounded counts, bounded filters, and how a status looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from neuroon_django.conf import conf
from neuroon_django.models import ShopState
from neuroon_django.operations.wording import shorten

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    Pages = Paginator[Any]
else:
    ModelAdmin, Pages = admin.ModelAdmin, Paginator

COUNTED = 10_000  # rows a list counts and pages through; further ones are found by filter and search
RECENT = 1_000  # rows of a status whose errors are offered as a filter
STUCK = ("rejected", "pending", "deleting")  # whose errors the overview shows, too


class ReadOnlyAdmin(ModelAdmin):
    """An admin in which nobody adds, edits or deletes anything."""

    class Media:
        css = {"all": ["neuroon_django/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds a row by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes a row by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a row by hand."""
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change rows may use actions and buttons."""
        return super().has_change_permission(request)


def shop_of(request: Any) -> ShopState:
    """Return the shop whose rows a request shows, read once per request."""
    if not hasattr(request, "neuroon_shop"):
        request.neuroon_shop = ShopState.objects.for_config(conf.shop())
    shop: ShopState = request.neuroon_shop
    return shop


class BoundedPaginator(Pages):
    """Counts no further than it needs to: a list of a million rows would be read for its length."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows, 10,000 at most."""
        rows: Any = self.object_list
        return int(rows.order_by()[:COUNTED].count())


class ChosenFilter(admin.SimpleListFilter):
    """Offers what is chosen, even where nothing is offered any more.

    Django drops a filter that offers nothing: an action for all rows would be one for more rows than
    those in the list that it was chosen for.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        chosen = self.value()
        if chosen and chosen not in dict(self.lookup_choices):
            self.lookup_choices.append((chosen, shorten(chosen)))


class FeedFilter(ChosenFilter):
    """The feeds that are registered here."""

    title = _("feed")
    parameter_name = "feed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return each feed's label, and its name with its model's."""
        return [
            (feed.label, f"{feed.name} ({feed.model._meta.verbose_name})")
            for feed in model_admin.feeds()
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen feed."""
        return queryset.filter(model=self.value()) if self.value() else queryset


class ErrorFilter(ChosenFilter):
    """The most frequent reasons among the latest rows that did not go."""

    title = _("error")
    parameter_name = "error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return each reason, and the same cut short."""
        latest = model_admin.get_queryset(request).order_by("-pk").values_list("last_error", flat=True)
        reasons = Counter(text for status in STUCK for text in latest.filter(status=status)[:RECENT])
        reasons.pop("", None)
        return [(text, shorten(text)) for text, _n in reasons.most_common(10)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that did not go for the chosen reason."""
        if not self.value():
            return queryset
        return queryset.filter(status__in=STUCK, last_error=self.value())


def state(row: Any) -> str:
    """Return the status as a word and, beside it, a colour."""
    return format_html(
        '<span class="neuroon-state neuroon-{}">{}</span>', row.status, row.get_status_display()
    )


def object_link(row: Any, site: str) -> str:
    """Return the shop's object, linked where the shop has an admin page for it."""
    if not row.model:
        return ""
    try:
        meta = apps.get_model(row.model)._meta
        name = f"{site}:{meta.app_label}_{meta.model_name}_change"
        url = reverse(name, args=[quote(row.object_pk)])
    except (LookupError, NoReverseMatch):
        return f"{row.model} {row.object_pk}"
    return format_html('<a href="{}">{} {}</a>', url, meta.verbose_name, row.object_pk)
