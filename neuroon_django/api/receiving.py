"""An answer as it is received: how much of it is read, and what it says where it is no success."""

from __future__ import annotations

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from neuroon_django import exceptions
from neuroon_django.api.error_bodies import read_error, retry_after
from neuroon_django.api.text import text_of

MAX_ANSWER = 16 * 1024 * 1024  # bytes
CHUNK = 64 * 1024


class Answer:
    """One answer as it is received: its status, and as much of its body as is sane."""

    def __init__(self, response: requests.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.body = b""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def receive(self) -> None:
        """Read the body; raise ValueError or what the connection raises where it is no whole one."""
        original = getattr(self.response.raw, "_original_response", None)
        if self.is_success and getattr(original, "is_early", False):
            raise ValueError("an answer before all was asked")
        encoding = self.response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            raise ValueError(f"an answer in the encoding {encoding}, which was not asked for")
        body = bytearray()
        try:
            while chunk := self.response.raw.read1(CHUNK, decode_content=False):
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise ValueError(f"an answer of over {MAX_ANSWER} bytes")
        finally:
            self.body = bytes(body)
        if not body and not self._is_delimited:
            raise ValueError("an answer that ends before its body")

    @property
    def _is_delimited(self) -> bool:
        """Whether the answer says where it ends, so that no body is a whole one."""
        headers = self.response.headers
        return (
            not self.is_success
            or self.status == 204
            or "Content-Length" in headers
            or "Transfer-Encoding" in headers
        )

    def error(self, method: str, path: str) -> exceptions.ApiError:
        """Return the error that an answer which is no success stands for."""
        message, wait, details = read_error(self.body, self.status)
        return exceptions.error_for(self.status)(
            message or text_of(self.response.reason) or "no reason given",
            method=method,
            path=path,
            status=self.status,
            retry_after=retry_after(self.response.headers.get("Retry-After"), wait),
            details=details,
            unknown=self.status in exceptions.UNKNOWN_OUTCOME,
        )


def never_sent(error: BaseException) -> bool:
    """Return whether no whole request left: there was no connection to send it on."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.InvalidURL):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def cause_of(error: BaseException) -> str:
    """Return a line for people, without addresses of objects and without the request."""
    reason = getattr(error.args[0] if error.args else None, "reason", None) or error
    text = str(reason).rpartition(">: ")[2].rpartition("): ")[2]
    return text_of(text if type(reason) is ValueError else f"{type(reason).__name__}: {text}")
