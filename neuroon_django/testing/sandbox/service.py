"""Neuroon's endpoints as one table: who may ask, within which limit, and what each then does.

Every endpoint takes the sandbox, the request and its parsed body, and gives back the JSON of an
answer, None for a 204, or an `Answer`; a refusal is raised. All of it runs under one lock.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from . import products
from .server import MALFORMED, Answer, Refusal, Request

if TYPE_CHECKING:
    from .neuroon import Sandbox

Endpoint = Callable[["Sandbox", Request, Any], Any]

KEY_HEADER, MASK = "X-Shop-API-Key", "sk_…"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "X-Widget-Token, Content-Type, Accept",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
}
OPEN = {"search", "preflight", "unknown"}
OWN_LIMITS = {"verify": (5, 5), "verification-data": (20, 1), "me": (60, 1)}  # requests, windows


def find(request: Request) -> Endpoint:
    """The row of the request, which is told its endpoint and the parameters in its path."""
    address = request.address
    for method, path, endpoint, answer in ROUTES:
        if method == request.method and (match := path.fullmatch(address)):
            request.endpoint = endpoint
            request.params = {name: unquote(value) for name, value in match.groupdict().items()}
            return answer
    return _unknown


def respond(neuroon: Sandbox, endpoint: Endpoint, request: Request, data: Any) -> Answer:
    """The answer, every refusal included."""
    headers = CORS if request.endpoint in {"search", "preflight"} else {}
    try:
        with neuroon.lock:
            if request.endpoint not in OPEN:
                _admit(neuroon, request)
                headers = _count(neuroon, request.endpoint)
            if request.body and request.headers.get_content_type() != "application/json":
                raise Refusal(415, "Content-Type must be application/json")
            if data is MALFORMED:
                raise Refusal(400, "Malformed JSON")
            answer = _answer(endpoint(neuroon, request, data))
    except Refusal as refusal:
        answer = refusal.answer(request.address)
    return replace(answer, headers={**answer.headers, **headers})


def control(neuroon: Sandbox, endpoint: Endpoint, request: Request) -> Answer:
    """The same for the control side; wherever it may have come from, the API key is masked."""
    try:
        data = json.loads(request.body or b"{}")
        if not isinstance(data, dict):
            raise ValueError("the body must be an object")
        with neuroon.lock:
            answer = _answer(endpoint(neuroon, request, data))
    except (TypeError, ValueError) as error:
        answer = Refusal(400, str(error)).answer(request.address)
    key, mask = (json.dumps(text)[1:-1].encode() for text in (neuroon.api_key, MASK))
    return replace(answer, body=answer.body.replace(key, mask)) if key else answer


def _answer(value: Any) -> Answer:
    if isinstance(value, Answer):
        return value
    return Answer(204) if value is None else Answer.of(value)


def _admit(neuroon: Sandbox, request: Request) -> None:
    if not request.key_ok:
        raise Refusal(401, f"{'Invalid' if KEY_HEADER in request.headers else 'Missing'} API key")
    if request.params.get("shop", neuroon.shop_id) != neuroon.shop_id:
        raise Refusal(404 if request.endpoint == "verify" else 403, "Not a shop of this API key")
    if not _is_home(neuroon, request.headers.get("Origin", neuroon.shop_url)):
        raise Refusal(403, "Origin does not match the shop's URL")
    route = "plugin" if request.plugin else "shops"
    if request.endpoint in {"sync", "delete"} and route not in neuroon.routes:
        raise Refusal(404, "No such endpoint")


def _is_home(neuroon: Sandbox, url: str) -> bool:
    return neuroon.staging or _bare(url) == _bare(neuroon.shop_url)


def _bare(url: str) -> str:
    return re.sub(r"^([a-z]+://)?(www\.)?|/+$", "", url.strip().lower())


def _count(neuroon: Sandbox, endpoint: str) -> dict[str, str]:
    """The headers that tell how the endpoint stands against its limit; 429 when over it."""
    if neuroon.rate_limit is None:
        return {}
    limit, windows = OWN_LIMITS.get(endpoint, (neuroon.rate_limit, 1))
    length, moment, hits = neuroon.rate_window * windows, time.monotonic(), neuroon.hits[endpoint]
    if not neuroon.sliding and hits and hits[0] <= moment - length:
        hits.clear()  # a fixed window begins with its first request
    while hits and hits[0] <= moment - length:
        hits.popleft()
    after = max(1, math.ceil((hits[0] if hits else moment) + length - moment))
    if free := len(hits) < limit:
        hits.append(moment)
    left = max(0, limit - len(hits))
    headers = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left)}
    if free:
        return headers
    why = f"Rate limit exceeded. Retry after {after} seconds."
    raise Refusal(429, why, headers=headers | {"Retry-After": str(after)})


# The shop, its domain and its token; the catalogue and the orders are in `products`


def _me(neuroon: Sandbox, request: Request, data: Any) -> Any:
    shown = {"shopId": neuroon.shop_id, "name": neuroon.name, "plan": "sandbox"}
    return shown | {"maxProducts": neuroon.max_products, "productCount": len(neuroon.products)}


def _verify(neuroon: Sandbox, request: Request, data: Any) -> Any:
    domain = data.get("domain") if isinstance(data, dict) else None
    if not isinstance(domain, str) or not domain.strip() or "url" in data:
        raise Refusal(400, "domain must not be blank", ["domain: must not be blank"])
    if not _is_home(neuroon, domain):
        raise Refusal(403, "The domain does not match the shop's URL")
    if neuroon.conflict:
        raise Refusal(409, "The domain is already verified by another shop")
    neuroon.verified = True
    neuroon.domains.append(domain)
    shown = {"shopId": neuroon.shop_id, "verificationCode": _code(neuroon)}
    return shown | {"domain": domain, "name": neuroon.name}


def _verification_data(neuroon: Sandbox, request: Request, data: Any) -> Any:
    shown = {"verificationCode": _code(neuroon), "verified": neuroon.verified}
    return shown | {"instructions": "POST the storefront's domain to /verify."}


def _code(neuroon: Sandbox) -> str:
    return f"neuroon-{hashlib.sha256(neuroon.shop_id.encode()).hexdigest()[:16]}"


def _token(neuroon: Sandbox, request: Request, data: Any) -> Any:
    if not neuroon.verified:
        raise Refusal(403, "The domain is not verified")
    token = f"wt_{secrets.token_urlsafe(32)}"
    neuroon.tokens.append(token)
    neuroon.issued[token] = time.monotonic()
    return Answer.of({"token": token}, 201)


def _unknown(neuroon: Sandbox, request: Request, data: Any) -> Any:
    known = any(path.fullmatch(request.address) for _, path, _, _ in ROUTES)
    raise Refusal(405 if known else 404, "No such endpoint")


# The control side, for a sandbox that is a process of its own


def _state(neuroon: Sandbox, request: Request, data: Any) -> Any:
    counts = {
        name: len(getattr(neuroon, name)) for name in ("products", "conversions", "tokens", "searches")
    }
    told = {name: getattr(neuroon, name) for name in ("url", "duplicates", "domains", "overlaps")}
    requests = Counter(received.endpoint for received in neuroon.requests)
    return counts | told | {"requests": requests, "settings": _settings(neuroon)}


def _settings(neuroon: Sandbox) -> dict[str, Any]:
    names = [each.name for each in fields(neuroon) if each.name not in {"api_key", "host", "port"}]
    shown = {name: getattr(neuroon, name) for name in names}
    return shown | {"reject": "a function"} if callable(neuroon.reject) else shown


def _set(neuroon: Sandbox, request: Request, data: Any) -> Any:
    if unknown := data.keys() - _settings(neuroon).keys() - {"api_key"}:
        raise ValueError(f"no setting {min(unknown)}; there are {', '.join(_settings(neuroon))}")
    for name, value in data.items():
        setattr(neuroon, name, value)
    return _settings(neuroon)


def _requests(neuroon: Sandbox, request: Request, data: Any) -> Any:
    limit = int(request.query.get("limit", "100"))
    return [_told(received) for received in neuroon.requests[-limit:] if limit]


def _told(received: Request) -> dict[str, Any]:
    names = ("method", "path", "endpoint", "status", "fault", "external_ids", "key_ok")
    return {name: getattr(received, name) for name in names} | {
        "headers": dict(received.headers.items()),
        "body": received.body.decode(errors="replace"),
        "seconds": received.ended - received.started,
    }


PLUGIN, SHOPS, ID = (
    "/api/plugin/shops/(?P<shop>[^/]+)",
    "/api/shops/(?P<shop>[^/]+)",
    "(?P<product>[^/]+)",
)
ROUTES = [
    (method, re.compile(path), endpoint, answer)
    for method, path, endpoint, answer in [
        ("GET", "/api/plugin/shops/me", "me", _me),
        ("POST", f"{PLUGIN}/products/sync", "sync", products.sync),
        ("POST", f"{SHOPS}/products/sync", "sync", products.sync),
        ("DELETE", f"{PLUGIN}/products/{ID}", "delete", products.delete),
        ("DELETE", f"{SHOPS}/products/{ID}", "delete", products.delete),
        ("GET", f"{SHOPS}/products", "list", products.listing),
        ("POST", f"{PLUGIN}/track/conversion", "conversion", products.conversion),
        ("POST", f"{SHOPS}/widget-token", "token", _token),
        ("POST", f"{PLUGIN}/verify", "verify", _verify),
        ("DELETE", f"{PLUGIN}/verify", "unverify", lambda n, *_: setattr(n, "verified", False)),
        ("GET", f"{PLUGIN}/verification-data", "verification-data", _verification_data),
        ("GET", "/api/widget/search", "search", products.search),
        ("OPTIONS", "/api/widget/search", "preflight", lambda *_: None),
        ("GET", "/_sandbox/state", "control", _state),
        ("GET", "/_sandbox/products", "control", lambda n, *_: list(n.products.values())),
        ("GET", "/_sandbox/conversions", "control", lambda n, *_: list(n.conversions.values())),
        ("GET", "/_sandbox/requests", "control", _requests),
        ("POST", "/_sandbox/settings", "control", _set),
        ("POST", "/_sandbox/faults", "control", lambda n, _, data: n.fault(**data) and None),
        ("DELETE", "/_sandbox/faults", "control", lambda n, *_: n.clear_faults()),
        ("POST", "/_sandbox/reset", "control", lambda n, *_: n.reset()),
    ]
]
ENDPOINTS = {endpoint for _, _, endpoint, _ in ROUTES} | {"unknown"}
