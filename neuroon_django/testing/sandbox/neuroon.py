"""The sandbox itself: one shop's state behind a socket, and those of other shops at its address.

A request comes in from `server`, may be held back by `traffic` or go wrong, is answered by
`service` or `control`, and kept.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

from neuroon_django.environment import sandboxes

from . import control, service, tokens
from .faults import Fault
from .messages import KEY_HEADER, Answer, Request, parse
from .products import named_products
from .routes import CONTROL, find_endpoint
from .server import Server
from .state import State
from .traffic import Hold, Traffic


class Sandbox(State):
    """A local Neuroon that follows API.md strictly; every attribute may be set while it runs.

    `generation` is the interface: "s2s", "products" or "later" (see `generations`), None for all of
    them at once. It decides these, and each of them may be set besides: `routes`, the product routes
    there are; `plugin_bodies` of the plugin route, "object" or "array"; `lists`, whether there is a
    list; `token_refusal`, the status where no token is issued, and `signed_tokens`, whether the
    shop's own are taken; `sorts` that the list knows; `unknown_fields`, "record" (see `ignored`) or
    "refuse"; `required_headers` among Origin, User-Agent and Accept.

    `firewall` answers 400 to an encoded `/ % ; \\` or a dot segment in a path, as Spring's does.
    `rate_limit` is per endpoint and `rate_window` seconds (verify, verification-data and me have
    their own, API.md, Errors), None for no limits; `sliding` for a sliding window. `max_products` is
    the plan's quota, None for none. `shops_delete_by` is "any" or "id". With `conflict`, verify is a
    409. With `staging`, any domain and Origin is right. `token_lifetime` is in seconds.

    `reject` refuses products: externalId to message, or a function of the product; `warn` takes them
    and says something all the same. `answer_style` is the shape of an accepted sync (see `answers`:
    "counts" is PROD's), `error_style` how a refused product is shown (see `refused`: "none" is a
    number only, with "reject…" the whole batch is a 400), `error_body` the shape of every error
    (see `errors`: "by-status" gives each status its own).

    `products` are kept by externalId, just as received; `conversions` by orderId, with a count of
    `duplicates`; `tokens` that were issued; `domains` that were verified; `searches`, the query by
    searchLogId; `requests`; `ignored`, the names of fields and parameters that no document knows;
    `overlaps`, the externalIds for which two requests were in progress at once. `plan` is asked for a
    fault on every request.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.others: list[Sandbox] = []  # shops that are served at this address too
        self._server: Server | None = None
        self._stopping = threading.Event()
        self._traffic = Traffic()

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
            for shop in self.others:
                shop.port, shop._stopping = self.port, threading.Event()
            sandboxes.add(self.url)
        return self

    def stop(self) -> None:
        """Close all connections. A later `start()` listens at the same address again."""
        if self._server is not None:
            for shop in (self, *self.others):
                shop._stopping.set()
                shop._traffic.release_all()
            self._server.stop()
            self._server = None
            sandboxes.discard(self.url)

    def add_shop(self, shop_id: str, **settings: Any) -> Sandbox:
        """Serve another shop at this address, with an API key of its own; return it.

        It has state, limits and faults of its own, and takes the settings that this class takes.
        """
        own = {"shop_id": shop_id, "api_key": derived_key(shop_id), "host": self.host}
        shop = Sandbox(**own | settings)
        shop.port, shop.shops = self.port, self.shops
        self.others.append(shop)
        self.shops.append(shop)
        return shop

    def _asked(self, request: Request) -> Sandbox:
        """Return the shop that a request is for: its key's or its widget token's, else this one.

        The page and the control side say it by the parameter `shop`.
        """
        if request.address == "/" or request.address.startswith(f"{CONTROL}/"):
            asked = request.query.get("shop")
            return next((shop for shop in self.others if shop.shop_id == asked), self)
        key, token = request.headers.get(KEY_HEADER), request.headers.get("X-Widget-Token", "")
        for shop in self.others:
            if key == shop.api_key or (token and tokens.is_valid(shop, token)):
                return shop
        return self

    @property
    def sync_requests(self) -> list[Request]:
        """The requests that sent products."""
        return self.requests_to("sync")

    def requests_to(self, endpoint: str) -> list[Request]:
        """Return the requests to an endpoint, oldest first."""
        return [request for request in list(self.requests) if request.endpoint == endpoint]

    def held(self, endpoint: str | None = None) -> AbstractContextManager[Hold]:
        """Hold back the requests to an endpoint (None: to any) in a `with` block.

        They are read but not yet applied; the block's target waits for them and releases them.
        """
        return self._traffic.held(endpoint)

    def _exchange(self, request: Request) -> Iterable[bytes]:
        """Answer a request and keep it; return what is written back."""
        if (asked := self._asked(request)) is not self:
            return asked._exchange(request)
        stopping = self._stopping
        find_endpoint(request)
        request.mask_key(self.api_key)
        if request.endpoint == "control":
            return control.respond(self, request).write()
        data = parse(request.body)
        request.external_ids = named_products(self, request, data)
        fault = self.next_fault(request)
        with self._traffic.in_progress(request, self.overlaps):
            if fault and fault.kind == "delay":
                stopping.wait(fault.seconds)
            if stopping.is_set():
                raise ConnectionAbortedError("the sandbox stopped")
            answer = self._apply(request, data, fault)
        if fault:
            request.fault, answer = fault.kind, fault.spoil(answer, request.address, self.error_body)
        request.status, request.ended = answer.status, time.monotonic()
        self.requests.append(request)
        return answer.write()

    def _apply(self, request: Request, data: Any, fault: Fault | None) -> Answer:
        """Return Neuroon's answer, an empty one where the fault prevents it."""
        applied = fault is None or fault.applied
        return service.respond(self, request, data) if applied else Answer()


def derived_key(shop_id: str) -> str:
    """Return the API key of a shop that was given none: the same whenever it is asked for."""
    return "sk_" + hashlib.sha256(shop_id.encode()).hexdigest()[:32]


def serve_shops(shops: Mapping[str, str], **settings: Any) -> Sandbox:
    """Return a sandbox, not started yet, of several shops: the address of each by its alias.

    An alias is the shop's name, and its id is made of it; `settings` are every shop's.
    """
    made: list[Sandbox] = []
    for alias, url in shops.items():
        own = {"name": alias, "shop_url": url or settings["shop_url"]}
        own |= {"shop_id": f"shop_{alias}", "api_key": derived_key(f"shop_{alias}")}
        made.append(made[0].add_shop(**settings | own) if made else Sandbox(**settings | own))
    return made[0]
