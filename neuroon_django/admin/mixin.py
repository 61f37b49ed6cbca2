"""`NeuroonProductAdminMixin`: what Neuroon has of each product, in the shop's own product admin.

It adds a column and an action to the list, and a panel to the page of a product.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, gettext_lazy, ngettext

from neuroon_django import mark_changed
from neuroon_django.admin import acting
from neuroon_django.admin.rows import shops_of, state
from neuroon_django.admin.words import moment, number
from neuroon_django.conf import conf
from neuroon_django.feeds import registry
from neuroon_django.models import ShopState, SyncedProduct

# Attributes of a page's products: their rows here, and whether the person may see their pages.
ROWS = "_neuroon_rows"
LINKED = "_neuroon_linked"
PANEL = "neuroon_panel"


class _Rows(ChangeList):
    """A page of products, with their rows here read in one query."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, and give each product its row."""
        super().get_results(request)
        note_rows(request, self.model_admin, self.result_list)


def note_rows(request: HttpRequest, model_admin: Any, products: Any) -> None:
    """Give products of one model their rows, in one query per shop."""
    site = model_admin.admin_site
    ours = site.is_registered(SyncedProduct) and site.get_model_admin(SyncedProduct)
    linked = ours and ours.has_view_permission(request)
    found = [
        rows_of(shop, model_admin.model, [product.pk for product in products])
        for shop in shops_of(request).values()
    ]
    for product in products:
        own = [rows[str(product.pk)] for rows in found if str(product.pk) in rows]
        setattr(product, ROWS, own)
        setattr(product, LINKED, linked)


def rows_of(shop: ShopState, model: Any, pks: list[Any]) -> dict[str, SyncedProduct]:
    """Return the rows of these products, by primary key as text."""
    labels = [feed.label for feed in registry.sources_of(model, shop.config)]
    owned = SyncedProduct.objects.of(shop).filter(model__in=labels)
    rows = {row.object_pk: row for row in owned.filter(object_pk__in=list(map(str, pks)))}
    for row in rows.values():
        row.shop = shop
    return rows


class NeuroonProductAdminMixin:
    """Adds the status to list and page, and an action *Sync to Neuroon*; put it before `ModelAdmin`."""

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
        return format_html_join(" ", "{}", [(self._linked(product, row),) for row in _rows(product)])

    def _linked(self, product: Any, row: SyncedProduct) -> str:
        """Return a row's status, with its shop where there are several, linked to its own page."""
        text = state(row)
        if len(conf.shops()) > 1:
            text = format_html("{} {}", row.shop.config.alias, text)
        if not getattr(product, LINKED):
            return text
        name = f"{self.admin_site.name}:neuroon_django_syncedproduct_change"
        return format_html('<a href="{}">{}</a>', reverse(name, args=[row.pk]), text)

    # The panel on a product's page

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Return the product, with its rows."""
        product = super().get_object(request, *args, **kwargs)  # type: ignore[misc]
        if product is not None:
            note_rows(request, self, [product])
        return product

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the shop's own fields and, of a product that exists, the panel."""
        own = [*super().get_readonly_fields(request, obj)]  # type: ignore[misc]
        return own if obj is None or PANEL in own else [*own, PANEL]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the shop's own fieldsets, the panel in one of its own unless the shop has put it."""
        own = [(name, dict(options)) for name, options in super().get_fieldsets(request, obj)]  # type: ignore[misc]
        if obj is None or PANEL in (getattr(self, "fields", None) or flatten_fieldsets(self._declared)):
            return own
        for _name, options in own:
            options["fields"] = [field for field in options["fields"] if field != PANEL]
        return [*own, (gettext("Neuroon"), {"fields": [PANEL]})]

    @property
    def _declared(self) -> Any:
        return getattr(self, "fieldsets", None) or []

    @admin.display(description=gettext_lazy("Neuroon"))
    def neuroon_panel(self, product: Any) -> str:
        """Return what Neuroon has of the product, or why it has none."""
        rows = [(self._linked(product, row), _facts_of(row)) for row in _rows(product)]
        if not rows:
            return gettext("Nothing of it is known to Neuroon yet.")
        return format_html_join("", '<div class="neuroon-panel">{} {}</div>', rows)

    @admin.action(permissions=["change"], description=gettext_lazy("Sync to Neuroon"))
    def sync_to_neuroon(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Record the chosen products as changed."""
        if not conf.ENABLED:
            message = gettext("Nothing was recorded: NEUROON_ENABLED is False.")
            self.message_user(request, message, messages.WARNING)  # type: ignore[attr-defined]
            return
        n = queryset.count()
        mark_changed(queryset)
        phrase = ngettext(
            "%(n)s product is queued, and sent if it differs from what Neuroon has.",
            "%(n)s products are queued, and sent if they differ from what Neuroon has.",
            n,
        )
        acting.tell(request, self, phrase % {"n": number(n)})


def _rows(product: Any) -> list[SyncedProduct]:
    rows: list[SyncedProduct] = getattr(product, ROWS, [])
    return rows


def _facts_of(row: SyncedProduct) -> str:
    """Return when a row was accepted, and what keeps it back."""
    accepted = gettext("accepted %(at)s") % {"at": moment(row.synced_at)} if row.synced_at else ""
    return " · ".join(filter(None, [accepted, row.last_error]))
