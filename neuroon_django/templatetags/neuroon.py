"""The widget in a page: `{% neuroon_widget %}` and `{% neuroon_widget_token %}` (`API.md`).

Where no token can be served the tags print nothing, and the page is as if they were not there.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from html import escape
from typing import Any

from django import template
from django.core.exceptions import ImproperlyConfigured
from django.template.context import Context
from django.template.loader import get_template
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString, mark_safe

from neuroon_django import widget
from neuroon_django.api.messages import text_of
from neuroon_django.conf import DEFAULT_API_URL, ShopConfig, conf
from neuroon_django.rules import Setting

logger = logging.getLogger("neuroon_django")
register = template.Library()

LOCALES = frozenset({"es", "en", "fr", "de", "it", "pt", "ca", "eu", "gl"})
CONTAINER = "neuroon-search"
NAME = re.compile(r"[\w-]+")
ELEMENTS = frozenset({"aside", "body", "footer", "form", "header", "main", "nav", "section"})

_reported: set[str] = set()  # arguments whose wrong value was logged by this process


@register.simple_tag
def neuroon_widget_token() -> str:
    """Return the token alone, for a script of the shop's own; "" where there is none."""
    return widget.get_token()


@register.simple_tag(takes_context=True)
def neuroon_widget(
    context: Context,
    *,
    container: str = "",
    theme: str = "",
    locale: str = "",
    position: str = "",
    cached: bool = False,
    **data: Any,
) -> str:
    """Return the search widget; further arguments become `data-…` attributes of its script.

    Without `container` (a CSS selector) it brings its own `<div>`. A `theme` or `position` that there
    is not is left out, and logged once. With `cached`, for pages that are cached whole, it is a loader
    that fetches the token.
    """
    source = _loader() if cached else _script(widget.get_token())
    if not source:
        return ""
    shop = conf.shop()
    api_url = shop.API_URL
    language = str(locale or "").replace("_", "-").partition("-")[0].lower()
    own = {
        **source,
        "data-container": _selector(str(container)) if container else f"#{CONTAINER}",
        "data-theme": _known(theme, ShopConfig.WIDGET_THEME) or shop.WIDGET_THEME,
        "data-locale": language if language in LOCALES else None,
        "data-position": _known(position, ShopConfig.WIDGET_POSITION) or shop.WIDGET_POSITION,
        "data-api-url": api_url if api_url != DEFAULT_API_URL else None,
        "nonce": _nonce(context),
    }
    further = {f"data-{n.removeprefix('data_').replace('_', '-')}": v for n, v in data.items()}
    attributes = own | {name: value for name, value in further.items() if not own.get(name)}
    page = {"container_id": "" if container else CONTAINER, "attributes": _written(attributes)}
    return get_template("neuroon_django/widget.html").render(page)


def _known(value: str, setting: Setting[str]) -> str:
    """Return an argument that its setting would take too, or else ""."""
    if not value or setting.rule(value):
        return value
    _report(setting.name.removeprefix("WIDGET_").lower(), value, setting.hint)
    return ""


def _selector(value: str) -> str:
    """Return the selector as it was written; what looks like an id without its "#" is logged."""
    if NAME.fullmatch(value) and value not in ELEMENTS:
        _report("container", value, f'"#{value}", a CSS selector')
    return value


def _report(argument: str, value: object, hint: str) -> None:
    """Log the first wrong value of an argument in this process; the page is served all the same."""
    if argument not in _reported:
        _reported.add(argument)
        shown = text_of(repr(value)[:100])
        logger.warning("widget_argument %s=%s: write %s", argument, shown, hint)


def _written(attributes: Mapping[str, Any]) -> SafeString:
    """Return attributes as HTML, without the empty ones.

    Django's own `flatatt` takes ten times as long.
    """
    pairs = [
        f' {name}="{escape("true" if value is True else str(value))}"'
        for name, value in attributes.items()
        if value is not None and value is not False and value != ""
    ]
    return mark_safe("".join(pairs))  # noqa: S308  (values are escaped, names come from templates)


def _script(token: str) -> dict[str, Any]:
    """Return the attributes of the widget's own script; {} where there is no token for it."""
    if not token:
        return {}
    return {
        "src": conf.shop().WIDGET_URL,
        "integrity": conf.shop().integrity,
        "crossorigin": "anonymous",
        "data-token": token,
    }


def _loader() -> dict[str, Any]:
    """Return the attributes of the loader, with what it needs to add the widget's script behind it.

    Return {} where nothing can be sent, or the loader cannot be served.
    """
    if not conf.shop().can_send:
        return {}
    try:
        endpoint = reverse("neuroon:widget-token")
        loader = static("neuroon_django/loader.js")
    except NoReverseMatch:
        logger.error('no_widget_endpoint: add path("neuroon/", include("neuroon_django.urls"))')
        return {}
    except (ValueError, ImproperlyConfigured):
        logger.error("no_widget_loader: set STATIC_URL and run manage.py collectstatic")
        return {}
    return {
        "src": loader,
        "data-neuroon-src": conf.shop().WIDGET_URL,
        "data-neuroon-integrity": conf.shop().integrity,
        "data-neuroon-endpoint": endpoint,
    }


def _nonce(context: Context) -> str:
    """Return the page's CSP nonce, of Django's own support or of django-csp.

    Reading it puts it to use, so this is called only where a script is printed.
    """
    request = getattr(context, "request", None) or context.get("request")
    places = (
        context.get("csp_nonce"),
        getattr(request, "csp_nonce", None),
        getattr(request, "_csp_nonce", None),
    )
    return next((str(nonce) for nonce in places if nonce is not None), "")
