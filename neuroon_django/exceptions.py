"""Everything that can go wrong between a shop and Neuroon, as one tree of named errors.

The client raises them, `STATUS_ERRORS` decides which status means what (`API.md`, "Errors"), and the
code that sends decides what to do by class alone. Wrong configuration stands outside the tree, so
that nobody who handles `NeuroonError` swallows it.
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured


class NeuroonError(Exception):
    """Anything that Neuroon, or the way to it, did to one request or one product."""


class InvalidValue(NeuroonError):
    """A value that cannot be put on the wire; the message is the reason on its row."""


class ApiError(NeuroonError):
    """A request that did not succeed: what was asked, what came back, and what to do about it.

    `status` is None where no answer was understood. `unknown` says that the request may have been
    carried out all the same. `retry_after` is in seconds; `details` is what the error body held.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str,
        path: str,
        status: int | None = None,
        retry_after: float | None = None,
        details: object = None,
        unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.method = method
        self.path = path
        self.status = status
        self.retry_after = retry_after
        self.details = details
        self.unknown = unknown

    def __str__(self) -> str:
        answer = f"{self.status} " if self.status else ""
        return f"{self.method} {self.path}: {answer}{self.message}"


class Refused(ApiError):
    """The content was refused; the fault is looked for in the products or the order sent."""


class KeyRefused(ApiError):
    """The API key is wrong: everything pauses."""


class Forbidden(ApiError):
    """A valid key that may not do this here: that endpoint's group pauses."""


class NotFound(Forbidden):
    """No such shop, or no such product where one is deleted."""


class RateLimited(ApiError):
    """Over the limit; `retry_after` says for how long."""


class Unavailable(ApiError):
    """Temporary: a server error, or no (whole) answer at all."""


class InvalidAnswer(Unavailable):
    """A success status whose body is not what `API.md` describes, so nobody knows what was done."""


class Unexpected(Forbidden):
    """A status nobody described, a redirect included: closed by default."""


class ConfigurationError(ImproperlyConfigured):
    """A setting or a feed is wrong; the message names it and says what to type."""


STATUS_ERRORS: dict[int, type[ApiError]] = {
    400: Refused,
    401: KeyRefused,
    403: Forbidden,
    404: NotFound,
    408: Unavailable,
    409: Refused,
    413: Refused,
    422: Refused,
    429: RateLimited,
}

# A gateway answers these while the server behind it may still be at work.
UNKNOWN_OUTCOME = frozenset({408, 502, 504})


def error_for(status: int) -> type[ApiError]:
    """The error class of a status that is not 2xx (`API.md`, "Errors"); closed by default."""
    if status >= 500:
        return Unavailable
    return STATUS_ERRORS.get(status, Unexpected)
