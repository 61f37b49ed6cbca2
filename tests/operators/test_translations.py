"""Spanish is complete: every text of the package is in the catalogue, compiled, with its places."""

from __future__ import annotations

import ast
import gettext
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import translation

from neuroon_django.models import Group, SyncedProduct

PACKAGE = Path(__file__).parent.parent.parent / "neuroon_django"
SPANISH = PACKAGE / "locale/es/LC_MESSAGES"
MARKS = {"_", "gettext", "gettext_lazy", "ngettext"}
PLACE = re.compile(r"%(?:\([a-z]+\))?[.\d]*[a-z]|{[a-z]+}")


def texts_of_code() -> Iterator[str]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MARKS:
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def texts_of_templates() -> Iterator[str]:
    for path in (PACKAGE / "templates").rglob("*.html"):
        yield from re.findall(r'{% translate "([^"]+)"', path.read_text())


@pytest.fixture(scope="module")
def catalogue() -> dict[str, str]:
    with (SPANISH / "django.mo").open("rb") as compiled:
        found = gettext.GNUTranslations(compiled)._catalog
    return {k if isinstance(k, str) else k[0]: v for k, v in found.items() if k}


def test_every_text_is_translated(catalogue):
    texts = {*texts_of_code(), *texts_of_templates()}
    assert len(texts) > 150
    assert sorted(texts - catalogue.keys()) == []


def test_names_that_are_told_are_translated(catalogue):
    """Marked nowhere: they are told by a variable."""
    told = {
        *Group.values,
        "settings",
        "feeds",
        "tables",
        "celery",
        "api",
        "route",
        "domain",
        "token",
        "pace",
    }
    assert told - catalogue.keys() == set()


def test_every_translation_has_the_same_places(catalogue):
    assert [
        text
        for text, spanish in catalogue.items()
        if sorted(PLACE.findall(text)) != sorted(PLACE.findall(spanish))
    ] == []


def test_the_compiled_catalogue_is_the_written_one(catalogue):
    written = re.findall(r'^msgid "(.+)"$', (SPANISH / "django.po").read_text(), re.MULTILINE)
    assert {text.replace('\\"', '"') for text in written} == catalogue.keys()
    assert "fuzzy" not in (SPANISH / "django.po").read_text()


@pytest.mark.django_db(transaction=True)
def test_a_command_in_spanish(neuroon):
    out = io.StringIO()
    with translation.override("es"):
        call_command("neuroon_sync", stdout=out)
        assert str(SyncedProduct.Status.REJECTED.label) == "rechazado"
    assert out.getvalue().splitlines()[0] == (
        "Productos enviados     0  Neuroon: 0 creados, 0 actualizados, 0 fallidos"
    )
