"""Everything that can go wrong between a shop and Neuroon, as one tree of named errors.

The client raises them, `STATUS_ERRORS` says which status means what (`API.md`, "Errors"), and the
code that sends decides what to do by class alone. `ConfigurationError` stands outside the tree, so
that code which handles a `NeuroonError` does not swallow it.
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured


class NeuroonError(Exception):
    """One request or one product failed: the base class of every error about Neuroon."""


class InvalidValue(NeuroonError):
    """A product or an order cannot be sent; the message is the reason that its row shows."""


class NoProductList(NeuroonError):
    """Neuroon shows no list of its products at this address, so nothing can be compared with it."""


class ApiError(NeuroonError):
    """A request did not succeed: the base class of the errors that the client raises.

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

    @property
    def reason(self) -> str:
        """The status and what was said, without the path: one text for all products concerned."""
        return f"{self.status} {self.message}" if self.status else self.message

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.reason}"


class Refused(ApiError):
    """Neuroon refused the content: the cause is looked for in the products or the order sent."""


class KeyRefused(ApiError):
    """Neuroon refused the API key: every group of endpoints pauses."""


class Forbidden(ApiError):
    """Neuroon refused this request to a valid key: the endpoint's group pauses."""


class NotFound(Forbidden):
    """Neuroon knows no such shop, or no such product where one is deleted."""


class RateLimited(ApiError):
    """Neuroon got more requests than it allows; `retry_after` says how long to wait."""


class Unavailable(ApiError):
    """Neuroon cannot answer for now: a server error, or no complete answer."""


class InvalidAnswer(Unavailable):
    """The body of a success is not what `API.md` describes, so the outcome is unknown."""


class OtherAnswer(InvalidAnswer):
    """The whole body of a success is no answer to this request, such as a page of HTML."""


class Unexpected(Forbidden):
    """Neuroon answered with a status that `API.md` does not describe, such as a redirect."""


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
    499: Unavailable,
}

# A gateway answers these while the server behind it may still be at work.
UNKNOWN_OUTCOME = frozenset({408, 499, 502, 504, *range(520, 525), 598})


def error_for(status: int) -> type[ApiError]:
    """Return the error class of a status that is not 2xx (`API.md`, "Errors")."""
    if status >= 500:
        return Unavailable
    return STATUS_ERRORS.get(status, Unexpected)
