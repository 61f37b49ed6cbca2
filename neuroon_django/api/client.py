"""Neuroon over HTTP: one method per endpoint of `API.md`, a `requests.Session` per run, no ORM.

Every call answers with a parsed value or raises an `exceptions.ApiError` that says which request
failed and whether it may have been carried out. Errors are raised outside the `except` block that
saw the cause: a `requests` exception holds the request, and so the key, and must not travel on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote

import requests
from urllib3 import Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from neuroon_django import exceptions
from neuroon_django.api import messages
from neuroon_django.api.transport import Adapter

T = TypeVar("T")

MAX_ANSWER = 16 * 1024 * 1024  # bytes
MAX_TOKEN = 8 * 1024
CHUNK = 64 * 1024
PAGE_SIZE = 100


class Client:
    """A connection to one shop at one API address. `timeout` is the whole request's, in seconds."""

    def __init__(
        self,
        *,
        api_url: str,
        shop_id: str,
        api_key: str,
        origin: str = "",
        user_agent: str = "neuroon-django",
        timeout: float = 60,
        connections: int = 1,
    ) -> None:
        self.api_url = api_url.rstrip("/")
        self.shop = quote(shop_id, safe="")
        self.origin = origin
        self.timeout = timeout
        self.session = requests.Session()
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, Adapter(pool_maxsize=connections, max_retries=0))
        self.session.headers.update(
            {"X-Shop-API-Key": api_key, "User-Agent": user_agent, "Accept": "application/json"}
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.session.close()

    # Products (`API.md`, "Products")

    def sync_products(
        self, payloads: Sequence[bytes], external_ids: list[str], route: messages.Route
    ) -> messages.SyncResult:
        """Create or update up to 100 products; their encoded payloads and ids in the same order."""
        prefix = "/api/plugin" if route == "plugin" else "/api"
        path = f"{prefix}/shops/{self.shop}/products/sync"
        body = messages.encode_batch(payloads, route)
        return self._read("POST", path, body, lambda b: messages.read_sync_result(b, external_ids))

    def delete_product(self, product_id: str, route: messages.Route) -> None:
        """Take one product out; raises NotFound where Neuroon knows no such id."""
        prefix = "/api/plugin" if route == "plugin" else "/api"
        path = f"{prefix}/shops/{self.shop}/products/{quote(product_id, safe='')}"
        self._read("DELETE", path, None, _read_deleted)

    def list_products(self, page: int, size: int = PAGE_SIZE) -> messages.Page:
        """One page of what Neuroon holds; pages count from 0."""
        path = f"/api/shops/{self.shop}/products?page={page}&size={size}&sort=externalId"
        return self._read("GET", path, None, messages.read_page)

    # Conversions (`API.md`, "Conversions")

    def track_conversion(self, body: bytes) -> None:
        """Report one paid order; safe to repeat, Neuroon deduplicates by `orderId`."""
        self._call("POST", f"/api/plugin/shops/{self.shop}/track/conversion", body)

    # Widget token and domain (`API.md`, "Widget token", "Domain verification")

    def issue_token(self) -> str:
        """A new widget token, which lives 24 h from now."""
        return self._read("POST", f"/api/shops/{self.shop}/widget-token", None, _read_token)

    def verify(self, domain: str) -> dict[str, Any]:
        """Tie the domain to the shop: `{shopId, verificationCode, domain, name}`."""
        body = messages.encode({"domain": domain})
        path = f"/api/plugin/shops/{self.shop}/verify"
        return self._read("POST", path, body, _read_object, origin=domain)

    def verification_data(self) -> dict[str, Any]:
        """`{verificationCode, instructions, verified}`; changes nothing."""
        path = f"/api/plugin/shops/{self.shop}/verification-data"
        return self._read("GET", path, None, _read_object)

    def unverify(self) -> None:
        """Give the verification up."""
        self._call("DELETE", f"/api/plugin/shops/{self.shop}/verify")

    def me(self) -> dict[str, Any]:
        """The plan's quotas, at least `maxProducts`."""
        return self._read("GET", "/api/plugin/shops/me", None, _read_object)

    # One request

    def _read(
        self,
        method: str,
        path: str,
        body: bytes | None,
        read: Callable[[bytes], T],
        origin: str | None = None,
    ) -> T:
        answer, status = self._call(method, path, body, origin)
        try:
            return read(answer)
        except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
            pass
        what = "an HTML page" if answer.lstrip()[:1] == b"<" else "an answer of another shape"
        raise exceptions.InvalidAnswer(
            f"{what} ({len(answer)} bytes)", method=method, path=path, status=status, unknown=True
        )

    def _call(
        self, method: str, path: str, body: bytes | None = None, origin: str | None = None
    ) -> tuple[bytes, int]:
        """The body and status of a 2xx answer, or an ApiError."""
        headers = {"Origin": origin or self.origin} if origin or self.origin else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        timeout: Any = Timeout(total=self.timeout)
        answer, status = bytearray(), None
        failure: tuple[str, bool] | None = None
        try:
            with self.session.request(
                method,
                self.api_url + path,
                data=body,
                headers=headers,
                timeout=timeout,
                stream=True,
                allow_redirects=False,
            ) as response:
                status = response.status_code
                for chunk in _read_in_time(response):
                    answer += chunk
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            failure = _cause(error), not _never_sent(error)
        if status is not None and not 200 <= status < 300:
            raise _error_of(method, path, bytes(answer), response)
        if failure is not None:
            message, unknown = failure
            kind = exceptions.InvalidAnswer if status else exceptions.Unavailable
            raise kind(message, method=method, path=path, status=status, unknown=unknown)
        return bytes(answer), response.status_code


def _read_in_time(response: requests.Response) -> Iterator[bytes]:
    """The body, as long as it is not larger than a sane answer; the transport keeps the time."""
    size = 0
    while chunk := response.raw.read1(CHUNK, decode_content=True):
        yield chunk
        size += len(chunk)
        if size > MAX_ANSWER:
            raise requests.RequestException(f"an answer of over {MAX_ANSWER} bytes")


def _error_of(
    method: str, path: str, answer: bytes, response: requests.Response
) -> exceptions.ApiError:
    status = response.status_code
    message, wait, details = messages.read_error(answer)
    return exceptions.error_for(status)(
        message or response.reason or "no reason given",
        method=method,
        path=path,
        status=status,
        retry_after=_retry_after(response.headers.get("Retry-After"), wait),
        details=details,
        unknown=status in exceptions.UNKNOWN_OUTCOME,
    )


def _read_deleted(body: bytes) -> None:
    """Nothing at all, or `{"deleted": true}`; ValueError for anything else."""
    if body.strip() and _read_object(body).get("deleted") is not True:
        raise ValueError("not deleted")


def _read_token(body: bytes) -> str:
    token = _read_object(body).get("token")
    if not isinstance(token, str) or not token.strip() or len(token) > MAX_TOKEN:
        raise ValueError("no token")
    return token


def _read_object(body: bytes) -> dict[str, Any]:
    data = messages.decode(body)
    if not isinstance(data, dict):
        raise ValueError("not an object")
    return data


def _never_sent(error: BaseException) -> bool:
    """Whether no byte of the request left: there was no connection to send it on."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.InvalidURL):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def _cause(error: BaseException) -> str:
    """A line for people, without addresses of objects and without the request."""
    reason = getattr(error.args[0] if error.args else None, "reason", None) or error
    text = str(reason).rpartition(">: ")[2].rpartition("): ")[2]
    return messages.text_of(f"{type(reason).__name__}: {text}")


def _retry_after(value: str | None, seconds: float | None) -> float | None:
    """Seconds from now: the header's number or HTTP date, else what the body seconds."""
    if not value:
        return seconds
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return seconds
    until = until if until.tzinfo else until.replace(tzinfo=UTC)  # HTTP knows no other
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
