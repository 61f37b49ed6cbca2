"""The `NEUROON_…` settings that belong to the project, whatever the number of its shops."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from django.conf import settings

from neuroon_django import rules
from neuroon_django.rules import Setting, number, one_of, or_none


class ProjectSettings:
    """What all shops share; `conf.Settings` adds the shops."""

    own: Mapping[str, Any] = {}  # a project's settings are flat

    SHOPS = Setting[Mapping[str, Any]](
        {},
        rule=lambda value: isinstance(value, Mapping),
        hint='{"es": {"SHOP_ID": "shop_…", "API_KEY": "sk_…", "LANGUAGE": "es"}}, shops by alias',
    )
    SHOP_FOR_REQUEST = Setting[str](
        "",
        rule=rules.is_text,
        hint='"shop.markets.alias_of", the dotted path of a function of a request, or None',
    )
    DEBOUNCE = Setting(2, clean=float, rule=number(0, 3600), hint="2, in seconds, from 0 to 3600")
    WIDGET_TIMEOUT = Setting(2, clean=float, rule=number(0.1, 60), hint="2, in seconds, from 0.1 to 60")
    CACHE = Setting[str](
        "default",
        rule=lambda value: rules.is_text(value) and value in settings.CACHES,
        hint="a name in CACHES",
    )
    QUEUE = Setting[str | None](
        None,
        rule=rules.is_text,
        hint='"neuroon", the name of a Celery queue, or None',
    )
    ENABLED = Setting(True, clean=bool, rule=rules.is_bool, hint="True or False")
    AUTO_SYNC = Setting(True, clean=bool, rule=rules.is_bool, hint="True or False")
    TASKS = Setting[Literal["celery", "django"] | None](
        "celery",
        rule=or_none(one_of("celery", "django")),
        hint='"celery", "django" or None',
        unset=("",),  # None is a value: nobody is woken
    )
    SCAN_EVERY = Setting[timedelta | None](
        1,
        clean=lambda value: None if value is None else rules.days(value),
        rule=or_none(rules.is_age),
        hint="1, in days, or a timedelta, of ten years at most, or None",
        unset=("",),  # None is a value: never by age
    )
    KEEP_CLICKS = Setting(
        90,
        clean=rules.days,
        rule=rules.is_age,
        hint="90, in days, or a timedelta, of ten years at most",
    )
    CONTEXT = Setting[str](
        "",
        rule=rules.is_text,
        hint='"shop.scopes.everything", the dotted path of a context manager, or None',
    )
