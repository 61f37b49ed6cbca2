"""Which process runs tests, and which of them asked for Neuroon (law 14)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import UserSettingsHolder, settings
from django.db import transaction
from django.test import override_settings, utils

from neuroon_django import environment
from neuroon_django.conf import ShopConfig, conf
from neuroon_django.testing import Sandbox

ROOT = Path(__file__).parent.parent.parent
ELSEWHERE = "https://dev-api.neuroon.ai"


@pytest.fixture
def in_production(monkeypatch) -> dict[str, str]:
    """A process that no runner has anything to do with, and its environment variables."""
    variables: dict[str, str] = {}
    monkeypatch.setattr(environment, "os", SimpleNamespace(environ=variables))
    monkeypatch.setattr(environment, "_tests_ran", False)
    monkeypatch.delattr(utils._TestState, "saved_data")
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=None))
    return variables


def test_a_process_without_a_runner_runs_no_tests(in_production):
    assert not environment.runs_tests()
    assert conf.can_send


def test_a_child_of_a_test_is_no_test():
    """A worker or a server that a test starts inherits what pytest put into the environment."""
    code = "from neuroon_django import environment; print(environment.runs_tests())"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("module", ["unittest", "pytest"])
def test_a_runner_that_was_started_as_a_module(in_production, monkeypatch, module):
    main = SimpleNamespace(__spec__=SimpleNamespace(parent=module))
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert environment.runs_tests()


def test_pytest_without_its_plugin_for_django(in_production):
    in_production["PYTEST_CURRENT_TEST"] = "test_shop.py::test_page (call)"
    assert environment.runs_tests()


def test_what_goes_on_after_the_last_test_is_of_the_tests_too(in_production, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(utils._TestState, "saved_data", object(), raising=False)
        assert environment.runs_tests()
    assert environment.runs_tests()


@pytest.mark.parametrize(
    "override",
    [
        {"NEUROON_API_URL": ELSEWHERE},
        {"NEUROON_API_URL": settings.NEUROON_API_URL},
        {"NEUROON_SHOPS": {"es": {}}},
    ],
)
def test_a_test_turns_the_app_on_by_saying_where_neuroon_is(override):
    assert not conf.can_send
    with override_settings(**override), override_settings(NEUROON_CURRENCY="GBP"):
        assert conf.can_send
    assert not conf.can_send


@pytest.mark.parametrize(
    "override",
    [
        {"NEUROON_ENABLED": True},
        {"NEUROON_API_KEY": "sk_tests"},
        {"NEUROON_SHOP_ID": "shop_tests"},
        {"NEUROON_STOREFRONT_URL": "https://mystore.es"},
        {"NEUROON_AUTO_SYNC": True},
        {"DEBUG": True},
    ],
)
def test_nothing_else_turns_it_on(override):
    with override_settings(**override):
        assert not conf.can_send


def test_settings_that_were_configured_by_hand_are_the_projects_own(monkeypatch):
    from django.conf import global_settings

    configured = UserSettingsHolder(global_settings)
    configured.NEUROON_API_URL = ELSEWHERE
    monkeypatch.setitem(vars(settings), "_wrapped", configured)
    assert not environment.is_turned_on(ELSEWHERE)
    with override_settings(NEUROON_API_URL=ELSEWHERE):
        assert environment.is_turned_on(ELSEWHERE)


def test_a_sandbox_of_this_process_turns_on_what_points_at_it():
    with Sandbox() as neuroon:
        own = ShopConfig("uk", {"API_URL": neuroon.url + "/"})
        assert own.can_send
        assert not conf.can_send
    assert not own.can_send


@pytest.mark.django_db(transaction=True)
def test_a_hook_is_there_where_the_app_is_turned_on(django_capture_on_commit_callbacks, neuroon):
    from tests.factories import make_product

    with transaction.atomic(), django_capture_on_commit_callbacks() as callbacks:
        make_product("A")
        make_product("B")
    assert len(callbacks) == 1
