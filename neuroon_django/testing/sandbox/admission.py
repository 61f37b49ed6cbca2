"""Who may ask at all: Spring's firewall, the API key, the shop, the headers, and what there is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from .domain import is_own_address
from .errors import Refusal
from .messages import KEY_HEADER, Request
from .state import State

# What Spring Security's firewall refuses in a path, encoded or not.
MALICIOUS = re.compile(r"%2f|%5c|%25|%3b|%2e|[;\\]|//|/\.{1,2}(/|$)", re.IGNORECASE)

# What each header must look like where the sandbox requires it.
HEADERS: Mapping[str, Callable[[str], object]] = {
    "Origin": bool,
    "User-Agent": re.compile(r"[^\s/]+/\S.*").fullmatch,
    "Accept": re.compile(r"application/json|\*/\*").search,
}


def check_path(state: State, request: Request) -> None:
    """Raise a 400 for a path that the firewall takes for an attack."""
    if state.firewall and MALICIOUS.search(request.address):
        raise Refusal(400, "The URL contained a potentially malicious String")


def admit(state: State, request: Request) -> None:
    """Raise a refusal unless key, shop, headers and origin are right and the endpoint exists."""
    if not request.key_ok:
        raise Refusal(401, f"{'Invalid' if KEY_HEADER in request.headers else 'Missing'} API key")
    _check_exists(state, request)
    if request.params.get("shop", state.shop_id) != state.shop_id:
        raise Refusal(404 if request.endpoint == "verify" else 403, "Not a shop of this API key")
    for name in state.required_headers:
        if not HEADERS[name](request.headers.get(name, "")):
            raise Refusal(400, f"{name} is required")
    if not is_own_address(state, request.headers.get("Origin", state.shop_url)):
        raise Refusal(403, "Origin does not match the shop's URL")


def _check_exists(state: State, request: Request) -> None:
    """Raise a refusal where this generation has no such endpoint."""
    route = "plugin" if request.plugin else "shops"
    if request.endpoint in {"sync", "delete"} and route not in state.routes:
        raise Refusal(404, "No such endpoint")
    if request.endpoint == "list" and not state.lists:
        raise Refusal(404, "No such endpoint")
    if request.endpoint == "token" and state.token_refusal:
        raise Refusal(state.token_refusal, "No such endpoint")
