"""The words a row's state is told in."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ProductStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    SENDING = "sending", _("sending")
    SYNCED = "synced", _("synced")
    REJECTED = "rejected", _("rejected")
    UNLISTED = "unlisted", _("unlisted")
    DELETING = "deleting", _("deleting")


class ConversionStatus(models.TextChoices):
    WAITING = "waiting", _("waiting for payment")
    PENDING = "pending", _("pending")
    SENDING = "sending", _("sending")
    SENT = "sent", _("sent")
    NOT_ATTRIBUTED = "not_attributed", _("not attributed")
    REJECTED = "rejected", _("rejected")
