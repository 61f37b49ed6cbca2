"""The sandbox's endpoints of the shop itself: its domain and its plan."""

from __future__ import annotations

from typing import Any

import pytest

from neuroon_django.testing.sandbox import Sandbox
from tests.contract.shop import ME, VERIFY, Shop, check, error, product


def test_verify_and_unverify(neuroon: Sandbox, shop: Shop) -> None:
    domains = ["http://localhost:8000", "www.localhost:8000/"]
    for domain in domains:
        assert shop("POST", VERIFY, {"domain": domain}).json()["domain"] == domain
    assert (neuroon.verified, neuroon.domains) == (
        True,
        ["http://localhost:8000", "www.localhost:8000/"],
    )
    check(shop("DELETE", VERIFY), 204, None)
    assert neuroon.verified is False
    neuroon.staging = True
    answer = shop(
        "POST", VERIFY, {"domain": "https://b.example"}, headers={"Origin": "https://b.example"}
    )
    assert (answer.status_code, neuroon.domains[-1]) == (200, "https://b.example")


@pytest.mark.parametrize("body", [{"url": "http://localhost:8000"}, {"domain": " "}, {}, []])
def test_verify_without_a_domain(shop: Shop, body: Any) -> None:
    refusal = error(400, "domain must not be blank", "", "domain: must not be blank")
    check(shop("POST", VERIFY, body), 400, refusal)


def test_me(shop: Shop) -> None:
    shop.sync(product())
    shown = {"shopId": "shop_sandbox", "name": "Sandbox shop", "plan": "sandbox"}
    check(shop("GET", ME), 200, shown | {"maxProducts": 1_000_000, "productCount": 1})
