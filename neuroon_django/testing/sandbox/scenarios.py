"""What a person can let go wrong with a click: one row per scenario, one of them at a time.

They are made of the faults and settings that tests use. The shop's server meets them; the widget's
search goes on unless the scenario is about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .choices import check_choice
from .faults import random_faults
from .state import State

SHOP_ENDPOINTS = (
    *("sync", "delete", "list", "conversion", "token"),
    *("verify", "unverify", "verification-data", "me"),
)
MINUTE = 60.0
REFUSAL = "the sandbox was asked to refuse this product"


@dataclass(frozen=True)
class Scenario:
    """One thing to let go wrong: its button, what the shop should do then, and how it begins.

    `begin` takes the state and the externalId of the product that is meant, None for the last one.
    """

    label: str
    expected: str
    begin: Callable[[State, str | None], None]


def _every(kind: str, **how: Any) -> Callable[[State, str | None], None]:
    """Return what lets every request of the shop's server go wrong in this way."""

    def begin(state: State, external_id: str | None) -> None:
        for endpoint in SHOP_ENDPOINTS:
            state.fault(kind, endpoint, times=None, **how)

    return begin


def _some(state: State, external_id: str | None) -> None:
    kinds = ("status", "drop", "lost", "truncated", "html")
    state.plan = random_faults(0, 0.25, kinds, SHOP_ENDPOINTS)


def _refuse(state: State, external_id: str | None) -> None:
    refused = external_id or state.last_product
    if refused is None:
        raise ValueError("there is no product yet")
    state.reject = {refused: REFUSAL}


def _search_down(state: State, external_id: str | None) -> None:
    state.fault("status", "search", times=None, status=503)


SCENARIOS: Mapping[str, Scenario] = {
    "normal": Scenario(
        "Back to normal",
        "Everything is answered as documented.",
        lambda state, external_id: None,
    ),
    "limit": Scenario(
        "429 for a minute",
        "The shop waits as long as Retry-After says and then goes on by itself.",
        _every("status", status=429, headers={"Retry-After": "20"}, lasts=MINUTE),
    ),
    "errors": Scenario(
        "500 Server errors",
        "The shop tries again, less and less often; what it wants to send stays queued.",
        _every("status", status=500),
    ),
    "timeouts": Scenario(
        "Timeouts",
        "No answer comes for 90 seconds. The shop's pages stay fast; the worker tries again later.",
        _every("delay", seconds=90.0),
    ),
    "drops": Scenario(
        "Dropped connections",
        "Nobody knows what arrived. The shop sends it again once it is sure that it may.",
        _every("drop"),
    ),
    "key": Scenario(
        "Key refused",
        "Everything pauses, and neuroon_status says why and what to do.",
        _every("status", status=401),
    ),
    "forbidden": Scenario(
        "Domain refused",
        "A 403 pauses the endpoints that hear it; run neuroon_verify after the cure.",
        _every("status", status=403),
    ),
    "product": Scenario(
        "One bad product",
        "That product is rejected with the reason; the others of its batch go on.",
        _refuse,
    ),
    "proxy": Scenario(
        "A proxy's HTML page",
        "No answer to rely on: the shop keeps what it sent and tries again.",
        _every("html", status=502),
    ),
    "some": Scenario(
        "One request in four fails",
        "It takes longer, and in the end shop and sandbox agree.",
        _some,
    ),
    "search": Scenario(
        "Search is down",
        "The widget says so; the shop's server notices nothing.",
        _search_down,
    ),
}


def start(state: State, name: str, external_id: str | None = None) -> None:
    """Let this scenario take the place of all that is going wrong now."""
    check_choice("scenario", name, SCENARIOS)
    state.clear_faults()
    state.plan = state.reject = None
    SCENARIOS[name].begin(state, external_id)
    state.scenario = name


def current(state: State) -> str:
    """Return the name of the scenario that is at work, "normal" once its faults are over."""
    goes_on = state.faults_in_force or state.plan or state.reject
    return state.scenario if goes_on else "normal"
