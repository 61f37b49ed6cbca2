"""Neuroon over HTTP: one method per endpoint of `API.md`, a `requests.Session` per run, no ORM.

Every call answers with a parsed value or raises an `exceptions.ApiError` that says which request
failed and whether it may have been carried out. Errors are raised outside the `except` block that
saw the cause: a `requests` exception holds the request, and so the key, and must not travel on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar, cast
from urllib.parse import quote

import requests
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from neuroon_django import exceptions
from neuroon_django.api import answers, messages
from neuroon_django.api.error_bodies import readable
from neuroon_django.api.receiving import Answer, cause_of, never_sent
from neuroon_django.api.text import text_of
from neuroon_django.api.transport import Adapter, PlainSession

T = TypeVar("T")

MAX_TOKEN = 8 * 1024  # bytes
PAGE_SIZE = 100
SHOWN = 200  # characters of what is no answer


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
        self.session = PlainSession()
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, Adapter(pool_maxsize=connections, max_retries=0))
        self.session.headers.update(
            {"X-Shop-API-Key": api_key, "User-Agent": user_agent, "Accept": "application/json"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.session.close()

    # Products (`API.md`, "Products")

    def sync_products(
        self,
        payloads: Sequence[bytes],
        external_ids: list[str],
        route: messages.Route,
        body: messages.Form = "object",
    ) -> answers.SyncResult:
        """Create or update up to 100 products; their encoded payloads and ids in the same order."""
        path = f"{self._products(route)}/sync"
        batch = messages.encode_batch(payloads, route, body)
        return self._read("POST", path, batch, lambda b: answers.read_sync_result(b, external_ids))

    def delete_product(self, product_id: str, route: messages.Route) -> bool:
        """Delete one product; return False where the answer denies that it is gone.

        Raises NotFound where Neuroon knows no such id, and Refused for an id that cannot be in a path.
        """
        path = f"{self._products(route)}/{quote(product_id, safe='')}"
        if not answers.fits_path(product_id):
            raise exceptions.Refused(
                f"the id {product_id!r} cannot be in a path", method="DELETE", path=path
            )
        return self._read("DELETE", path, None, _read_deleted)

    def list_products(self, page: int, size: int = PAGE_SIZE) -> answers.Page:
        """Return one page of what Neuroon holds, in its own order; pages count from 0."""
        path = f"/api/shops/{self.shop}/products?page={page}&size={size}"
        return self._read("GET", path, None, answers.read_page)

    def _products(self, route: messages.Route) -> str:
        prefix = "/api/plugin" if route == "plugin" else "/api"
        return f"{prefix}/shops/{self.shop}/products"

    # Conversions (`API.md`, "Conversions")

    def track_conversion(self, body: bytes) -> None:
        """Report one paid order; safe to repeat, Neuroon deduplicates by `orderId`."""
        self._call("POST", f"/api/plugin/shops/{self.shop}/track/conversion", body)

    # Widget token and domain (`API.md`, "Widget token", "Domain verification")

    def issue_token(self) -> str:
        """Return a new widget token, which lives 24 h from now."""
        return self._read("POST", f"/api/shops/{self.shop}/widget-token", None, _read_token)

    def verify(self, domain: str) -> dict[str, Any]:
        """Tie the domain to the shop; return `{shopId, verificationCode, domain, name}`."""
        body = messages.encode({"domain": domain})
        path = f"/api/plugin/shops/{self.shop}/verify"
        return self._read("POST", path, body, answers.read_object, origin=domain)

    def verification_data(self) -> dict[str, Any]:
        """Return `{verificationCode, instructions, verified}`; this changes nothing."""
        path = f"/api/plugin/shops/{self.shop}/verification-data"
        return self._read("GET", path, None, answers.read_object)

    def unverify(self) -> None:
        """Give the verification up."""
        self._call("DELETE", f"/api/plugin/shops/{self.shop}/verify")

    def me(self) -> dict[str, Any]:
        """Return the plan's quotas, at least `maxProducts`."""
        return self._read("GET", "/api/plugin/shops/me", None, answers.read_object)

    # One request

    def _read(
        self,
        method: str,
        path: str,
        body: bytes | None,
        read: Callable[[bytes], T],
        origin: str | None = None,
    ) -> T:
        """Return what `read` makes of a 2xx answer's body; its ValueError says that it is none."""
        answer = self._call(method, path, body, origin)
        try:
            return read(answer.body)
        except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
            pass
        words = text_of(readable(answer.body), SHOWN) or "an empty body"
        raise exceptions.OtherAnswer(
            f"not an answer to this request: {words}",
            method=method,
            path=path,
            status=answer.status,
            unknown=True,
        )

    def _call(
        self, method: str, path: str, body: bytes | None = None, origin: str | None = None
    ) -> Answer:
        """Return a 2xx answer, or raise an ApiError."""
        headers = {"Origin": origin or self.origin} if origin or self.origin else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer, failure = None, None
        try:
            with self.session.request(
                method,
                self.api_url + path,
                data=body,
                headers=headers,
                timeout=cast("Any", Timeout(total=self.timeout)),
                stream=True,
                allow_redirects=False,
            ) as response:
                answer = Answer(response)
                answer.receive()
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            failure = cause_of(error), not never_sent(error)
        if answer is not None and not answer.is_success:
            raise answer.error(method, path)
        if answer is None or failure is not None:
            message, unknown = failure or ("", True)
            status = answer.status if answer else None
            kind = exceptions.InvalidAnswer if answer else exceptions.Unavailable
            raise kind(message, method=method, path=path, status=status, unknown=unknown)
        return answer


def _read_deleted(body: bytes) -> bool:
    """Return False where an answer to a delete denies it; raise ValueError for a page of HTML."""
    try:
        facts = answers.read_object(body)
    except (ValueError, RecursionError):
        if body.lstrip()[:1] == b"<":
            raise ValueError("an HTML page") from None
        return True
    said = [facts[name] for name in ("deleted", "success") if facts.get(name) is not None]
    return not any(value in (False, 0) or str(value).lower() == "false" for value in said)


def _read_token(body: bytes) -> str:
    token = answers.read_object(body).get("token")
    if not isinstance(token, str) or not token.strip() or len(token) > MAX_TOKEN:
        raise ValueError("no token")
    return token
