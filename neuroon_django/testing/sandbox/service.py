"""Neuroon's answers: who may ask, within which limit, and which handler answers an endpoint.

Every handler takes the state, the request and its parsed body, and returns the JSON of an answer,
None for a 204, or an `Answer`; it raises a refusal. All of it runs under one lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from . import domain, products, shoppers, tokens
from .admission import admit, check_path
from .errors import Refusal
from .limits import count_request
from .messages import MALFORMED, Answer, Request
from .routes import is_address
from .state import State

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "X-Widget-Token, Content-Type, Accept",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
}
BROWSER_ENDPOINTS = {"search", "preflight"}
OPEN_ENDPOINTS = {*BROWSER_ENDPOINTS, "unknown"}  # they need no API key


def respond(state: State, request: Request, data: Any) -> Answer:
    """Return the answer to a request with this parsed body, refusals included."""
    headers = CORS if request.endpoint in BROWSER_ENDPOINTS else {}
    try:
        with state.lock:
            check_path(state, request)
            if request.endpoint not in OPEN_ENDPOINTS:
                admit(state, request)
                headers = count_request(state, request.endpoint)
            _check_body(request, data)
            answer = Answer.from_result(HANDLERS[request.endpoint](state, request, data))
    except Refusal as refusal:
        answer = refusal.answer(request.address, state.error_body)
    return replace(answer, headers={**answer.headers, **headers})


def _check_body(request: Request, data: Any) -> None:
    if request.body and request.headers.get_content_type() != "application/json":
        raise Refusal(415, "Content-Type must be application/json")
    if data is MALFORMED:
        raise Refusal(400, "Malformed JSON")


def _unknown(state: State, request: Request, data: Any) -> NoReturn:
    raise Refusal(405 if is_address(request.address) else 404, "No such endpoint")


HANDLERS: Mapping[str, Callable[[State, Request, Any], Any]] = {
    "me": domain.me,
    "verify": domain.verify,
    "unverify": domain.unverify,
    "verification-data": domain.verification_data,
    "token": tokens.issue,
    "sync": products.sync,
    "delete": products.delete,
    "list": products.listing,
    "conversion": shoppers.conversion,
    "search": shoppers.search,
    "preflight": shoppers.preflight,
    "unknown": _unknown,
}
