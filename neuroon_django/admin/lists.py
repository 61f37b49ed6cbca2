"""The lists of the synced products and of the conversions: to look at, and to act on in sets."""

from __future__ import annotations

from typing import Any

import msgspec
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from neuroon_django.admin.rows import (
    BoundedPaginator,
    ErrorFilter,
    FeedFilter,
    ReadOnlyAdmin,
    object_link,
    shop_of,
    state,
)
from neuroon_django.delivery.building import render_rows
from neuroon_django.delivery.orders import report_rows
from neuroon_django.feeds import Invalid, registry
from neuroon_django.models import Conversion, SyncedProduct
from neuroon_django.operations.wording import shorten
from neuroon_django.recording.wakeup import ORDERS, PRODUCTS, wake_after_commit

FIELDS = ("state", "shop_object", "last_error", "waiting_since", "due_at", "attempts")


class DeliveryAdmin(ReadOnlyAdmin):
    """A list of rows to deliver; actions change them in sets."""

    actions = ["send_now", "retry"]
    ordering = ["-pk"]
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    # What a list says of its own.
    task: str
    feeds: Any  # the sources of the feeds whose objects the rows stand for
    queued: Any  # the sentence about so many rows

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows of the request's shop."""
        return super().get_queryset(request).filter(shop=shop_of(request))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return a row with the shop of the request."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            row.shop = shop_of(request)
        return row

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
        return queryset.filter(matches), False

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, row: Any) -> str:
        """Return the status with its colour."""
        return state(row)

    @admin.display(description=gettext_lazy("object"))
    def shop_object(self, row: Any) -> str:
        """Return the shop's object, with a link."""
        return object_link(row, self.admin_site.name)

    @admin.display(description=gettext_lazy("last error"))
    def error(self, row: Any) -> str:
        """Return the last error, cut short."""
        return shorten(row.last_error)

    @admin.display(description=gettext_lazy("as it would be sent now"))
    def payload(self, row: Any) -> str:
        """Return what would be sent now, or why nothing would."""
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
        """Queue the chosen rows, whether or not anything changed."""
        self._act(request, queryset.requeue())  # type: ignore[attr-defined]

    @admin.action(permissions=["operate"], description=gettext_lazy("Retry rejected rows"))
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Queue those of the chosen rows that were rejected."""
        self._act(request, queryset.filter(status="rejected").requeue())  # type: ignore[attr-defined]

    def _act(self, request: HttpRequest, queued: int) -> None:
        """Wake a worker, and tell the person how many products or orders are queued."""
        wake_after_commit(self.task)
        level = messages.SUCCESS if queued else messages.WARNING
        self.message_user(request, self.queued % {"n": f"{queued:,}", "count": queued}, level)


@admin.register(SyncedProduct)
class SyncedProductAdmin(DeliveryAdmin):
    """What Neuroon has of each product, or why it has none."""

    actions = ["send_now", "retry", "remove"]
    list_display = ["external_id", "state", "error", "shop_object", "due_at", "synced_at"]
    list_filter = ["status", FeedFilter, ErrorFilter]
    search_fields = ["external_id"]
    search_help_text = gettext_lazy("The beginning of an external id, or a product's primary key")
    fields = ("external_id", *FIELDS, "synced_at", "created_at", "payload")
    readonly_fields = fields
    task = PRODUCTS
    feeds = staticmethod(registry.products)
    queued = ngettext_lazy("%(n)s product is queued.", "%(n)s products are queued.", "count")

    def rendered(self, row: SyncedProduct) -> object:
        """Return what the product is now, None where it is gone."""
        return render_rows(row.shop, [row]).get((row.model, row.object_pk))

    @admin.action(permissions=["operate"], description=gettext_lazy("Remove from Neuroon"))
    def remove(self, request: HttpRequest, queryset: QuerySet[SyncedProduct]) -> None:
        """Queue the deletes of the chosen rows."""
        self._act(request, queryset.enqueue_delete())  # type: ignore[attr-defined]
        message = _("A product comes back with its next change or scan, unless the shop unlists it.")
        self.message_user(request, message, messages.INFO)


@admin.register(Conversion)
class ConversionAdmin(DeliveryAdmin):
    """What became of each order's report."""

    list_display = ["order_id", "state", "error", "shop_object", "due_at", "sent_at"]
    list_filter = ["status", FeedFilter, ErrorFilter]
    search_fields = ["order_id"]
    search_help_text = gettext_lazy("The beginning of an order id, or an order's primary key")
    fields = ("order_id", *FIELDS, "sent_at", "created_at", "payload")
    readonly_fields = fields
    task = ORDERS
    feeds = staticmethod(registry.orders)
    queued = ngettext_lazy("%(n)s order is queued.", "%(n)s orders are queued.", "count")

    def rendered(self, row: Conversion) -> object:
        """Return what the order is now."""
        return report_rows(row.shop, [row])[row.pk]
