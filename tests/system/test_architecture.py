"""The house stands as drawn: who may import whom, and that importing costs nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.system.code_lines import code_lines, code_lines_by_room

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "neuroon_django"

# Each room imports only from lower rungs; `__init__` stands outside. `room/module` stands for one
# module of a room that is lower than the room itself.
RUNGS = [
    {"exceptions", "signals", "environment"},
    {"api/messages"},
    {"rules", "shops"},
    {"project_settings"},
    {"conf", "clicks"},
    {"request_shop"},
    {"api", "models/sql"},
    {"models"},
    {"feeds"},
    {"recording", "delivery", "widget"},
    {"schedules"},
    {"operations"},
    {"tasks", "framework_tasks"},
    {"middleware", "checks", "views", "testing"},
    {"urls", "admin", "management", "templatetags", "contrib"},
    {"apps"},
]
RUNG = {room: number for number, rooms in enumerate(RUNGS) for room in rooms}
OUTSIDE = {"__init__", "migrations", "locale", "static", "templates", "py.typed", "__pycache__"}

FILES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path != PACKAGE / "__init__.py" and "migrations" not in path.parts
)


def room_of(module: str) -> str:
    """The room of a module such as `api.messages`; a name that is no module is its room's."""
    room, _, rest = module.partition(".")
    inner = f"{room}/{rest.partition('.')[0]}"
    return inner if inner in RUNG else room


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def nodes_in_use(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield all nodes but those for type checkers only."""
    blocks = (
        block
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
    )
    only_typing = {id(node) for block in blocks for node in ast.walk(block)}
    return (node for node in ast.walk(tree) if id(node) not in only_typing)


def imported(tree: ast.Module) -> Iterator[str]:
    """The modules of this package that a file imports for use, not for type checkers only."""
    for node in nodes_in_use(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level < 2, f"climbs out of its room: {ast.unparse(node)}"
            if node.level:
                continue  # a neighbour in the same room
            if node.module == "neuroon_django":
                yield from (alias.name for alias in node.names)
            elif node.module and node.module.startswith("neuroon_django."):
                module = node.module.removeprefix("neuroon_django.")
                yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("neuroon_django."):
                    yield alias.name.removeprefix("neuroon_django.")


def test_every_room_has_a_rung():
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()} - OUTSIDE
    assert rooms == {room for room in RUNG if "/" not in room}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_the_ladder(path):
    room = room_of(module_of(path))
    climbs = sorted(
        module
        for module in imported(ast.parse(path.read_text()))
        if (other := room_of(module)) in RUNG and other != room and RUNG[other] >= RUNG[room]
    )
    assert climbs == []


@pytest.mark.parametrize(
    ("wing", "forbidden"),
    [("recording", {"delivery", "api", "tasks"}), ("delivery", {"recording", "tasks"})],
)
def test_the_wings_meet_only_in_the_tables(wing, forbidden):
    """What the shop's processes run knows nothing of the workers' code, nor the reverse."""
    files = [path for path in FILES if path.relative_to(PACKAGE).parts[0] == wing]
    known = {
        (path.name, module)
        for path in files
        for module in imported(ast.parse(path.read_text()))
        if module.partition(".")[0] in forbidden
    }
    assert files and known == set()


MODULES = {f"neuroon_django.{module_of(path)}": path for path in FILES}
MODULES["neuroon_django"] = PACKAGE / "__init__.py"
LAZY = {"neuroon_django", "neuroon_django.apps"}  # their functions run when all is imported


def without_functions(tree: ast.Module) -> ast.Module:
    """Return the code that runs when the module is imported."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    for block in [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef)]:
        block.body = [node for node in block.body if not isinstance(node, functions)]
    return tree


def import_sources(node: ast.AST, package: str) -> set[str]:
    """Return what a statement in a module of this package imports: modules of whatever kind.

    `from package import name` stands for the module of that name or, where it is none, the package.
    """
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if not isinstance(node, ast.ImportFrom):
        return set()
    source = node.module or ""
    if node.level:
        source = f"{package}.{source}".rstrip(".")
    names = {f"{source}.{alias.name}" for alias in node.names}
    return {name if name in MODULES else source for name in names}


def imported_modules(module: str) -> set[str]:
    """Return the modules of this package that a module imports for use, in functions as well."""
    path = MODULES[module]
    tree = ast.parse(path.read_text())
    if module in LAZY:
        tree = without_functions(tree)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    sources = (import_sources(node, package) for node in nodes_in_use(tree))
    return set().union(*sources) & MODULES.keys()


def test_no_modules_import_each_other():
    graph = {module: imported_modules(module) for module in MODULES}
    sandbox = "neuroon_django.testing.sandbox"
    assert graph[sandbox] == {f"{sandbox}.{name}" for name in ("faults", "messages", "neuroon")}
    TopologicalSorter(graph).prepare()  # its CycleError names the modules of a cycle


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    tree = ast.parse(text)
    long = [
        f"{node.name}: {size}"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or 0) - node.lineno + 1) > 40
    ]
    assert long == []
    assert len(text.splitlines()) <= 250
    assert ast.get_docstring(tree) or not text.strip(), "a module says its place in the flow"


SOURCE = '''"""Doc."""

# why
x = """a

b"""


def f():
    """Return."""
    return (
        x
    )
'''


def test_code_lines_are_counted_as_said():
    assert code_lines(SOURCE) == 7


MOST_LINES = 13_699  # of code in the whole package


def test_the_package_stays_small(record_property):
    """The count is shown at the end of each run that holds this test."""
    counts = code_lines_by_room()
    rooms = ", ".join(f"{room} {n:,}" for room, n in counts.most_common())
    record_property("summary", f"{counts.total():,} lines of code: {rooms}")
    assert counts.total() <= MOST_LINES


LAWS = re.findall(r"^(\d+)\. ", (ROOT / "docs" / "laws.md").read_text(), re.M)


@pytest.mark.parametrize("path", [PACKAGE / "__init__.py", *FILES], ids=lambda p: str(p))
def test_a_law_that_is_referred_to_is_in_the_list(path):
    referred = re.findall(r"\blaws? (\d+)", path.read_text())
    assert set(referred) <= set(LAWS)


# Words of the first edition, a private language: the field has terms of its own for all of them.
OLD_WORDS = {
    "acquit",
    "acquitted",
    "adopt",
    "ajar",
    "among",
    "attach",
    "await_turn",
    "beyond",
    "blamed",
    "bury",
    "bypk",
    "cargo",
    "contested",
    "entomb",
    "explained",
    "flying",
    "gate",
    "gate_of",
    "gates",
    "hanging",
    "held",
    "home",
    "hurry",
    "in_hand",
    "insist",
    "kin",
    "land",
    "let_go",
    "lone",
    "look",
    "look_again",
    "mend",
    "minute",
    "objection",
    "pace",
    "parcel",
    "parcels",
    "patiently",
    "place",
    "placement",
    "pointer",
    "present",
    "promising",
    "rehearsal",
    "rehearse",
    "removal",
    "removals",
    "reopen",
    "send_again",
    "settlement",
    "shut",
    "speaking",
    "strays",
    "stubborn",
    "suspect",
    "suspects",
    "take_out",
    "take_slot",
    "tally",
    "told",
    "trouble",
    "troubles",
    "trust",
    "verdicts",
    "waiting_key",
}


def identifiers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_names_are_the_fields_terms(path):
    if "sandbox" in path.parts:  # it holds requests back, as it says
        return
    names = {name.strip("_").lower() for name in identifiers(ast.parse(path.read_text()))}
    assert names & OLD_WORDS == set()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_calls_a_command(path):
    """Commands, the admin and JSON show what the services of `operations` return."""
    names = set(identifiers(ast.parse(path.read_text())))
    assert names & {"call_command", "execute_from_command_line", "load_command_class"} == set()


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_public_names_can_be_imported_before_the_apps_are_ready():
    names = run("import neuroon_django; print(sorted(neuroon_django.__all__))")
    assert names == str(
        [
            "ConversionLine",
            "OrderFeed",
            "ProductFeed",
            "aget_widget_token",
            "attribute_order",
            "clicks_of",
            "forget_order",
            "get_widget_token",
            "mark_changed",
            "muted",
            "register",
            "tell_bulk_writes",
        ]
    )


def test_the_sandbox_needs_no_settings():
    code = "from neuroon_django.testing import Sandbox\nwith Sandbox() as n: print(n.url[:17])"
    assert run(code) == "http://127.0.0.1:"


def test_starting_up_asks_neither_the_database_nor_the_network():
    code = """
import os, socket
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
def refuse(*a, **k): raise AssertionError("a socket at start-up")
socket.socket.connect = refuse
import django
from django.db.backends.base.base import BaseDatabaseWrapper
BaseDatabaseWrapper.connect = refuse
django.setup()
print("quiet")
"""
    assert run(code) == "quiet"
