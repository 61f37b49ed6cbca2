"""The control side, the page at `/` and `/_sandbox/…`, for a sandbox that is a process of its own.

It shows what was received, changes settings, and asks for faults. Wherever the API key may have
come from, it is masked in what is shown.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from . import page, scenarios
from .errors import Refusal
from .messages import MASK, Answer, Request
from .rules import Payload
from .state import State

# What a browser says of a request that no other site's page makes.
OWN_PAGES = {"same-origin", "none"}
HIDDEN_SETTINGS = {"api_key", "host", "port"}


def respond(state: State, request: Request) -> Answer:
    """Return the answer to a request of the control side; 400 with the reason if it is not right."""
    action = ACTIONS[request.method, request.params["action"]]
    if request.headers.get("Sec-Fetch-Site", "none") not in OWN_PAGES and request.method != "GET":
        return Refusal(403, "only this sandbox's own page may ask for that").answer(request.address)
    try:
        data = json.loads(request.body or b"{}")
        if not isinstance(data, dict):
            raise ValueError("the body must be an object")
        with state.lock:
            answer = Answer.from_result(action(state, request, data))
    except (TypeError, ValueError) as error:
        answer = Refusal(400, str(error)).answer(request.address)
    return _masked(answer, state.api_key)


def _masked(answer: Answer, api_key: str) -> Answer:
    """Return the answer with the key masked, as JSON writes it."""
    key, mask = (json.dumps(text)[1:-1].encode() for text in (api_key, MASK))
    return replace(answer, body=answer.body.replace(key, mask)) if key else answer


def _show_state(state: State, request: Request, data: Payload) -> Payload:
    names = ("products", "conversions", "tokens", "searches")
    counts = {name: len(getattr(state, name)) for name in names}
    values = {
        name: getattr(state, name) for name in ("url", "duplicates", "domains", "overlaps", "ignored")
    }
    requests = Counter(received.endpoint for received in state.requests)
    return counts | values | {"requests": requests, "settings": _settings(state)}


def _settings(state: State) -> Payload:
    names = [each.name for each in fields(state) if each.name not in HIDDEN_SETTINGS]
    shown = {name: getattr(state, name) for name in names}
    return shown | {"reject": "a function"} if callable(state.reject) else shown


def _show_products(state: State, request: Request, data: Payload) -> list[Payload]:
    return list(state.products.values())


def _show_conversions(state: State, request: Request, data: Payload) -> list[Payload]:
    return list(state.conversions.values())


def _show_requests(state: State, request: Request, data: Payload) -> list[Payload]:
    limit = int(request.query.get("limit", "100"))
    return [_shown(received) for received in state.requests[-limit:] if limit]


def _shown(received: Request) -> Payload:
    names = ("method", "path", "endpoint", "status", "fault", "external_ids", "key_ok")
    return {name: getattr(received, name) for name in names} | {
        "headers": dict(received.headers.items()),
        "body": received.body.decode(errors="replace"),
        "seconds": received.ended - received.started,
    }


def _change_settings(state: State, request: Request, data: Payload) -> Payload:
    names = _settings(state).keys()
    unknown = data.keys() - names - {"api_key"}
    if unknown:
        raise ValueError(f"no setting {min(unknown)}; there are {', '.join(names)}")
    for name, value in data.items():
        setattr(state, name, value)
    return _settings(state)


def _add_fault(state: State, request: Request, data: Payload) -> None:
    state.fault(**data)


def _start_scenario(state: State, request: Request, data: Payload) -> None:
    scenarios.start(state, **data)


def _clear_faults(state: State, request: Request, data: Payload) -> None:
    state.clear_faults()


def _reset(state: State, request: Request, data: Payload) -> None:
    state.reset()


ACTIONS: Mapping[tuple[str, str], Callable[[State, Request, Payload], Any]] = {
    ("GET", ""): page.show_page,
    ("GET", "widget.js"): page.show_file,
    ("GET", "page.css"): page.show_file,
    ("GET", "page.js"): page.show_file,
    ("GET", "sections"): page.show_sections,
    ("GET", "body"): page.show_body,
    ("GET", "state"): _show_state,
    ("GET", "products"): _show_products,
    ("GET", "conversions"): _show_conversions,
    ("GET", "requests"): _show_requests,
    ("POST", "settings"): _change_settings,
    ("POST", "faults"): _add_fault,
    ("POST", "scenario"): _start_scenario,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "reset"): _reset,
}
