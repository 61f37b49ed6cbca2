"""The tables: the outbox the shop writes to, the mirror, the conversions, and what workers share."""

from __future__ import annotations

import threading

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from neuroon_django.conf import conf
from neuroon_django.models.gates import Gates
from neuroon_django.querysets import (
    ChangeQuerySet,
    ConversionQuerySet,
    ConversionStatus,
    Lane,
    PrimaryManager,
    ProductStatus,
    ShopStateQuerySet,
    SyncedProductQuerySet,
)


class Change(models.Model):
    """Outbox: "this object changed". Appended by the shop's transactions, consumed by workers."""

    id = models.BigAutoField(primary_key=True)
    model = models.CharField(max_length=200)
    object_pk = models.TextField()
    # How far a worker got with the products that hang on the object; "": not begun.
    after_pk = models.TextField(default="", blank=True)
    clicks = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = PrimaryManager.from_queryset(ChangeQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        indexes = [models.Index(fields=["model", "id"], name="neuroon_change_model")]

    def __str__(self) -> str:
        return f"{self.model} {self.object_pk}"


class ShopState(Gates):
    """What all workers share about one shop id at one API address."""

    id = models.BigAutoField(primary_key=True)
    shop_id = models.CharField(max_length=200)
    api_url = models.CharField(max_length=255)

    folded_at = models.DateTimeField(null=True, blank=True)
    run_at = models.DateTimeField(null=True, blank=True)
    next_products_run_at = models.DateTimeField(null=True, blank=True)
    next_conversions_run_at = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    scan_cursor = models.TextField(default="", blank=True)
    scanned_at = models.DateTimeField(null=True, blank=True)
    route = models.CharField(max_length=10, default="", blank=True)
    verified_domain = models.CharField(max_length=255, default="", blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    token = models.TextField(default="", blank=True)
    token_issued_at = models.DateTimeField(null=True, blank=True)
    token_key = models.CharField(max_length=16, default="", blank=True)

    objects = PrimaryManager.from_queryset(ShopStateQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("shop")
        verbose_name_plural = _("shops")
        constraints = [
            models.UniqueConstraint(fields=["shop_id", "api_url"], name="neuroon_one_shop_state")
        ]

    def __str__(self) -> str:
        return f"{self.shop_id} at {self.api_url}"

    @classmethod
    def current(cls) -> ShopState:
        """The row of the shop id and API address in the settings."""
        return cls.objects.here(conf.SHOP_ID, conf.API_URL)


class Delivery(models.Model):
    """A row on its way to Neuroon; `querysets.delivery` tells how its columns work together.

    The shop stands last in every index: nearly all rows have the same one, and SQLite, which has no
    statistics unless told to make some, would take any index that begins with it, and read them all.
    """

    id = models.BigAutoField(primary_key=True)
    shop = models.ForeignKey(ShopState, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=64)
    model = models.CharField(_("model"), max_length=200, default="", blank=True)
    object_pk = models.CharField(_("object"), max_length=255, default="", blank=True)
    lane = models.PositiveSmallIntegerField(default=Lane.CHANGES)
    due_at = models.DateTimeField(_("next try"), null=True, blank=True)
    lease = models.CharField(max_length=32, default="", blank=True)
    revision = models.PositiveBigIntegerField(default=1)
    claimed_revision = models.PositiveBigIntegerField(default=0)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    waiting_since = models.DateTimeField(_("waiting since"), null=True, blank=True)
    last_error = models.TextField(_("last error"), default="", blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        abstract = True


class SyncedProduct(Delivery):
    """What the shop knows of one external id at Neuroon. `status` is one of `ProductStatus`."""

    Status = ProductStatus

    external_id = models.CharField(_("external id"), max_length=255, db_index=True)
    status = models.CharField(
        _("status"), max_length=20, choices=ProductStatus.choices, default=ProductStatus.PENDING
    )
    # Of the payload that Neuroon is known to hold, or has refused; "": nothing is known.
    digest = models.CharField(max_length=64, default="", blank=True)
    # Neuroon has it, or may have.
    held = models.BooleanField(default=False)
    # Its external id belongs to another object; it waits for that to let go.
    contested = models.BooleanField(default=False)
    remote_id = models.CharField(max_length=255, default="", blank=True)
    synced_at = models.DateTimeField(_("synced"), null=True, blank=True)

    objects = PrimaryManager.from_queryset(SyncedProductQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("synced product")
        verbose_name_plural = _("synced products")
        constraints = [
            models.UniqueConstraint(fields=["key", "shop"], name="neuroon_one_row_per_product")
        ]
        indexes = [
            models.Index(fields=["lane", "due_at", "shop"], name="neuroon_product_due"),
            models.Index(fields=["object_pk", "model", "shop"], name="neuroon_product_owner"),
            models.Index(fields=["status", "shop"], name="neuroon_product_status"),
        ]

    def __str__(self) -> str:
        return self.external_id


class Conversion(Delivery):
    """One order of the shop and what became of its report. `status` is a `ConversionStatus`."""

    Status = ConversionStatus

    order_id = models.CharField(_("order"), max_length=255, default="", blank=True, db_index=True)
    status = models.CharField(
        _("status"),
        max_length=20,
        choices=ConversionStatus.choices,
        default=ConversionStatus.PENDING,
    )
    clicks = models.TextField(_("clicks"), default="", blank=True)
    clicked_at = models.DateTimeField(_("clicked"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    objects = PrimaryManager.from_queryset(ConversionQuerySet)()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("conversion")
        verbose_name_plural = _("conversions")
        constraints = [
            models.UniqueConstraint(fields=["key", "shop"], name="neuroon_one_row_per_order")
        ]
        indexes = [
            models.Index(fields=["lane", "due_at", "shop"], name="neuroon_conversion_due"),
            models.Index(fields=["object_pk", "model", "shop"], name="neuroon_conversion_owner"),
            models.Index(fields=["clicked_at"], name="neuroon_conversion_clicked"),
            models.Index(fields=["status", "shop"], name="neuroon_conversion_status"),
        ]

    def __str__(self) -> str:
        return self.order_id or f"{self.model} {self.object_pk}"


# Set when this process saw a change that it did not record, since the app was switched off.
unseen = threading.Event()

__all__ = ["Change", "Conversion", "Delivery", "ShopState", "SyncedProduct", "unseen"]
