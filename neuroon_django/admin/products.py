"""The list of products, and the page of one: what Neuroon has of it, or why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from neuroon_django.admin import acting
from neuroon_django.admin.detail import RowPage
from neuroon_django.admin.lists import Act
from neuroon_django.admin.names import named_like, names_of
from neuroon_django.admin.rows import shops_of
from neuroon_django.admin.words import number
from neuroon_django.api.messages import decode
from neuroon_django.delivery.building import render_rows
from neuroon_django.exceptions import ApiError
from neuroon_django.feeds import Rendered, registry
from neuroon_django.models import ShopState, SyncedProduct
from neuroon_django.operations.remote import differences, find_at_neuroon
from neuroon_django.recording.wakeup import PRODUCTS

QUEUED = ngettext_lazy("%(n)s product is queued.", "%(n)s products are queued.", "count")
REMOVED = ngettext_lazy(
    "%(n)s product will be removed from Neuroon.",
    "%(n)s products will be removed from Neuroon.",
    "count",
)
COMES_BACK = gettext_lazy(
    "A product comes back with its next change or scan, unless the shop unlists it."
)


@admin.register(SyncedProduct)
class SyncedProductAdmin(RowPage):
    """What Neuroon has of each product, or why it has none."""

    actions = ["send_now", "retry", "remove"]
    list_display = ["state", "external_id", "shop_object", "error", "when"]
    list_display_links = ["external_id"]
    search_fields = ["external_id"]
    search_help_text = gettext_lazy(
        "The beginning of an external id, a part of a name, or a product's primary key"
    )
    fields = ("state", "external_id", "shop_object", "answers", "due_at", "created_at", "payload")
    readonly_fields = fields
    exported = ("status", "external_id", "object_name", "last_error", "failed_at", "synced_at")
    task = PRODUCTS
    asks_neuroon = True
    feeds = staticmethod(registry.products)
    acts = {
        "send_now": Act(
            gettext_lazy("Sync now"), lambda rows: rows.requeueable(), lambda r: r.requeue(), QUEUED
        ),
        "retry": Act(
            gettext_lazy("Retry"),
            lambda rows: rows.filter(status="rejected").requeueable(),
            lambda r: r.requeue(),
            QUEUED,
        ),
        "remove": Act(
            gettext_lazy("Remove from Neuroon"),
            lambda rows: rows.deletable(),
            lambda r: r.enqueue_delete(),
            REMOVED,
            always_asks=True,
            note=COMES_BACK,
        ),
    }

    def names(self, shop: ShopState, rows: Sequence[Any]) -> dict[int, str]:
        """Return the names of the rows' products."""
        return names_of(shop, rows)

    def named_like(self, request: HttpRequest, term: str) -> Q:
        """Return the condition of rows whose product's name contains the term."""
        found = Q()
        for shop in shops_of(request).values():
            found |= named_like(shop, term)
        return found

    def rendered(self, row: SyncedProduct) -> object:
        """Return what the product is now, None where it is gone."""
        return render_rows(row.shop, [row]).get((row.model, row.object_pk))

    def accepted_at(self, row: SyncedProduct) -> Any:
        """Return when Neuroon accepted it last."""
        return row.synced_at

    @admin.action(permissions=["operate"], description=gettext_lazy("Remove from Neuroon"))
    def remove(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Queue the deletes of the chosen rows, once that was confirmed."""
        return self.act(request, queryset, "remove")

    # What Neuroon holds

    def press(self, request: HttpRequest, row: Any, name: str, page: str) -> HttpResponse | None:
        """Do what a button says: ask Neuroon, or what lists do too."""
        if name != "ask":
            return super().press(request, row, name, page)
        level, text = self._compared(row)
        acting.tell(request, self, text, obj=row, level=level)
        return None

    def _compared(self, row: SyncedProduct) -> tuple[int, str]:
        """Return what Neuroon's list shows of the product beside what would be sent."""
        try:
            found = find_at_neuroon(row.shop, row.external_id)
        except ApiError as error:
            return messages.ERROR, str(error)
        if found.product is None:
            if found.complete:
                return messages.WARNING, _("Neuroon's list does not have it.")
            text = _("It is not among the first %(n)s products of Neuroon's list.")
            return messages.WARNING, text % {"n": number(found.read)}
        result = self.rendered(row)
        if not isinstance(result, Rendered):
            return messages.WARNING, _("Neuroon has it, and nothing would be sent now.")
        payload = decode(result.payload)
        differing = differences(payload, found.product)
        if not differing:
            return messages.SUCCESS, _("Neuroon has it as it would be sent now.")
        texts = [
            _("%(name)s is %(here)s here and %(there)s at Neuroon")
            % {"name": name, "here": here, "there": there}
            for name, here, there in differing
        ]
        return messages.WARNING, _("It differs: %s") % "; ".join(texts)
