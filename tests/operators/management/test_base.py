"""What all commands share: a section for each shop, and the shop that is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from django.core.management import load_command_class

from neuroon_django.conf import Settings, ShopConfig
from neuroon_django.models import ShopState
from neuroon_django.testing import Sandbox
from tests.factories import make_product
from tests.operators.commands import failing, run, summary

pytestmark = pytest.mark.django_db(transaction=True)

COMMANDS = ("neuroon_verify", "neuroon_sync", "neuroon_reconcile", "neuroon_status")


@pytest.fixture
def british(neuroon, monkeypatch) -> Iterator[Sandbox]:
    """A second shop, with a Neuroon of its own."""
    with Sandbox(shop_url="https://mystore.co.uk", verified=True) as sandbox:
        own = {name.removeprefix("NEUROON_"): value for name, value in sandbox.settings().items()}
        shops = {"es": ShopConfig("es"), "uk": ShopConfig("uk", own)}
        monkeypatch.setattr(Settings, "shops", lambda settings: shops)
        yield sandbox


def test_each_shop_has_a_section_with_its_alias(neuroon, british):
    make_product("A")
    out = run("neuroon_sync", "--scan")
    sent = summary(sent=1, created=1, requests=1)
    assert out == f"Shop es\n{sent}\nShop uk\n{sent}"
    assert list(neuroon.products) == list(british.products) == ["A"]


def test_one_shop_is_asked_for(neuroon, british):
    make_product("A")
    assert run("neuroon_sync", "--shop", "uk") == summary(sent=1, created=1, requests=1)
    assert (list(neuroon.products), list(british.products)) == ([], ["A"])


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_alias_is_refused_with_those_there_are(neuroon, british, command):
    out, failed = failing(command, "--shop", "fr")
    assert (out, failed.returncode) == ("", 2)
    assert str(failed) == 'No shop is called "fr". There are: es, uk.'


def test_what_fails_for_one_shop_keeps_no_other_from_its_turn(neuroon, british):
    make_product("A")
    neuroon.api_key = "sk_other"
    out, failed = failing("neuroon_sync")
    assert (str(failed), failed.returncode) == ("Failed for: es", 1)
    assert out.endswith(f"Shop uk\n{summary(sent=1, created=1, requests=1)}")


def test_json_of_several_shops_is_one_document_by_alias(neuroon, british):
    make_product("A")
    both = json.loads(run("neuroon_verify", "--json"))
    assert {alias: one["passed"] for alias, one in both.items()} == {"es": True, "uk": True}
    assert json.loads(run("neuroon_verify", "--json", "--shop", "es"))["passed"] is True


def test_ctrl_c_ends_the_whole_command(neuroon, british, monkeypatch):
    def interrupt(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("neuroon_django.management.commands.neuroon_sync.Command.work", interrupt)
    out, failed = failing("neuroon_sync")
    assert out == "Shop es\n\n"
    assert str(failed).startswith("Interrupted. Nothing is lost")
    assert not ShopState.objects.exists()


def test_a_domain_is_one_shops(neuroon, british):
    out, failed = failing("neuroon_verify", "--domain", "https://mystore.com")
    assert (out, failed.returncode) == ("", 2)
    assert str(failed) == "A domain is one shop's: add --shop ALIAS. There are: es, uk."
    make_product("A")
    run("neuroon_verify", "--domain", "https://mystore.co.uk", "--shop", "uk")
    assert (neuroon.domains, british.domains) == ([], ["https://mystore.co.uk"])


def test_the_help_of_each_command_ends_with_examples_and_exit_codes():
    for command in COMMANDS:
        parser = load_command_class("neuroon_django", command).create_parser("manage.py", command)
        for line in re.findall(r"^  manage.py (.*?)  ", parser.format_help(), re.M):
            name, *options = line.split()
            assert name == command
            parser.parse_args(options)
        codes = parser.format_help().partition("exit codes:\n")[2].splitlines()
        assert [line.split()[0] for line in codes] == ["0", "1", "2"]
