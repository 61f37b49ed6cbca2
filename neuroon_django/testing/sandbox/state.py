"""One shop at Neuroon: its settings, what was received for it, and what is to go wrong.

The endpoints read and change this state; the sandbox itself is this state behind a socket.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .answers import ANSWER_STYLES
from .choices import check_choice
from .errors import ERROR_BODIES, Refusal
from .faults import Fault, Plan
from .generations import ALL, GENERATIONS, PRESET
from .messages import Request, now
from .refused import ERROR_STYLES
from .rules import Payload
from .schedule import Schedule, ScheduledFault

CHOICES: Mapping[str, Collection[str]] = {
    "generation": [name for name in GENERATIONS if name],
    "routes": ("plugin", "shops"),
    "plugin_bodies": ("object", "array"),
    "unknown_fields": ("record", "refuse"),
    "required_headers": ("Accept", "Origin", "User-Agent"),
    "answer_style": ANSWER_STYLES,
    "error_style": ERROR_STYLES,
    "error_body": ERROR_BODIES,
    "shops_delete_by": ("any", "id"),
}


@dataclass(kw_only=True, eq=False)
class State:
    """The settings, which are the fields, and all that was received; see `Sandbox` for each."""

    generation: str | None = None
    shop_id: str = "shop_sandbox"
    api_key: str = field(default="sk_" + "5a4db0c5" * 4, repr=False)
    shop_url: str = "http://localhost:8000"
    name: str = "Sandbox shop"
    verified: bool = False
    routes: Collection[str] = PRESET
    plugin_bodies: Collection[str] = PRESET
    lists: bool = PRESET
    token_refusal: int | None = PRESET
    signed_tokens: bool = PRESET
    sorts: Collection[str] = PRESET
    unknown_fields: str = PRESET
    required_headers: Collection[str] = PRESET
    firewall: bool = False
    rate_limit: int | None = None
    rate_window: float = 60.0
    sliding: bool = False
    max_products: int | None = 1_000_000
    host: str = "127.0.0.1"
    port: int = 0
    reject: Callable[[Payload], str | None] | Mapping[str, str] | None = None
    warn: Mapping[str, str] = field(default_factory=dict)
    answer_style: str = "counts"
    error_style: str = "externalId"
    error_body: str = "by-status"
    shops_delete_by: str = "any"
    conflict: bool = False
    staging: bool = False
    token_lifetime: float = 24 * 60 * 60.0

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._verified_at_first = self.verified
        self._schedule = Schedule()
        self.shops: list[State] = [self]  # all that are served at this address
        self.reset()

    def __setattr__(self, name: str, value: Any) -> None:
        if name in CHOICES and value is not None:
            check_choice(name, value, CHOICES[name])
        if name == "generation":
            vars(self).update(GENERATIONS[value])
        if name in ALL and value is None:
            value = GENERATIONS[self.generation][name]
        super().__setattr__(name, value)

    @property
    def url(self) -> str:
        """The address of the API; `RuntimeError` before it has a port."""
        if not self.port:
            raise RuntimeError("the sandbox has no address before it was started")
        return f"http://{self.host}:{self.port}"

    def settings(self) -> dict[str, str]:
        """Return the settings of a shop that talks to this sandbox."""
        return {
            "NEUROON_API_URL": self.url,
            "NEUROON_SHOP_ID": self.shop_id,
            "NEUROON_API_KEY": self.api_key,
            "NEUROON_STOREFRONT_URL": self.shop_url,
        }

    def pasted_settings(self) -> dict[str, str]:
        """Return the settings of a shop that is tried in a browser: with the widget's stand-in."""
        return self.settings() | {"NEUROON_WIDGET_URL": f"{self.url}/widget.js"}

    # What was received

    def reset(self) -> None:
        """Forget everything that was received or asked for; the settings stay."""
        with self.lock:
            self.verified = self._verified_at_first
            self.plan: Plan | None = None
            self.scenario = "normal"
            self._schedule.clear()
            self.products: dict[str, Payload] = {}
            self.ids: dict[str, tuple[str, str]] = {}
            self.owners: dict[str, str] = {}
            self.received: dict[tuple[str, str], float] = {}
            self.conversions: dict[str, Payload] = {}
            self.duplicates = 0
            self.tokens: list[str] = []
            self.issued: dict[str, float] = {}
            self.domains: list[str] = []
            self.searches: dict[str, str] = {}
            self.requests: list[Request] = []
            self.overlaps: list[str] = []
            self.ignored: list[str] = []
            self.hits: dict[str, deque[float]] = defaultdict(deque)

    def clear(self) -> None:
        """Forget the requests, nothing else."""
        self.requests.clear()

    def identify(self, external_id: str) -> tuple[str, str]:
        """Return Neuroon's own id of a product and when it was created, given on the first call.

        A product that a test put into `products` by hand is given them as well.
        """
        if external_id not in self.ids:
            product_id = f"prod_{len(self.owners) + 1}"
            self.ids[external_id] = (product_id, now())
            self.owners[product_id] = external_id
        return self.ids[external_id]

    def stamp(self, kind: str, name: str) -> None:
        """Remember when a product or a conversion was received last."""
        self.received.pop((kind, name), None)
        self.received[kind, name] = time.time()

    @property
    def last_product(self) -> str | None:
        """The externalId of the product that was received last, None where there is none."""
        names = (name for kind, name in reversed(self.received) if kind == "product")
        return next((name for name in names if name in self.products), None)

    def remove(self, external_id: str) -> None:
        """Delete a product; its id of Neuroon's own is never given again."""
        product_id, _ = self.identify(external_id)
        self.owners[product_id] = ""
        del self.products[external_id], self.ids[external_id]

    def ignore(self, where: str, names: Collection[str]) -> None:
        """Record names that no document knows; 400 where they are refused."""
        if names and self.unknown_fields == "refuse":
            raise Refusal(400, f"{min(names)} is not known")
        self.ignored += [f"{where}: {name}" for name in sorted(names)]

    # What is to go wrong

    def fault(
        self,
        kind: str,
        endpoint: str | None = None,
        times: int | None = 1,
        after: int = 0,
        lasts: float | None = None,
        **params: Any,
    ) -> ScheduledFault:
        """Let the next `times` requests (None: all) to an endpoint (None: any) go wrong.

        `after` of them pass before it, and it is over after `lasts` seconds (None: never); for the
        kinds and their `params` see `Fault`.
        """
        until = None if lasts is None else time.monotonic() + lasts
        scheduled = ScheduledFault(Fault(kind, **params), endpoint, times, after, until)
        self._schedule.add(scheduled)
        return scheduled

    @contextmanager
    def faulty(self, kind: str, *, times: int | None = None, **how: Any) -> Iterator[None]:
        """Let requests within the block go wrong: all of them unless `times` is given."""
        scheduled = self.fault(kind, times=times, **how)
        try:
            yield
        finally:
            scheduled.times = 0

    @property
    def faults_in_force(self) -> list[ScheduledFault]:
        """The faults that were asked for and can still be met."""
        return self._schedule.in_force()

    def clear_faults(self) -> None:
        """Forget the faults that were asked for; the plan stays."""
        self._schedule.clear()

    def next_fault(self, request: Request) -> Fault | None:
        """Return the scheduled fault that this request meets, or else what the plan says."""
        scheduled = self._schedule.next_fault(request)
        return scheduled or (self.plan(request) if self.plan else None)
