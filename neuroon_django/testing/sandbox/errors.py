"""How the sandbox says no: to a request, in the shape of its status, and to one product of a batch.

The shapes are those of API.md, Errors; how a refused product is named is documented nowhere, so
there are several styles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.client import responses
from typing import Any

from .messages import Answer, now

# How a refused product is shown, by its index, externalId and message.
ERROR_STYLES: Mapping[str, Callable[[int, str | None, str], Any]] = {
    "externalId": lambda n, external_id, why: {"externalId": external_id, "message": why},
    "index": lambda n, external_id, why: {"index": n, "message": why},
    "text": lambda n, external_id, why: f"{external_id}: {why}",
    "none": lambda n, external_id, why: None,
    "reject": lambda n, external_id, why: None,
    "reject-named": lambda n, external_id, why: {"externalId": external_id, "message": why},
}
REJECTING_STYLES = {"reject", "reject-named"}  # one bad product refuses the whole batch


@dataclass(eq=False)
class Refusal(Exception):
    """Ends a request with an error; `details` are shown by a 400, 413 or 422 alone."""

    status: int
    message: str
    details: Sequence[object] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self, path: str) -> Answer:
        """Return the answer to a request for this path."""
        answer = Answer.from_json(self._body(path), self.status)
        return replace(answer, headers={**answer.headers, **self.headers})

    def _body(self, path: str) -> dict[str, Any]:
        message = {"message": self.message}
        match self.status:
            case 400 | 413 | 422:
                return {"code": "VALIDATION_ERROR", **message, "details": self.details}
            case 401:
                return {"error": {"code": "UNAUTHORIZED", **message}}
            case 429:
                return {"error": "rate_limit_exceeded", **message, **self._limits(), "timestamp": now()}
        error = responses.get(self.status, "Unknown")
        return {"timestamp": now(), "status": self.status, "error": error, **message, "path": path}

    def _limits(self) -> dict[str, int]:
        """Return what the headers of a 429 say once more for its body."""
        after = self.headers.get("Retry-After", "")
        limit = self.headers.get("X-RateLimit-Limit", "100")
        shown = {"retryAfter": int(after)} if after.isdecimal() else {}
        return shown | {"limit": int(limit), "remaining": 0}
