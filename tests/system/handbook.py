"""The handbook as the guard tests read it: the README and `docs/`, their tables and blocks of code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = {path.name: path.read_text() for path in (README, *sorted(DOCS.glob("*.md")))}
RUNNABLE = "<!-- run -->"  # stands in the line above a block of Python that the guard test runs
FENCE = re.compile(
    rf"^(?P<mark> *{RUNNABLE}\n)?(?P<indent> *)```(?P<language>\w+)\n(?P<code>.*?)^(?P=indent)```$",
    re.M | re.S,
)


@dataclass(frozen=True)
class Block:
    """One block of code of a page."""

    page: str
    line: int
    language: str
    code: str
    runnable: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """Return the handbook's blocks of code in these languages."""
    return [
        Block(
            page,
            text.count("\n", 0, match.start()) + 1,
            match["language"],
            dedent(match["code"]),
            bool(match["mark"]),
        )
        for page, text in PAGES.items()
        for match in FENCE.finditer(text)
        if match["language"] in languages
    ]


def section(page: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of its rank; "" where there is none."""
    rank = heading.partition(" ")[0]
    text = PAGES[page].partition(f"\n{heading}\n")[2]
    return re.split(rf"\n#{{1,{len(rank)}}} ", text)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the rows whose first cell is code, without its backticks."""
    lines = re.findall(r"^\| `(.+?)` \|(.*)\|$", text, re.M)
    return [[first, *(cell.strip() for cell in re.split(r"(?<!\\)\|", rest))] for first, rest in lines]


def names(text: str) -> list[str]:
    """Return the first cells of those rows."""
    return [cells[0] for cells in rows(text)]


def first_block(heading: str) -> str:
    """Return the first block of shell under a heading of the README."""
    return section("README.md", heading).partition("```sh\n")[2].partition("\n```")[0]
