"""The one context that payloads are built in, whoever saved the product and wherever (law 12)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from django.conf import settings
from django.urls import get_script_prefix, set_script_prefix
from django.utils import timezone, translation
from django.utils.module_loading import import_string

from neuroon_django.conf import conf

if TYPE_CHECKING:
    from neuroon_django.conf import ShopConfig


@contextmanager
def payload_context(shop: ShopConfig) -> Iterator[None]:
    """Set everything that a payload depends on beside the product: around load and evaluation.

    These are the shop's language, as Django would serve it, the project's time zone and script
    prefix, and the context manager that `NEUROON_CONTEXT` names. All of them are per thread.
    """
    language, zone = _supported(shop.LANGUAGE), timezone.get_default_timezone()
    with translation.override(language), timezone.override(zone), _script_prefix(), _shops_own():
        yield


def _supported(language: str) -> str:
    """Return the variant of a language that Django would serve: `en` where only that is listed."""
    try:
        return translation.get_supported_language_variant(language)
    except LookupError:
        return language


@contextmanager
def _script_prefix() -> Iterator[None]:
    before = get_script_prefix()
    set_script_prefix(settings.FORCE_SCRIPT_NAME or "/")
    try:
        yield
    finally:
        set_script_prefix(before)


def _shops_own() -> AbstractContextManager[None]:
    """Return what the shop needs around its ORM: scopes, tenants, a writer's guard."""
    if not conf.CONTEXT:
        return nullcontext()
    context: AbstractContextManager[None] = import_string(conf.CONTEXT)()
    return context
