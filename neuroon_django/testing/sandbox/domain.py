"""The shop's own endpoints: its plan, its domain, and the widget token."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from typing import Any

from .errors import Refusal
from .messages import Answer, Request
from .rules import Payload
from .state import State


def me(state: State, request: Request, data: Any) -> Payload:
    """Return the shop's plan and how much of it is used."""
    shown = {"shopId": state.shop_id, "name": state.name, "plan": "sandbox"}
    return shown | {"maxProducts": state.max_products, "productCount": len(state.products)}


def verify(state: State, request: Request, data: Any) -> Payload:
    """Verify a domain; 403 unless it is the shop's, 409 if the sandbox is set to a conflict."""
    domain = data.get("domain") if isinstance(data, dict) else None
    if not isinstance(domain, str) or not domain.strip() or "url" in data:
        raise Refusal(400, "domain must not be blank", ["domain: must not be blank"])
    if not is_own_address(state, domain):
        raise Refusal(403, "The domain does not match the shop's URL")
    if state.conflict:
        raise Refusal(409, "The domain is already verified by another shop")
    state.verified = True
    state.domains.append(domain)
    shown = {"shopId": state.shop_id, "verificationCode": _verification_code(state)}
    return shown | {"domain": domain, "name": state.name}


def unverify(state: State, request: Request, data: Any) -> None:
    """Take the verification back."""
    state.verified = False


def verification_data(state: State, request: Request, data: Any) -> Payload:
    """Return the code, and whether the domain is verified."""
    shown = {"verificationCode": _verification_code(state), "verified": state.verified}
    return shown | {"instructions": "POST the storefront's domain to /verify."}


def token(state: State, request: Request, data: Any) -> Answer:
    """Issue a new widget token; the older ones stay valid."""
    if not state.verified:
        raise Refusal(403, "The domain is not verified")
    issued = f"wt_{secrets.token_urlsafe(32)}"
    state.tokens.append(issued)
    state.issued[issued] = time.monotonic()
    return Answer.from_json({"token": issued}, 201)


def is_own_address(state: State, url: str) -> bool:
    """Return whether an address is the shop's, whatever its scheme and `www.`; all in staging."""
    return state.staging or _bare(url) == _bare(state.shop_url)


def _bare(url: str) -> str:
    return re.sub(r"^([a-z]+://)?(www\.)?|/+$", "", url.strip().lower())


def _verification_code(state: State) -> str:
    return f"neuroon-{hashlib.sha256(state.shop_id.encode()).hexdigest()[:16]}"
