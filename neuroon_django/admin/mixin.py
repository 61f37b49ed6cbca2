"""`NeuroonProductAdminMixin`: what Neuroon knows of each product, in the shop's own product admin."""

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
from neuroon_django.admin.rows import state
from neuroon_django.conf import conf
from neuroon_django.feeds import registry
from neuroon_django.models import ShopState, SyncedProduct

# Where a page's products carry their row of the mirror.
ROW = "_neuroon_row"
LINKED = "_neuroon_linked"  # and whether the person may see its page


class _Rows(ChangeList):
    """A page of products, with their rows of the mirror read in one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = rows_of(self.model, [product.pk for product in self.result_list])
        site = self.model_admin.admin_site
        ours = site.is_registered(SyncedProduct) and site.get_model_admin(SyncedProduct)
        linked = ours and ours.has_view_permission(request)
        for product in self.result_list:
            setattr(product, ROW, rows.get(str(product.pk)))
            setattr(product, LINKED, linked)


def rows_of(model: Any, pks: list[Any]) -> dict[str, SyncedProduct]:
    labels = [feed.label for feed in registry.sources_of(model)]
    found = SyncedProduct.objects.of(ShopState.objects.for_config(conf.shop())).filter(model__in=labels)
    return {row.object_pk: row for row in found.filter(object_pk__in=list(map(str, pks)))}


class NeuroonProductAdminMixin:
    """Adds a state column with a link, and the action *Sync to Neuroon*: put it before `ModelAdmin`."""

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
        theirs: Media = super().media  # type: ignore[misc]
        return theirs + Media(css={"all": ["neuroon_django/admin.css"]})

    def get_list_display(self, request: HttpRequest) -> Any:
        return [*super().get_list_display(request), "neuroon_state"]  # type: ignore[misc]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        base = super().get_changelist(request, **kwargs)  # type: ignore[misc]
        return type("NeuroonChangeList", (_Rows, base), {})

    @admin.display(description=gettext_lazy("Neuroon"))
    def neuroon_state(self, product: Any) -> str:
        row = getattr(product, ROW, None)
        if row is None:
            return ""
        if not getattr(product, LINKED):
            return state(row)
        name = f"{self.admin_site.name}:neuroon_django_syncedproduct_change"
        return format_html('<a href="{}">{}</a>', reverse(name, args=[row.pk]), state(row))

    @admin.action(permissions=["change"], description=gettext_lazy("Sync to Neuroon"))
    def sync_to_neuroon(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        if not conf.ENABLED:
            told = gettext("Nothing was noted: NEUROON_ENABLED is False.")
            self.message_user(request, told, messages.WARNING)  # type: ignore[attr-defined]
            return
        n = queryset.count()
        mark_changed(queryset)
        told = ngettext(
            "%(n)s product is looked at again, and sent where it differs.",
            "%(n)s products are looked at again, and sent where they differ.",
            n,
        )
        self.message_user(request, told % {"n": f"{n:,}"}, messages.SUCCESS)  # type: ignore[attr-defined]
