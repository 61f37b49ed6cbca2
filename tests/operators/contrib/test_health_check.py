"""The check for django-health-check, in that package's own view."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncRequestFactory
from health_check.views import HealthCheckView

from neuroon_django.exceptions import Unavailable
from neuroon_django.operations.verification import Verification
from tests.factories import current_shop, make_product

pytestmark = pytest.mark.django_db(transaction=True)

CHECK = "neuroon_django.contrib.health_check.NeuroonVerdict"


def answer(**options: object) -> tuple[int, str]:
    """Return the status and the line of a view that has our check alone."""
    view: Any = HealthCheckView.as_view(checks=[(CHECK, options)])
    response = async_to_sync(view)(AsyncRequestFactory().get("/health/?format=json"))
    [text] = json.loads(response.content).values()
    return response.status_code, text


def test_the_view_shows_the_verdict(neuroon, flush):
    make_product("A")
    flush()
    unverified = "Unavailable: default: The shop's domain was never verified."
    assert answer() == (500, unverified)
    list(Verification(current_shop().config).run())
    requests = len(neuroon.requests)
    assert answer() == (200, "OK")
    error = Unavailable("Bad Gateway", method="POST", path="/t", status=502)
    current_shop().endpoint("token").failed(error)
    status, text = answer(shop="default")
    assert (status, len(neuroon.requests)) == (500, requests)
    assert text.startswith("Warning: default: The only product is live; token is paused: Neuroon does")


def test_limits_are_the_commands(neuroon, flush):
    make_product("A"), make_product("B", price=None)
    flush()
    list(Verification(current_shop().config).run())
    need = "Warning: default: 1 product is live; 1 needs you: no price."
    assert answer() == (500, need)
    assert answer(max_rejected=1) == (200, "OK")
