"""The page of one row: what is known, what would be sent, what was answered, and its buttons."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from neuroon_django.admin.lists import Act, DeliveryAdmin
from neuroon_django.admin.words import moment
from neuroon_django.feeds import Invalid

LOGGED = 10  # entries of the admin's log that a row's page shows


class RowPage(DeliveryAdmin):
    """A list whose rows have a page each."""

    asks_neuroon = False

    def rendered(self, row: Any) -> object:
        """Return what the row's object is for Neuroon now."""
        raise NotImplementedError

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

    @admin.display(description=gettext_lazy("last attempts"))
    def answers(self, row: Any) -> str:
        """Return when Neuroon last accepted it, and when and why it last did not go."""
        lines = sorted(self._answers(row), reverse=True)
        if not lines:
            return _("none yet")
        shown = [(moment(at), text) for at, text in lines]
        listed = format_html_join("", "<li><time>{}</time> {}</li>", shown)
        return format_html('<ul class="neuroon-answers">{}</ul>', listed)

    def _answers(self, row: Any) -> Iterator[tuple[datetime, str]]:
        accepted, failed = self.accepted_at(row), row.failed_at
        fails = failed is not None and (accepted is None or failed > accepted)
        if accepted is not None:
            warning = "" if fails else row.last_error
            yield accepted, ": ".join(filter(None, [_("accepted"), warning]))
        if failed is not None:
            yield failed, row.last_error if fails else _("failed")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Show the row with its buttons, and what people have done with it."""
        row, query = kwargs["obj"], request.GET.urlencode()
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_act"
        content_type = ContentType.objects.get_for_model(self.model)
        logged = LogEntry.objects.filter(content_type=content_type, object_id=str(row.pk))
        may = self.has_operate_permission(request)
        context |= {
            "acts": self._possible(request, row) if may else [],
            "act_url": reverse(name, args=[row.pk]) + (f"?{query}" if query else ""),
            "asks_neuroon": self.asks_neuroon and may,
            "logged": logged.select_related("user").order_by("-action_time")[:LOGGED],
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def _possible(self, request: HttpRequest, row: Any) -> list[tuple[str, Act]]:
        """Return what can be done with the row as it is now."""
        rows = self.get_queryset(request).filter(pk=row.pk)
        return [(name, act) for name, act in self.acts.items() if act.concerned(rows).exists()]
