"""The sandbox itself: one shop at a local Neuroon, its settings, and all that it has received.

A request comes in from `server`, may be held back or go wrong, is answered by `service`, and kept.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from . import service
from .faults import Fault, Hold, Order, Plan, choose
from .products import ERROR_STYLES, touched
from .rules import Payload
from .server import Answer, Request, Server, now, parse
from .service import KEY_HEADER, MASK

CHOICES: Mapping[str, Collection[str]] = {
    "routes": ("plugin", "shops"),
    "error_style": ERROR_STYLES,
    "shops_delete_by": ("any", "id"),
}


@dataclass(kw_only=True, eq=False)
class Sandbox:
    """A local Neuroon that follows API.md strictly; every attribute may be set while it runs.

    `rate_limit` is per endpoint and `rate_window` seconds (verify, verification-data and me have
    their own, API.md, Errors), None for no limits; `sliding` for a sliding window. `routes` are
    the product routes there are. `max_products` is the plan's quota, None for none. `reject`
    refuses products: externalId to message, or a function of the product. `error_style` is how:
    "externalId", "index", "text", "none" (a number only), "reject" (the whole batch is a 400 that
    names nothing) or "reject-named". `shops_delete_by` "any" or "id". `conflict`: verify is a 409.
    `staging`: any domain and Origin will do. `token_lifetime` in seconds.

    `products` by externalId, just as received; `conversions` by orderId, and `duplicates`;
    `tokens` issued; `domains` verified; `searches`, the query by searchLogId; `requests`;
    `overlaps`, the externalIds for which two requests were in progress at once. `plan` is asked
    for a fault on every request.
    """

    shop_id: str = "shop_sandbox"
    api_key: str = field(default="sk_" + "5a4db0c5" * 4, repr=False)
    shop_url: str = "http://localhost:8000"
    name: str = "Sandbox shop"
    verified: bool = False
    routes: Collection[str] = ("plugin", "shops")
    rate_limit: int | None = None
    rate_window: float = 60.0
    sliding: bool = False
    max_products: int | None = 1_000_000
    host: str = "127.0.0.1"
    port: int = 0
    reject: Callable[[Payload], str | None] | Mapping[str, str] | None = None
    error_style: str = "externalId"
    shops_delete_by: str = "any"
    conflict: bool = False
    staging: bool = False
    token_lifetime: float = 24 * 60 * 60.0

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._verified_at_first = self.verified
        self._server: Server | None = None
        self._stopping = threading.Event()
        self._holds: list[Hold] = []
        self._flying: list[Collection[str]] = []
        self.reset()

    def reset(self) -> None:
        """Forget everything that was received or asked for; the settings stay."""
        with self.lock:
            self.verified = self._verified_at_first
            self.plan: Plan | None = None
            self._orders: list[Order] = []
            self.products: dict[str, Payload] = {}
            self.ids: dict[str, tuple[str, str]] = {}
            self.owners: dict[str, str] = {}
            self.conversions: dict[str, Payload] = {}
            self.duplicates = 0
            self.tokens: list[str] = []
            self.issued: dict[str, float] = {}
            self.domains: list[str] = []
            self.searches: dict[str, str] = {}
            self.requests: list[Request] = []
            self.overlaps: list[str] = []
            self.hits: dict[str, deque[float]] = defaultdict(deque)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in CHOICES:
            choose(name, value, CHOICES[name])
        super().__setattr__(name, value)

    # Its life
    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen, in a daemon thread. `OSError` when the port is taken."""
        if self._server is None:
            self._stopping = threading.Event()
            self._server = Server((self.host, self.port), self._exchange)
            self.port = self._server.server_address[1]
        return self

    def stop(self) -> None:
        """Close all connections. A later `start()` listens at the same address again."""
        if self._server is not None:
            self._stopping.set()
            for hold in list(self._holds):
                hold.release()
            self._server.stop()
            self._server = None

    @property
    def url(self) -> str:
        if not self.port:
            raise RuntimeError("the sandbox has no address before it was started")
        return f"http://{self.host}:{self.port}"

    def settings(self) -> dict[str, str]:
        """The settings of a shop that talks to this sandbox."""
        return {
            "NEUROON_SHOP_ID": self.shop_id,
            "NEUROON_API_KEY": self.api_key,
            "NEUROON_API_URL": self.url,
            "NEUROON_STOREFRONT_URL": self.shop_url,
        }

    # What it keeps

    @property
    def sync_requests(self) -> list[Request]:
        return self.requests_to("sync")

    def requests_to(self, endpoint: str) -> list[Request]:
        return [request for request in list(self.requests) if request.endpoint == endpoint]

    def clear(self) -> None:
        """Forget the requests, nothing else."""
        self.requests.clear()

    def identify(self, external_id: str) -> tuple[str, str]:
        """Neuroon's own id of a product and the time of creation; also of one put in by hand."""
        if external_id not in self.ids:
            product_id = f"prod_{len(self.owners) + 1}"
            self.ids[external_id] = (product_id, now())
            self.owners[product_id] = external_id
        return self.ids[external_id]

    # What goes wrong on command
    def fault(
        self,
        kind: str,
        endpoint: str | None = None,
        times: int | None = 1,
        after: int = 0,
        **params: Any,
    ) -> Order:
        """Let the next `times` requests (None: all) to an endpoint (None: any) go wrong.

        `after` of them pass before it; for the kinds and their `params` see `Fault`.
        """
        self._orders.append(order := Order(Fault(kind, **params), endpoint, times, after))
        return order

    @contextmanager
    def faulty(self, kind: str, *, times: int | None = None, **how: Any) -> Iterator[None]:
        """The same inside a `with` block, there for all requests unless `times` is given."""
        order = self.fault(kind, times=times, **how)
        try:
            yield
        finally:
            order.times = 0

    def clear_faults(self) -> None:
        self._orders.clear()

    def _due(self, request: Request) -> Fault | None:
        """The fault of the first order that is due, or the plan's; all orders count the request."""
        with self.lock:
            left = [order for order in self._orders if order.times != 0]
            fitting = [order for order in left if order.endpoint in {None, request.endpoint}]
            due = next((order for order in fitting if order.after <= 0), None)
            for order in fitting:
                order.after -= 1
            if due and due.times:
                due.times -= 1
        return due.fault if due else self.plan and self.plan(request)

    @contextmanager
    def held(self, endpoint: str | None = None) -> Iterator[Hold]:
        """Hold back the requests to an endpoint (None: to any), read but not yet applied."""
        hold = Hold(endpoint)
        self._holds.append(hold)
        try:
            yield hold
        finally:
            self._holds.remove(hold)
            hold.release()

    # One request
    def _exchange(self, request: Request) -> Iterable[bytes]:
        """What is written back, once all is done and kept."""
        endpoint, stopping = service.find(request), self._stopping
        request.key_ok = request.headers[KEY_HEADER] == self.api_key
        if KEY_HEADER in request.headers:
            request.headers.replace_header(KEY_HEADER, MASK)
        if request.endpoint == "control":
            return service.control(self, endpoint, request).write()
        data = parse(request.body)
        request.external_ids = touched(self, request, data)
        fault = self._due(request)
        with self._in_progress(request):
            if fault and fault.kind == "delay":
                stopping.wait(fault.seconds)
            if stopping.is_set():
                raise ConnectionAbortedError("the sandbox stopped")
            applied = fault is None or fault.applied
            answer = service.respond(self, endpoint, request, data) if applied else Answer()
        if fault:
            request.fault, answer = fault.kind, fault.spoil(answer, request.address)
        request.status, request.ended = answer.status, time.monotonic()
        self.requests.append(request)
        return answer.write()

    @contextmanager
    def _in_progress(self, request: Request) -> Iterator[None]:
        """Held back first, then until it is applied or given up."""
        own = set(request.external_ids)
        with self.lock:
            self.overlaps += sorted(own & set().union(*self._flying))
            self._flying.append(own)
            holds = [hold for hold in self._holds if hold.endpoint in {None, request.endpoint}]
        try:
            for hold in holds:
                hold.pass_through()
            yield
        finally:
            with self.lock:
                self._flying = [other for other in self._flying if other is not own]
