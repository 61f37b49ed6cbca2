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
from django.http import HttpRequest
from django.template.context import Context
from django.template.loader import get_template
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString, mark_safe

from neuroon_django import widget
from neuroon_django.api.messages import text_of
from neuroon_django.conf import DEFAULT_API_URL, ShopConfig, conf
from neuroon_django.request_shop import shop_for_request
from neuroon_django.rules import Setting

logger = logging.getLogger("neuroon_django")
register = template.Library()

LOCALES = frozenset({"es", "en", "fr", "de", "it", "pt", "ca", "eu", "gl"})
CONTAINER = "neuroon-search"
NAME = re.compile(r"[\w-]+")
ELEMENTS = frozenset({"aside", "body", "footer", "form", "header", "main", "nav", "section"})

_reported: set[str] = set()  # arguments whose wrong value was logged by this process


@register.simple_tag(takes_context=True)
def neuroon_widget_token(context: Context, *, shop: str = "") -> str:
    """Return the token alone, for a script of the shop's own; "" where there is none.

    `shop` is the alias of another shop than the request's.
    """
    config = _shop(context, shop)
    return widget.token_for(config) if config else ""


@register.simple_tag(takes_context=True)
def neuroon_widget(
    context: Context,
    *,
    shop: str = "",
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
    that fetches the token. `shop` is the alias of another shop than the request's.
    """
    config = _shop(context, shop)
    if config is None:
        return ""
    source = _loader(config) if cached else _script(config)
    if not source:
        return ""
    api_url = config.API_URL
    language = str(locale or "").replace("_", "-").partition("-")[0].lower()
    own = {
        **source,
        "data-container": _selector(str(container)) if container else f"#{CONTAINER}",
        "data-theme": _known(theme, ShopConfig.WIDGET_THEME) or config.WIDGET_THEME,
        "data-locale": language if language in LOCALES else None,
        "data-position": _known(position, ShopConfig.WIDGET_POSITION) or config.WIDGET_POSITION,
        "data-api-url": api_url if api_url != DEFAULT_API_URL else None,
        "nonce": _nonce(context),
    }
    further = {f"data-{n.removeprefix('data_').replace('_', '-')}": v for n, v in data.items()}
    attributes = own | {name: value for name, value in further.items() if not own.get(name)}
    page = {"container_id": "" if container else CONTAINER, "attributes": _written(attributes)}
    return get_template("neuroon_django/widget.html").render(page)


def _shop(context: Context, alias: str) -> ShopConfig | None:
    """Return the shop of that alias, or the one that the page's request is for."""
    if alias:
        shop = conf.shops().get(alias)
        if shop is None:
            _report("shop", alias, f"one of {', '.join(conf.shops())}")
        return shop
    shop = shop_for_request(_request(context))
    if shop is None:
        _report("shop", "", "shop=…, or set NEUROON_SHOP_FOR_REQUEST")
    return shop


def _request(context: Context) -> HttpRequest | None:
    """Return the page's request, None where the template has none."""
    request: HttpRequest | None = getattr(context, "request", None) or context.get("request")
    return request


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


def _script(shop: ShopConfig) -> dict[str, Any]:
    """Return the attributes of the widget's own script; {} where there is no token for it."""
    token = widget.token_for(shop)
    if not token:
        return {}
    return {
        "src": shop.WIDGET_URL,
        "integrity": shop.integrity,
        "crossorigin": "anonymous",
        "data-token": token,
    }


def _loader(shop: ShopConfig) -> dict[str, Any]:
    """Return the attributes of the loader, with what it needs to add the widget's script behind it.

    Of several shops the endpoint is told which one, since its own request may be in another
    language. Return {} where nothing can be sent, or the loader cannot be served.
    """
    if not shop.can_send:
        return {}
    try:
        endpoint = reverse("neuroon:widget-token")
        endpoint += f"?shop={shop.alias}" if len(conf.shops()) > 1 else ""
        loader = static("neuroon_django/loader.js")
    except NoReverseMatch:
        logger.error('no_widget_endpoint: add path("neuroon/", include("neuroon_django.urls"))')
        return {}
    except (ValueError, ImproperlyConfigured):
        logger.error("no_widget_loader: set STATIC_URL and run manage.py collectstatic")
        return {}
    return {
        "src": loader,
        "data-neuroon-src": shop.WIDGET_URL,
        "data-neuroon-integrity": shop.integrity,
        "data-neuroon-endpoint": endpoint,
    }


def _nonce(context: Context) -> str:
    """Return the page's CSP nonce, of Django's own support or of django-csp.

    Reading it puts it to use, so this is called only where a script is printed.
    """
    request = _request(context)
    places = (
        context.get("csp_nonce"),
        getattr(request, "csp_nonce", None),
        getattr(request, "_csp_nonce", None),
    )
    return next((str(nonce) for nonce in places if nonce is not None), "")
