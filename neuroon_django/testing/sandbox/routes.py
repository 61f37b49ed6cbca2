"""The addresses that Neuroon and the sandbox's control side answer, and the name of each endpoint."""

from __future__ import annotations

import re
from urllib.parse import unquote

from .messages import Request

PLUGIN = "/api/plugin/shops/(?P<shop>[^/]+)"
SHOPS = "/api/shops/(?P<shop>[^/]+)"
PRODUCT = "products/(?P<product>[^/]+)"
CONTROL = "/_sandbox"

# Method, address, endpoint: the first that fits.
ROUTES = [
    (method, re.compile(address), endpoint)
    for method, address, endpoint in [
        ("GET", "/api/plugin/shops/me", "me"),
        ("POST", f"{PLUGIN}/products/sync", "sync"),
        ("POST", f"{SHOPS}/products/sync", "sync"),
        ("DELETE", f"{PLUGIN}/{PRODUCT}", "delete"),
        ("DELETE", f"{SHOPS}/{PRODUCT}", "delete"),
        ("GET", f"{SHOPS}/products", "list"),
        ("POST", f"{PLUGIN}/track/conversion", "conversion"),
        ("POST", f"{SHOPS}/widget-token", "token"),
        ("POST", f"{PLUGIN}/verify", "verify"),
        ("DELETE", f"{PLUGIN}/verify", "unverify"),
        ("GET", f"{PLUGIN}/verification-data", "verification-data"),
        ("GET", "/api/widget/search", "search"),
        ("OPTIONS", "/api/widget/search", "preflight"),
        ("GET", "/(?P<action>|widget.js)", "control"),
        ("GET", f"{CONTROL}/(?P<action>state|products|conversions|requests)", "control"),
        ("GET", f"{CONTROL}/(?P<action>sections|body|page.css|page.js)", "control"),
        ("POST", f"{CONTROL}/(?P<action>settings|faults|scenario|reset)", "control"),
        ("DELETE", f"{CONTROL}/(?P<action>faults)", "control"),
    ]
]
ENDPOINTS = {endpoint for _, _, endpoint in ROUTES} | {"unknown"}


def find_endpoint(request: Request) -> None:
    """Write the endpoint and the parameters of its address into the request.

    A request that no route fits keeps the endpoint "unknown".
    """
    for method, address, endpoint in ROUTES:
        if method == request.method and (match := address.fullmatch(request.address)):
            request.endpoint = endpoint
            request.params = {name: unquote(value) for name, value in match.groupdict().items()}
            return


def is_address(text: str) -> bool:
    """Return whether any method is answered at this address."""
    return any(address.fullmatch(text) for _, address, _ in ROUTES)
