"""Whether this process runs tests, and whether they said where Neuroon is (law 14).

A shop's tests must reach nobody by accident: requests, wake-ups and the look-up of a token ask here
first, by way of `ShopConfig.is_silent`. It is of the standard library alone until it is asked.
"""

from __future__ import annotations

import os
import sys
from typing import Any

RUNNERS = ("unittest", "pytest")  # packages that are run as `python -m …`
ADDRESSES = ("NEUROON_API_URL", "NEUROON_SHOPS")  # the settings that say where Neuroon is

sandboxes: set[str] = set()  # the addresses of the sandboxes that run in this process
_tests_ran = False  # a thread may go on after the last test


def runs_tests() -> bool:
    """Return whether a test runner is at work in this process, or was."""
    global _tests_ran
    _tests_ran = _tests_ran or _is_set_up() or _is_runner() or _is_pytest()
    return _tests_ran


def _is_set_up() -> bool:
    """Return whether Django's test environment is set up, which replaces the e-mail backend as well.

    `manage.py test` does so, in each of its parallel processes, and so does pytest-django.
    """
    utils = sys.modules.get("django.test.utils")
    return hasattr(getattr(utils, "_TestState", None), "saved_data")


def _is_runner() -> bool:
    """Return whether this process was started as `python -m unittest` or the like."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec is not None and spec.parent in RUNNERS


def _is_pytest() -> bool:
    """Return whether pytest runs a test here, without pytest-django; a child only inherits the name."""
    return "pytest" in sys.modules and "PYTEST_CURRENT_TEST" in os.environ


def is_turned_on(address: str) -> bool:
    """Return whether a test said where Neuroon is: it overrides the setting or runs a sandbox there."""
    return address in sandboxes or _is_overridden()


def _is_overridden() -> bool:
    """Return whether a test has put its own address over the project's settings."""
    from django.conf import UserSettingsHolder, global_settings, settings

    holder: Any = vars(settings)["_wrapped"]
    while isinstance(holder, UserSettingsHolder) and holder.default_settings is not global_settings:
        if any(name in vars(holder) for name in ADDRESSES):
            return True
        holder = holder.default_settings
    return False
