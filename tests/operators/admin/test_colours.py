"""The colours of statuses: each stands out from the ground, which parts the segments of a bar."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import neuroon_django
from neuroon_django.models import Conversion, SyncedProduct

CSS = (Path(neuroon_django.__file__).parent / "static/neuroon_django/admin.css").read_text()
RULES = re.findall(r"^(.neuroon-.+) { --neuroon: #([0-9a-f]{6}); }$", CSS, re.MULTILINE)
COLOURS = {name: colour for names, colour in RULES for name in re.findall(r"neuroon-(\w+)", names)}
GROUNDS = {"light": "ffffff", "dark": "121212"}  # of Django's admin


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(part * c for part, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_every_status_has_a_colour():
    assert {*SyncedProduct.Status.values, *Conversion.Status.values} <= COLOURS.keys()


@pytest.mark.parametrize("name", [*COLOURS])
@pytest.mark.parametrize("scheme", [*GROUNDS])
def test_a_colour_stands_out_from_the_ground(name, scheme):
    assert contrast(COLOURS[name], GROUNDS[scheme]) >= 3
