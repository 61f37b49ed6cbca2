"""How the sandbox says no to a request: API.md's shapes of an error body.

By default a status has its own shape; a sandbox may be told to use one of them for all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.client import responses
from typing import Any

from .messages import Answer, now

JSON, PROBLEM = "application/json", "application/problem+json"


@dataclass(eq=False)
class Refusal(Exception):
    """Ends a request with an error; `details` are shown by a 400, 413 or 422 alone."""

    status: int
    message: str
    details: Sequence[object] | Mapping[str, object] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self, path: str, body: str = "by-status") -> Answer:
        """Return the answer to a request for this path, in one of the shapes of `ERROR_BODIES`."""
        content_type, shape = ERROR_BODIES[body]
        shown = shape(self, path)
        text = shown if isinstance(shown, str) else json.dumps(shown)
        headers = {"Content-Type": content_type, **self.headers}
        return replace(Answer(self.status, text.encode()), headers=headers)

    @property
    def phrase(self) -> str:
        """The status in words."""
        return responses.get(self.status, "Unknown")


def _validation(refusal: Refusal, path: str) -> dict[str, Any]:
    return {"code": "VALIDATION_ERROR", "message": refusal.message, "details": refusal.details}


def _nested(refusal: Refusal, path: str) -> dict[str, Any]:
    code = "UNAUTHORIZED" if refusal.status == 401 else refusal.phrase.upper().replace(" ", "_")
    return {"error": {"code": code, "message": refusal.message} | _wait(refusal)}


def _limited(refusal: Refusal, path: str) -> dict[str, Any]:
    """Return what the headers of a 429 say once more for its body."""
    limit = int(refusal.headers.get("X-RateLimit-Limit", "100"))
    shown = {"error": "rate_limit_exceeded", "message": refusal.message} | _wait(refusal)
    return shown | {"limit": limit, "remaining": 0, "timestamp": now()}


def _wait(refusal: Refusal) -> dict[str, int]:
    after = refusal.headers.get("Retry-After", "")
    return {"retryAfter": int(after)} if after.isdecimal() else {}


def _envelope(refusal: Refusal, path: str) -> dict[str, Any]:
    shown = {"timestamp": now(), "status": refusal.status, "error": refusal.phrase}
    return shown | {"message": refusal.message, "path": path}


def _problem(refusal: Refusal, path: str) -> dict[str, Any]:
    shown = {"type": "about:blank", "title": refusal.phrase, "status": refusal.status}
    return shown | {"detail": refusal.message, "instance": path}


def _page(refusal: Refusal, path: str) -> str:
    return f"<!doctype html><html><body><h1>{refusal.status} {refusal.phrase}</h1></body></html>"


def _by_status(refusal: Refusal, path: str) -> dict[str, Any]:
    shapes = {400: _validation, 413: _validation, 422: _validation, 401: _nested, 429: _limited}
    return shapes.get(refusal.status, _envelope)(refusal, path)


# Content type, and what shows a refusal of a request for a path.
ERROR_BODIES: Mapping[str, tuple[str, Callable[[Refusal, str], dict[str, Any] | str]]] = {
    "by-status": (JSON, _by_status),
    "code": (JSON, _validation),
    "envelope": (JSON, _envelope),
    "limit": (JSON, _limited),
    "nested": (JSON, _nested),
    "problem": (PROBLEM, _problem),
    "text": ("text/plain; charset=utf-8", lambda refusal, path: refusal.message),
    "html": ("text/html; charset=utf-8", _page),
}
