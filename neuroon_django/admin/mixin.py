"""`NeuroonProductAdminMixin`: what Neuroon has of each product, in the shop's own product admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, gettext_lazy, ngettext

from neuroon_django import mark_changed
from neuroon_django.admin.rows import shop_of, state
from neuroon_django.conf import conf
from neuroon_django.feeds import registry
from neuroon_django.models import ShopState, SyncedProduct

# Attributes of a page's products: their row here, and whether the person may see its page.
ROW = "_neuroon_row"
LINKED = "_neuroon_linked"


class _Rows(ChangeList):
    """A page of products, with their rows here read in one query."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, and give each product its row."""
        super().get_results(request)
        rows = rows_of(shop_of(request), self.model, [product.pk for product in self.result_list])
        site = self.model_admin.admin_site
        ours = site.is_registered(SyncedProduct) and site.get_model_admin(SyncedProduct)
        linked = ours and ours.has_view_permission(request)
        for product in self.result_list:
            setattr(product, ROW, rows.get(str(product.pk)))
            setattr(product, LINKED, linked)


def rows_of(shop: ShopState, model: Any, pks: list[Any]) -> dict[str, SyncedProduct]:
    """Return the rows of these products, by primary key as text."""
    labels = [feed.label for feed in registry.sources_of(model, shop.config)]
    owned = SyncedProduct.objects.of(shop).filter(model__in=labels)
    return {row.object_pk: row for row in owned.filter(object_pk__in=list(map(str, pks)))}


class NeuroonProductAdminMixin:
    """Adds a column with the status and the action *Sync to Neuroon*: put it before `ModelAdmin`."""

    actions: Any
    admin_site: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Add the action to the shop's own, whatever those are."""
        super().__init_subclass__(**kwargs)
        actions = getattr(cls, "actions", None)  # a mixin of the shop's own has none
        if actions is not None and "sync_to_neuroon" not in actions:
            cls.actions = [*actions, "sync_to_neuroon"]

    @property
    def media(self) -> Media:
        """Return the shop's own media and the colours of statuses."""
        theirs: Media = super().media  # type: ignore[misc]
        return theirs + Media(css={"all": ["neuroon_django/admin.css"]})

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the shop's own columns and the status."""
        return [*super().get_list_display(request), "neuroon_state"]  # type: ignore[misc]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the shop's own class of lists, which reads the rows as well."""
        base = super().get_changelist(request, **kwargs)  # type: ignore[misc]
        return type("NeuroonChangeList", (_Rows, base), {})

    @admin.display(description=gettext_lazy("Neuroon"))
    def neuroon_state(self, product: Any) -> str:
        """Return the product's status at Neuroon, "" where it has no row."""
        row = getattr(product, ROW, None)
        if row is None:
            return ""
        if not getattr(product, LINKED):
            return state(row)
        name = f"{self.admin_site.name}:neuroon_django_syncedproduct_change"
        return format_html('<a href="{}">{}</a>', reverse(name, args=[row.pk]), state(row))

    @admin.action(permissions=["change"], description=gettext_lazy("Sync to Neuroon"))
    def sync_to_neuroon(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Record the chosen products as changed."""
        if not conf.ENABLED:
            message = gettext("Nothing was recorded: NEUROON_ENABLED is False.")
            self.message_user(request, message, messages.WARNING)  # type: ignore[attr-defined]
            return
        n = queryset.count()
        mark_changed(queryset)
        message = ngettext(
            "%(n)s product is queued, and sent if it differs from what Neuroon has.",
            "%(n)s products are queued, and sent if they differ from what Neuroon has.",
            n,
        )
        self.message_user(request, message % {"n": f"{n:,}"}, messages.SUCCESS)  # type: ignore[attr-defined]
