"""The app's configuration: at start-up it finds the shop's feeds and connects to their models."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class NeuroonConfig(AppConfig):
    name = "neuroon_django"
    label = "neuroon_django"
    verbose_name = _("Neuroon search")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import every app's `neuroon.py`, close the registry, and connect the receivers."""
        from neuroon_django import checks  # noqa: F401  (importing registers them)
        from neuroon_django.feeds import registry
        from neuroon_django.recording.receivers import receivers

        autodiscover_modules("neuroon")
        registry.closed = True
        receivers.connect()
