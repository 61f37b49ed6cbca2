"""Spanish is complete: the admin's words are in the catalogue, compiled, with their places.

Commands, logs and the reasons on rows are in English, as Django's own are.
"""

from __future__ import annotations

import ast
import gettext
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from neuroon_django.models import SyncedProduct
from neuroon_django.operations.cures import CURES

PACKAGE = Path(__file__).parent.parent.parent / "neuroon_django"
SPANISH = PACKAGE / "locale/es/LC_MESSAGES"
TRANSLATED = ("admin", "models", "apps.py")  # what the admin shows
ENGLISH = ("api", "feeds", "management", "operations", "recording", "testing", "widget")
MARKS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
PHRASES = {"phrase", "plural", "problem", "Problem", "Cure"}
NAMES = {*CURES, *(cure.action for cure in CURES.values()), "amber", "red", "s"}
UNITS = ("s", "min", "h", "day", "days", "product", "products", "order", "orders")
COUNTED = {f"{{n}} {unit}" for unit in UNITS}
PLACE = re.compile(r"%(?:\([a-z]+\))?[.\d]*[a-z]|{[a-z]+}")
TRANSLATE = re.compile(r'{% translate "([^"]+)"')
BLOCK = re.compile(r"{% blocktranslate[^%]*%}(.+?){% endblocktranslate %}")


def modules_of(*rooms: str) -> Iterator[ast.Module]:
    for room in rooms:
        path = PACKAGE / room
        for module in [path] if path.is_file() else path.rglob("*.py"):
            yield ast.parse(module.read_text())


def texts_of_code() -> Iterator[str]:
    for module in modules_of(*TRANSLATED):
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MARKS:
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def texts_of_templates() -> Iterator[str]:
    for path in (PACKAGE / "templates").rglob("*.html"):
        html = path.read_text()
        yield from TRANSLATE.findall(html)
        yield from (re.sub(r"{{ (\w+) }}", r"%(\1)s", text) for text in BLOCK.findall(html))


def strings_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def phrases_of_services() -> set[str]:
    """Return what the services say in words of their own; places alone need no translation."""
    found = set()
    for module in modules_of("operations"):
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in PHRASES:
                found |= {text for arg in node.args[:3] for text in strings_of(arg)}
    return {text for text in found if re.search("[A-Za-z]", PLACE.sub("", text))} - NAMES


def constants_of_services() -> set[str]:
    return {text for module in modules_of("operations", "delivery") for text in strings_of(module)}


@pytest.fixture(scope="module")
def catalogue() -> dict[str, str]:
    with (SPANISH / "django.mo").open("rb") as compiled:
        found = gettext.GNUTranslations(compiled)._catalog
    return {k if isinstance(k, str) else k[0]: v for k, v in found.items() if k}


def test_every_text_is_translated_and_nothing_else(catalogue):
    texts = {*texts_of_code(), *texts_of_templates()}
    assert len(texts) > 75
    assert sorted((texts | phrases_of_services()) - catalogue.keys()) == []
    assert sorted(catalogue.keys() - texts - constants_of_services() - COUNTED) == []
    assert [text for text, spanish in catalogue.items() if not spanish] == []


def test_nothing_is_marked_where_english_is_spoken():
    assert [
        ast.unparse(node)
        for module in modules_of(*ENGLISH)
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
        if alias.name in MARKS
    ] == []


def test_every_translation_has_the_same_places(catalogue):
    assert [
        text
        for text, spanish in catalogue.items()
        if sorted(PLACE.findall(text)) != sorted(PLACE.findall(spanish))
    ] == []


def test_the_compiled_catalogue_is_the_written_one(catalogue):
    written = re.findall(r'^msgid "(.+)"$', (SPANISH / "django.po").read_text(), re.MULTILINE)
    assert len(written) == len(set(written))
    assert {text.replace('\\"', '"') for text in written} == catalogue.keys()
    assert "fuzzy" not in (SPANISH / "django.po").read_text()
    assert "#~" not in (SPANISH / "django.po").read_text()


@pytest.mark.django_db(transaction=True)
def test_a_command_is_english_and_a_status_is_not(neuroon):
    out = io.StringIO()
    with translation.override("es"):
        call_command("neuroon_sync", stdout=out)
        with suppress(CommandError):  # nothing was verified here
            call_command("neuroon_status", stdout=out)
        assert str(SyncedProduct.Status.REJECTED.label) == "rechazado"
    lines = out.getvalue().splitlines()
    assert lines[0] == "Products sent         0  Neuroon: 0 created, 0 updated, 0 failed"
    assert any(line.startswith("Products, rejected ") for line in lines)
