"""The figures of a run beside the peers as a picture: bars by measure, each on a scale of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from html import escape

from tests.benchmarks.report import Figure

WIDTH, NAMES, BARS = 760, 190, 460  # of the picture, of the names on the left, of the longest bar
ROW, TITLE = 22, 46
OURS, OTHERS = "#3457d5", "#9aa3b5"
STYLE = "font-family: system-ui, sans-serif; font-size: 13px"


def draw(title: str, figures: Iterable[Figure]) -> str:
    """Return an SVG of all figures that are called "measure: contender"."""
    groups: dict[str, list[tuple[str, float]]] = {}
    for figure in figures:
        measure, _, contender = figure.name.rpartition(": ")
        if measure and "/" not in contender:
            groups.setdefault(measure, []).append((contender, figure.value))
    parts = [f'<text x="0" y="18" font-weight="bold">{escape(title)}</text>']
    top = 30
    for measure, bars in groups.items():
        parts += _group(measure, bars, top)
        top += TITLE + ROW * len(bars)
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    background = f'<rect width="{WIDTH}" height="{top}" fill="white"/>'
    body = "\n".join([background, *parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{STYLE}">\n{body}\n</svg>\n'


def _group(measure: str, bars: list[tuple[str, float]], top: int) -> Iterator[str]:
    """Yield the bars of one measure; the shortest keeps a tenth of the width of the longest."""
    values = [max(value, 0.01) for _, value in bars]
    low, high = math.log(min(values) / 2), math.log(max(values))
    yield f'<text x="0" y="{top + 30}" font-weight="bold" fill="#333">{escape(measure)}</text>'
    for number, (contender, value) in enumerate(bars):
        y = top + TITLE - 6 + ROW * number
        length = BARS * (math.log(max(value, 0.01)) - low) / (high - low or 1)
        colour = OURS if contender == "neuroon" else OTHERS
        yield f'<text x="{NAMES - 8}" y="{y + 14}" text-anchor="end">{escape(contender)}</text>'
        yield f'<rect x="{NAMES}" y="{y + 2}" width="{length:.0f}" height="16" fill="{colour}"/>'
        yield f'<text x="{NAMES + length + 6:.0f}" y="{y + 14}">{_shown(value)}</text>'


def _shown(value: float) -> str:
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
