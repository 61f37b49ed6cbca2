"""Fixtures: a sandbox of each test's own, and a shop that talks to it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from neuroon_django.testing import Sandbox
from tests.contract.shop import Shop


@pytest.fixture
def neuroon() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def shop(neuroon: Sandbox) -> Shop:
    return Shop(neuroon)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor
