"""The admin's own words for steps and results, which the services name in English."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

STEPS = {
    "settings": _("settings"),
    "feeds": _("feeds"),
    "tables": _("tables"),
    "celery": _("celery"),
    "api": _("api"),
    "route": _("route"),
    "domain": _("domain"),
    "token": _("token"),
    "pace": _("pace"),
}

RESULTS = {"ok": _("ok"), "warning": _("warning"), "failed": _("failed")}
