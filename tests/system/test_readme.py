"""The README is the manual, so it and the code name the same things."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.test import override_settings

from neuroon_django.conf import NAMES, Settings, conf
from neuroon_django.rules import PREFIX
from tests.factories import make_product
from tests.shop.models import Order

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = sorted(name for name, app in get_commands().items() if app == "neuroon_django")


def section(heading: str) -> str:
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_block(heading: str) -> str:
    return section(heading).partition("```sh\n")[2].partition("\n```")[0]


def test_every_setting_is_documented_with_its_default():
    documented = re.findall(r"^\| `(NEUROON_\w+): (.+) = (.+?)` \|", section("Settings"), re.M)
    assert [name for name, _, _ in documented] == [PREFIX + name for name in NAMES]
    unset = {PREFIX + name: None for name in NAMES}
    names = {"LANGUAGE_CODE": "en"}
    with override_settings():
        from django.conf import settings

        for name in unset:
            if hasattr(settings, name):
                delattr(settings, name)
        for name, _, default in documented:
            if "<" in default:
                continue
            told = eval(default, {}, names)
            name = name.removeprefix(PREFIX)
            actual = getattr(conf if hasattr(Settings, name) else conf.shop(), name)
            if name in ("KEEP_CLICKS", "SCAN_EVERY"):
                actual = actual.days
            assert actual == told, name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name):
    [row] = re.findall(rf"^\| `({name}.*?)` \|", section("Commands"), re.M)
    parser = load_command_class("neuroon_django", name).create_parser("manage.py", name)
    common = load_command_class("django.core", "check").create_parser("manage.py", "check")
    known = {o for action in common._actions for o in action.option_strings} - {"--deploy"}
    for action in parser._actions:
        told = action.option_strings
        if told and not known & set(told):
            assert any(f"{option} " in f"{row} ".replace("]", " ") for option in told), told
    assert row.startswith(name)


def test_the_two_commands_are_one_line_each():
    assert first_block("Quick start").endswith("example_project/manage.py demo")
    assert first_block("Tests").endswith("-m pytest")
    for heading in ("Quick start", "Tests"):
        assert "\n" not in first_block(heading)


def test_the_feed_of_the_readme_is_the_example_shops():
    """Line by line, but for what the shop's own types ask for."""
    example = (ROOT / "example_project" / "shop" / "neuroon.py").read_text()
    feed = section("Add it to your shop").partition("class CatalogueFeed")[2].partition("def price")[0]
    entries = re.findall(r"^ +(\w+) = (.+?)(?: +#.*)?$", feed, re.M)
    assert len(entries) == 7
    for name, value in entries:
        assert re.search(rf"^    {name} = {re.escape(value)}", example, re.M), name


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()


@pytest.mark.django_db(transaction=True)
def test_the_test_of_the_readme_passes():
    [code] = re.findall(r"```python\n(.*?)```", section("In your tests"), re.S)
    names: dict[str, object] = {}
    exec(code, names)
    product = make_product("A")
    order = Order.objects.create(number="1001", total=5)
    order.lines.create(product=product, quantity=1, total=5)
    test = names["test_a_search_that_led_to_an_order"]
    assert callable(test)
    test(product, order)
