"""The lists of the mirror and of the conversions: to look at, and to act on in sets."""

from __future__ import annotations

from typing import Any

import msgspec
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from neuroon_django.admin.rows import (
    BoundedPaginator,
    ErrorFilter,
    FeedFilter,
    ModelAdmin,
    object_link,
    shorten,
    state,
)
from neuroon_django.conf import conf
from neuroon_django.delivery.building import render_rows
from neuroon_django.delivery.orders import report_rows
from neuroon_django.feeds import Invalid, registry
from neuroon_django.models import Conversion, ShopState, SyncedProduct
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, wake_after_commit

FIELDS = ("state", "shop_object", "last_error", "waiting_since", "due_at", "attempts")


def current_shop() -> ShopState:
    return ShopState.objects.for_config(conf.shop())


class DeliveryAdmin(ModelAdmin):
    """A list of rows on their way: nobody adds, edits or deletes any; actions change them in sets."""

    class Media:
        css = {"all": ["neuroon_django/admin.css"]}

    actions = ["send_now", "retry"]
    ordering = ["-pk"]
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    task: Any = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(shop=current_shop())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The beginning of an id or the whole key of the shop's object.

        PostgreSQL finds both by index. SQLite, MySQL and MariaDB have none for a beginning: there the
        rows are read from the latest on, all of them where few or none match.
        """
        term = search_term.strip()
        if not term:
            return queryset, False
        [name] = self.search_fields
        labels = [feed.label for feed in self.feeds()]
        found = Q(**{f"{name}__startswith": term}) | Q(model__in=labels, object_pk=term)
        return queryset.filter(found), False

    def feeds(self) -> list[Any]:
        raise NotImplementedError

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change rows may act on them."""
        return super().has_change_permission(request)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, row: Any) -> str:
        return state(row)

    @admin.display(description=gettext_lazy("object"))
    def shop_object(self, row: Any) -> str:
        return object_link(row, self.admin_site.name)

    @admin.display(description=gettext_lazy("last error"))
    def error(self, row: Any) -> str:
        return shorten(row.last_error)

    @admin.display(description=gettext_lazy("as it would be sent now"))
    def payload(self, row: Any) -> str:
        result = self.rendered(row)
        if isinstance(result, Invalid):
            return result.reason
        body = getattr(result, "payload", None) or getattr(result, "body", None)
        if not body:
            return _("nothing")
        return format_html("<pre>{}</pre>", msgspec.json.format(body, indent=2).decode())

    def rendered(self, row: Any) -> object:
        """Return what the row's object is for Neuroon now."""
        raise NotImplementedError

    @admin.action(permissions=["operate"], description=gettext_lazy("Sync now"))
    def send_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._act(request, queryset.requeue())  # type: ignore[attr-defined]

    @admin.action(permissions=["operate"], description=gettext_lazy("Retry what was rejected"))
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._act(request, queryset.filter(status="rejected").requeue())  # type: ignore[attr-defined]

    def _act(self, request: HttpRequest, due: int) -> None:
        wake_after_commit(self.task)
        told = ngettext("%(n)s row is due now.", "%(n)s rows are due now.", due)
        level = messages.SUCCESS if due else messages.WARNING
        self.message_user(request, told % {"n": f"{due:,}"}, level)


@admin.register(SyncedProduct)
class SyncedProductAdmin(DeliveryAdmin):
    actions = ["send_now", "retry", "remove"]
    list_display = ["external_id", "state", "error", "shop_object", "due_at", "synced_at"]
    list_filter = ["status", FeedFilter, ErrorFilter]
    search_fields = ["external_id"]
    search_help_text = gettext_lazy("The beginning of an external id, or a product's primary key")
    fields = ("external_id", *FIELDS, "synced_at", "created_at", "payload")
    readonly_fields = fields
    task = PRODUCTS

    def feeds(self) -> list[Any]:
        return [*registry.products()]

    def rendered(self, row: SyncedProduct) -> object:
        return render_rows(current_shop(), [row]).get((row.model, row.object_pk))

    @admin.action(permissions=["operate"], description=gettext_lazy("Remove from Neuroon"))
    def remove(self, request: HttpRequest, queryset: QuerySet[SyncedProduct]) -> None:
        self._act(request, queryset.enqueue_delete())  # type: ignore[attr-defined]
        told = _("A product comes back with its next change or scan, unless the shop unlists it.")
        self.message_user(request, told, messages.INFO)


@admin.register(Conversion)
class ConversionAdmin(DeliveryAdmin):
    list_display = ["order_id", "state", "error", "shop_object", "due_at", "sent_at"]
    list_filter = ["status", FeedFilter, ErrorFilter]
    search_fields = ["order_id"]
    search_help_text = gettext_lazy("The beginning of an order id, or an order's primary key")
    fields = ("order_id", *FIELDS, "sent_at", "created_at", "payload")
    readonly_fields = fields
    task = ORDERS

    def feeds(self) -> list[Any]:
        return [*registry.orders()]

    def rendered(self, row: Conversion) -> object:
        return report_rows(current_shop(), [row])[row.pk]
