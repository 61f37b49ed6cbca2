"""The figures of a run: printed as a table while they come, or as JSON at the end."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure; `budget` and `met` are None where there is no budget for it."""

    name: str
    value: float
    budget: str | None
    met: bool | None


class Report:
    """Collects figures and series; with `as_json` nothing is printed before `finish`."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self.figures: list[Figure] = []
        self.series: dict[str, list[int]] = {}

    @property
    def missed(self) -> list[str]:
        """The names of the figures that missed their budgets."""
        return [figure.name for figure in self.figures if figure.met is False]

    def title(self, text: str) -> None:
        """Print a line that stands above the figures that follow."""
        if not self.as_json:
            print(f"\n{text}", flush=True)

    def row(
        self,
        name: str,
        value: float,
        form: str = "{:,.0f}",
        budget: str | None = None,
        met: bool | None = None,
    ) -> None:
        """Add a figure; `form` is how the table shows its value, `budget` what it shows as such."""
        self.figures.append(Figure(name.strip(), round(value, 3), budget, met))
        if not self.as_json:
            result = {None: "", True: "met", False: "MISSED"}[met]
            print(
                f"{name:<58}{form.format(value):>14}   {budget or '':<14}{result}".rstrip(), flush=True
            )

    def add_series(self, name: str, values: list[int]) -> None:
        """Add the values of one figure over time."""
        self.series[name] = values
        if not self.as_json:
            print(f"{name}:")
            text = textwrap.fill(" ".join(map(str, values)), 96)
            print(textwrap.indent(text, "    "), flush=True)

    def finish(self) -> int:
        """Print the JSON, if it is wanted; return the exit status, 1 when a budget was missed."""
        if self.as_json:
            figures = [asdict(figure) for figure in self.figures]
            print(
                json.dumps({"figures": figures, "series": self.series, "missed": self.missed}, indent=2)
            )
        return 1 if self.missed else 0
