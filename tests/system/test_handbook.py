"""The README and the handbook in `docs/` name what the code has, and nothing else."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from inspect import signature
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import get_commands, load_command_class
from django.dispatch import Signal
from django.test import override_settings

import neuroon_django
from neuroon_django import signals
from neuroon_django.conf import NAMES, Settings, ShopConfig, conf
from neuroon_django.feeds.declarations import ORDER_ENTRIES, PRODUCT_ENTRIES, Feed, ProductFeed
from neuroon_django.rules import PREFIX, settings_of
from neuroon_django.schedules import SCHEDULES
from neuroon_django.templatetags.neuroon import register
from tests.factories import make_product
from tests.shop.models import Order
from tests.system.handbook import PAGES, ROOT, Block, blocks, first_block, names, rows, section

PACKAGE = ROOT / "neuroon_django"
REPOSITORY = "https://github.com/neuroon/neuroon-django"
COMMANDS = sorted(name for name, app in get_commands().items() if app == "neuroon_django")
LEVELS = {"debug", "info", "warning", "error", "exception"}
ENTRIES = {*PRODUCT_ENTRIES, *ORDER_ENTRIES, *Feed.__annotations__}

# Of the example project, and of django-tasks-db.
OTHER_COMMANDS = ("demo", "load_catalogue", "db_worker", "prune_db_task_results")


def options_of(command: str) -> set[str]:
    """Return a command's own options, without those that every command has."""
    parser = load_command_class("neuroon_django", command).create_parser("manage.py", command)
    common = load_command_class("django.core", "check").create_parser("manage.py", "check")
    known = {o for action in common._actions for o in action.option_strings} - {"--deploy"}
    return {o for action in parser._actions for o in action.option_strings} - known


def log_events() -> dict[str, set[str]]:
    """Return the levels of every log event of the package."""
    events: dict[str, set[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        if "testing" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            text = ast.unparse(node.args[0]).strip("f'\"")
            if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "logger":
                level = node.func.attr
            elif ast.unparse(node.func) == "log_response":
                level = next(ast.literal_eval(k.value) for k in node.keywords if k.arg == "level")
            else:
                continue
            assert level in LEVELS, f"{file.name}: {ast.unparse(node)}"
            events.setdefault(re.split(r"[ :]", text)[0], set()).add(level)
    return events


def check_ids() -> set[str]:
    files = (PACKAGE / "checks").glob("*.py")
    return {id for file in files for id in re.findall(r'"(neuroon\.[EW]\d{3})"', file.read_text())}


@pytest.mark.parametrize(
    ("heading", "owner"), [("Of a shop", ShopConfig), ("Of the project", Settings)]
)
def test_every_setting_is_documented_with_its_default(heading, owner):
    table = section("settings.md", f"## {heading}")
    documented = re.findall(r"^\| `(NEUROON_\w+): (.+) = (.+?)` \|", table, re.M)
    assert sorted(name for name, _, _ in documented) == sorted(PREFIX + n for n in settings_of(owner))
    with override_settings():
        from django.conf import settings

        for name in NAMES:
            if hasattr(settings, PREFIX + name):
                delattr(settings, PREFIX + name)
        for name, _, default in documented:
            if "<" not in default:
                assert actual_default(name.removeprefix(PREFIX)) == eval(
                    default, {}, {"LANGUAGE_CODE": "en"}
                ), name


def actual_default(name: str) -> object:
    value = getattr(conf if hasattr(Settings, name) else conf.shop(), name)
    return value.days if name in ("KEEP_CLICKS", "SCAN_EVERY") else value


def test_every_command_is_documented():
    assert re.findall(r"^## (\w+)$", PAGES["commands.md"], re.M) == [
        "neuroon_verify",
        "neuroon_sync",
        "neuroon_reconcile",
        "neuroon_status",
    ]
    assert sorted(COMMANDS) == sorted(re.findall(r"^## (\w+)$", PAGES["commands.md"], re.M))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_documented(command):
    text = section("commands.md", f"## {command}")
    table = {name.split()[0] for name in names(text)}
    also = set(re.findall(r"also written `(--[\w-]+)`", text))
    common = set(re.findall(r"^\| `(--[\w-]+)", section("commands.md", "## All of them"), re.M))
    assert table | also | common == options_of(command)


def test_every_check_is_documented():
    documented = names(PAGES["checks.md"])
    assert sorted(documented) == sorted(check_ids())
    assert documented == sorted(documented)


def test_every_signal_is_documented():
    sent = [name for name, value in vars(signals).items() if isinstance(value, Signal)]
    assert sorted(names(section("signals-and-logs.md", "## Signals"))) == sorted(sent)


def test_every_log_event_is_documented_with_its_level():
    table = section("signals-and-logs.md", "## Logs")
    documented = {name: {*re.split(r", | or ", level)} for name, level, *_ in rows(table)}
    assert documented == log_events()


def test_every_public_name_is_documented():
    documented = names(section("names.md", "## To import"))
    assert sorted(documented) == sorted(neuroon_django.__all__)


@pytest.mark.parametrize(
    ("heading", "entries"),
    [
        ("Entries of a ProductFeed", PRODUCT_ENTRIES),
        ("Entries of an OrderFeed", ORDER_ENTRIES),
        (
            "Of both feeds",
            ["get_queryset()", *(n for n in Feed.__annotations__ if n not in ("model", "shop"))],
        ),
    ],
)
def test_every_entry_of_a_feed_is_documented(heading, entries):
    assert sorted(names(section("names.md", f"## {heading}"))) == sorted(entries)


def test_the_defaults_of_entries_are_documented():
    table = rows(section("names.md", "## Entries of a ProductFeed"))
    documented = {name: default.strip("`") for name, default, *_ in table}
    defaults = {name: getattr(ProductFeed, name) for name in PRODUCT_ENTRIES}
    shown = {"str": '"{}"', "NoneType": "", "bool": "{}"}
    assert documented == {n: shown[type(v).__name__].format(v) for n, v in defaults.items()}


def test_every_template_tag_is_documented():
    assert sorted(names(section("names.md", "## Template tags"))) == sorted(register.tags)


def test_every_task_is_documented():
    tasks = [f"neuroon_django.tasks.{name}" for name in SCHEDULES]
    assert sorted(names(section("names.md", "## Celery tasks"))) == sorted(tasks)


def names_in(module: str) -> set[str]:
    """Return what can be imported from a module; those of `contrib` import a host that is not here."""
    if not module.startswith("neuroon_django.contrib."):
        return {*dir(__import__(module, fromlist=["_"]))}
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text()
    return {getattr(node, "name", "") for node in ast.parse(source).body}


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_a_block_of_python_compiles_and_imports_what_there_is(block: Block):
    tree = compile(block.code, str(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("neuroon_django"):
            assert {alias.name for alias in node.names} <= names_in(str(node.module))
        if isinstance(node, ast.ClassDef) and any("Feed[" in ast.unparse(base) for base in node.bases):
            written = [ast.unparse(n.targets[0]) for n in node.body if isinstance(n, ast.Assign)]
            assert {*written} <= ENTRIES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_settings_that_exist(page):
    text = re.sub(r'env(iron)?(\.\w+)?[\[(]"NEUROON_\w+"', "", PAGES[page])
    named = set(re.findall(r"\bNEUROON_([A-Z][A-Z_]*[A-Z])\b", text))
    assert named <= {*NAMES}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_commands_and_options_that_exist(page):
    for code in shell_lines(page):
        for command, rest in re.findall(r"\b(neuroon_[a-z]+)((?:(?!neuroon_)[^|&;\n])*)", code):
            if command not in COMMANDS:
                continue
            options = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", rest))
            assert options <= options_of(command) | {"--settings"}, code
        for command in re.findall(r"manage\.py (\w+)", code):
            assert command in {
                *get_commands(),
                "demo",
                "load_catalogue",
                "db_worker",
                "prune_db_task_results",
            }, code
        for module in re.findall(r"python3? -m ([\w.]+)", code):
            assert find_spec(module), code


def shell_lines(page: str) -> list[str]:
    """Return the lines of shell and the pieces of inline code of a page."""
    lines = [
        line
        for block in blocks("sh", "text", "yaml", "ini", "dockerfile", "procfile", "console")
        if block.page == page
        for line in block.code.replace("\\\n", " ").splitlines()
    ]
    return lines + re.findall(r"(?<!`)`([^`\n]+)`(?!`)", PAGES[page])


def test_the_two_commands_are_one_line_each():
    assert first_block("## Quick start").endswith("example_project/manage.py demo")
    assert first_block("## Tests").endswith("-m pytest")
    for heading in ("## Quick start", "## Tests"):
        assert "\n" not in first_block(heading)


def test_the_feed_of_the_readme_is_the_example_shops():
    """Line by line, but for what the shop's own types ask for, and what `demo --shops` varies."""
    example = (ROOT / "example_project" / "shop" / "neuroon.py").read_text()
    feed = PAGES["README.md"].partition("class CatalogueFeed")[2].partition("def price")[0]
    entries = re.findall(r"^ +(\w+) = (.+?)(?: +#.*)?$", feed, re.M)
    assert len(entries) == 7
    for name, value in entries:
        if name in ("name", "currency"):
            continue  # these are one shop's at Neuroon: another one has another language and currency
        assert re.search(rf"^    {name} = {re.escape(value)}", example, re.M), name


@pytest.mark.parametrize(
    ("page", "target"),
    [
        (page, target)
        for page, text in PAGES.items()
        for target in re.findall(r"\]\((?!http|#)([^)#]+)", text)
    ],
)
def test_links_lead_somewhere(page, target):
    folder = ROOT if page == "README.md" else ROOT / "docs"
    assert Path(folder / target).exists()


@pytest.mark.parametrize("block", [b for b in blocks("python") if b.runnable], ids=str)
@pytest.mark.django_db(transaction=True)
def test_a_block_that_is_marked_runs(block: Block):
    """What it defines as tests is called with a product and an order, as its page's reader has them."""
    defined: dict[str, object] = {}
    exec(block.code, defined)
    product = make_product("A")
    order = Order.objects.create(number="1001", total=5)
    order.lines.create(product=product, quantity=1, total=5)
    given = {"product": product, "order": order}
    for name, value in defined.items():
        if name.startswith("test_") and callable(value):
            value(**{name: given[name] for name in signature(value).parameters})


def test_the_front_page_is_short_and_its_links_work_on_the_packages_page():
    text = PAGES["README.md"]
    assert text.count("\n") <= 150
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert all(target.startswith("https://") for target in targets)
    for path, anchor in re.findall(rf"{REPOSITORY}/blob/main/([^)#]+)#?([^)]*)", text):
        headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.M)
        assert not anchor or anchor in {re.sub(r"\W+", "-", h.lower()) for h in headings}, anchor
    for path in re.findall(r"raw\.githubusercontent\.com/neuroon/neuroon-django/main/([^)]+)", text):
        assert (ROOT / path).is_file()


def test_every_page_is_in_the_sites_navigation():
    navigation = re.findall(r"^ +- (?:\w+: )?(\S+\.md)$", (ROOT / ".mkdocs.yml").read_text(), re.M)
    assert sorted([*navigation, "README.md"]) == sorted(PAGES)


def test_every_table_is_told_with_what_it_holds():
    documented = re.findall(r"`(neuroon_django_\w+)`", section("data.md", "## In the shop's database"))
    tables = [model._meta.db_table for model in apps.get_app_config("neuroon_django").get_models()]
    assert sorted(documented) == sorted(tables)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_files_that_exist(page):
    for path in re.findall(r"`((?:\w+/)+\w+\.py)`", PAGES[page]):
        roots = (ROOT, PACKAGE, ROOT / "example_project")
        assert path.startswith(("shop/", "mysite/")) or any((r / path).is_file() for r in roots), path
