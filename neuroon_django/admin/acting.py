"""What happens when somebody presses a button: a question first, words after it, and a log entry.

Lists, the overview and a row's own page act in this way alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import ModelAdmin
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from neuroon_django.admin.words import number

MANY = 100  # rows that are tried again without a question
EXAMPLES = 5
CONFIRMED = "confirmed"


def is_confirmed(request: HttpRequest) -> bool:
    """Tell whether the question was answered with yes."""
    return CONFIRMED in request.POST


def ask(
    request: HttpRequest,
    admin: ModelAdmin[Any],
    question: str,
    n: int,
    examples: Sequence[str],
    *,
    note: str = "",
    back: str = "",
) -> TemplateResponse:
    """Return the page that asks before `n` rows are acted upon; its yes posts the same once more."""
    left_out = {"csrfmiddlewaretoken", CONFIRMED}
    given = [(k, v) for k, values in request.POST.lists() if k not in left_out for v in values]
    context = {
        **admin.admin_site.each_context(request),
        "title": _("Are you sure?"),
        "opts": admin.opts,
        "media": admin.media,
        "question": question,
        "note": note,
        "examples": examples,
        "more": number(n - len(examples)) if n > len(examples) else "",
        "given": given,
        "back": back or request.get_full_path(),
    }
    request.current_app = admin.admin_site.name
    return TemplateResponse(request, "admin/neuroon_django/confirm.html", context)


def tell(
    request: HttpRequest,
    admin: Any,
    text: str,
    *,
    obj: Any = None,
    level: int = messages.SUCCESS,
) -> None:
    """Tell the person what happened, and note it in the admin's log, with the row if it is one's."""
    admin.message_user(request, text, level)
    LogEntry.objects.create(
        user=cast("Any", request.user),
        content_type=ContentType.objects.get_for_model(admin.model),
        object_id=None if obj is None else str(obj.pk),
        object_repr=str(obj or admin.opts.verbose_name_plural)[:200],
        action_flag=CHANGE,
        change_message=text,
    )
