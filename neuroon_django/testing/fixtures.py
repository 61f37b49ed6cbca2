"""The fixture for pytest: `pytest_plugins = ["neuroon_django.testing.fixtures"]` in conftest.py.

It is no entry point of the package, which would import Django in every run of pytest beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from neuroon_django import testing

if TYPE_CHECKING:
    from neuroon_django.testing.outbox import Outbox


@pytest.fixture
def neuroon_outbox(db: None) -> Iterator[Outbox]:
    """Open `neuroon_django.testing.neuroon_outbox` for the whole test, which gets the outbox."""
    with testing.neuroon_outbox() as outbox:
        yield outbox
