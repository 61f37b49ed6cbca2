"""The shop's own endpoints: its plan and its domain."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from .errors import Refusal
from .messages import Request
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
    state.ignore("verify", data.keys() - {"domain"})
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


def is_own_address(state: State, url: str) -> bool:
    """Return whether an address is the shop's; every one is in staging.

    Scheme, leading `www.` and a trailing slash are dropped, as documented, and nothing else.
    """
    return state.staging or _bare(url) == _bare(state.shop_url)


def _bare(url: str) -> str:
    return re.sub(r"^(https?://)?(www\.)?", "", url).removesuffix("/")


def _verification_code(state: State) -> str:
    return f"neuroon-{hashlib.sha256(state.shop_id.encode()).hexdigest()[:16]}"
