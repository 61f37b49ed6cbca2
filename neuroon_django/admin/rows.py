"""What the lists share: the shops, bounded counts and filters, and how a status looks."""

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
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from neuroon_django.admin.words import number
from neuroon_django.conf import conf
from neuroon_django.models import ShopState
from neuroon_django.operations.status import STUCK
from neuroon_django.operations.wording import shorten

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    Pages = Paginator[Any]
else:
    ModelAdmin, Pages = admin.ModelAdmin, Paginator

COUNTED = 10_000  # rows a list counts and pages through; further ones are found by filter and search
RECENT = 1_000  # rows of a status whose errors are offered as a filter


class ReadOnlyAdmin(ModelAdmin):
    """An admin in which nobody adds, edits or deletes anything."""

    change_list_template = "admin/neuroon_django/change_list.html"

    class Media:
        css = {"all": ["neuroon_django/admin.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list under its own name."""
        title = {"title": capfirst(str(self.opts.verbose_name_plural))}
        return super().changelist_view(request, title | (extra_context or {}))

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns, the shop among them where there are several."""
        columns = super().get_list_display(request)
        return [*columns, "shop_alias"] if len(conf.shops()) > 1 else columns

    @admin.display(description=_("shop"))
    def shop_alias(self, row: Any) -> str:
        """Return the alias of a row's shop."""
        return str(row.shop.config.alias)

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


def shops_of(request: Any) -> dict[int, ShopState]:
    """Return the shops whose rows a request shows, by primary key: the chosen one, or all.

    Each shop's row is read once per request.
    """
    if not hasattr(request, "neuroon_shops"):
        configs = conf.shops()
        chosen = configs.get(request.GET.get("shop", ""))
        states = map(ShopState.objects.for_config, [chosen] if chosen else configs.values())
        request.neuroon_shops = {state.pk: state for state in states}
    shops: dict[int, ShopState] = request.neuroon_shops
    return shops


def shop_of(request: Any) -> ShopState:
    """Return the one shop that a page shows: the chosen one, or the first."""
    return next(iter(shops_of(request).values()))


class AtLeast(int):
    """A number of rows that were counted no further: shown as "more than 10,000"."""

    def __str__(self) -> str:
        return gettext("more than %(n)s") % {"n": number(int(self))}


class BoundedPaginator(Pages):
    """Counts no further than it needs to: a list of a million rows would be read for its length."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows, or that there are more than 10,000."""
        rows: Any = self.object_list
        found = int(rows.order_by()[: COUNTED + 1].count())
        return AtLeast(COUNTED) if found > COUNTED else found


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


class ShopFilter(ChosenFilter):
    """The project's shops, where there are several; `shops_of` does the filtering."""

    title = _("shop")
    parameter_name = "shop"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return each shop's alias."""
        aliases = list(conf.shops())
        return [(alias, alias) for alias in aliases] if len(aliases) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows as they are."""
        return queryset


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


def object_link(row: Any, site: str, name: str = "") -> str:
    """Return the shop's object by its name or key, linked where the shop has an admin page for it."""
    if not row.model:
        return name
    try:
        meta = apps.get_model(row.model)._meta
        url = reverse(f"{site}:{meta.app_label}_{meta.model_name}_change", args=[quote(row.object_pk)])
    except (LookupError, NoReverseMatch):
        return name or f"{row.model} {row.object_pk}"
    return format_html('<a href="{}">{}</a>', url, name or f"{meta.verbose_name} {row.object_pk}")
