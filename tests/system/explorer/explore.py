"""A breadth-first explorer: every state that a model can reach, and the shortest way to a wrong one.

A model says where it starts, which steps each state allows, and which of its invariants a state
breaks. States that differ only in names are one: `canonical` gives each its representative. When all
states are known, the explorer also asks whether each of them can still come to rest by fair steps,
so that nothing waits for ever.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)
NOBODY = -1


class Model(Protocol[S]):
    """What the explorer needs to know of a model."""

    rest: str  # the name of the invariant "every state can come to rest by fair steps"

    def starts(self) -> Iterable[S]:
        """Return the states in which the model may begin."""

    def steps(self, state: S, /) -> Iterator[tuple[str, S, bool]]:
        """Yield each atomic step: its text, the state after it, and whether a fair world takes it."""

    def canonical(self, state: S, /) -> S:
        """Return the representative of all states that differ from this one only in names."""

    def broken(self, state: S, /) -> str:
        """Return the name of an invariant that this state breaks, "" where it breaks none."""

    def rests(self, state: S, /) -> bool:
        """Return whether nothing is left to be done."""

    def describe(self, state: S, /) -> str:
        """Return the state in one line."""


@dataclass
class Result:
    """What was explored: the numbers of states and steps, and what was found wrong."""

    states: int
    steps: int
    seconds: float
    broken: str  # the name of the invariant, "" where all hold
    trace: str  # the shortest way to a state that breaks it

    def __str__(self) -> str:
        counts = f"{self.states:,} states, {self.steps:,} steps, {self.seconds:.1f} s"
        return f"{counts}; broken: {self.broken}\n{self.trace}" if self.broken else counts


class TooManyStates(Exception):
    """The model has more states than the caller wants to visit."""


def explore(model: Model[S], *, limit: int = 0) -> Result:
    """Visit every state, the nearest first, up to the first that breaks an invariant.

    Raises TooManyStates beyond `limit` states; 0 stands for no limit.
    """
    began = time.perf_counter()
    walk = _Walk(model, limit)
    wrong, broken = walk.visit(), ""
    if wrong != NOBODY:
        broken = model.broken(walk.states[wrong])
    elif (wrong := walk.first_stuck()) != NOBODY:
        broken = model.rest
    trace = "\n".join(walk.trace(wrong)) if broken else ""
    if broken == model.rest:
        trace += "\n    from here, no fair steps lead to rest"
    return Result(len(walk.states), walk.count, time.perf_counter() - began, broken, trace)


class _Walk(Generic[S]):
    """The states by number, in the order of first sight, each with the one it was reached from."""

    def __init__(self, model: Model[S], limit: int) -> None:
        self.model = model
        self.limit = limit
        self.numbers: dict[S, int] = {}
        self.states: list[S] = []
        self.parents = array("q")
        self.count = 0
        # Fair steps, as two columns: where each begins and where it ends.
        self.fair_from, self.fair_to = array("q"), array("q")

    def visit(self) -> int:
        """Visit all states; return the number of the first that is wrong, NOBODY where none is."""
        model, numbers = self.model, self.numbers
        for start in model.starts():
            self._add(model.canonical(start), NOBODY)
        at = checked = 0
        while at < len(self.states):
            for _, after, fair in model.steps(self.states[at]):
                self.count += 1
                number = numbers.get(after, NOBODY)  # the representative of itself
                if number == NOBODY:
                    state = model.canonical(after)
                    number = numbers.get(state, NOBODY)
                    if number == NOBODY:
                        number = self._add(state, at)
                if fair and number != at:
                    self.fair_from.append(at)
                    self.fair_to.append(number)
            while checked < len(self.states):
                if model.broken(self.states[checked]):
                    return checked
                checked += 1
            at += 1
        return NOBODY

    def _add(self, state: S, parent: int) -> int:
        if self.limit and len(self.states) >= self.limit:
            raise TooManyStates(f"There are more than {self.limit:,} states.")
        number = self.numbers[state] = len(self.states)
        self.states.append(state)
        self.parents.append(parent)
        return number

    def first_stuck(self) -> int:
        """Return the first state from which no fair steps lead to rest, NOBODY where all can rest."""
        before: list[list[int]] = [[] for _ in self.states]
        for start, end in zip(self.fair_from, self.fair_to, strict=True):
            before[end].append(start)
        calm = bytearray(len(self.states))
        todo = [n for n, state in enumerate(self.states) if self.model.rests(state)]
        for number in todo:
            calm[number] = 1
        while todo:
            for number in before[todo.pop()]:
                if not calm[number]:
                    calm[number] = 1
                    todo.append(number)
        return calm.find(0)

    def trace(self, number: int) -> Iterator[str]:
        """Yield the shortest way to a state, one step a line.

        The steps are taken anew from the start: a canonical state has lost who is who.
        """
        path = []
        while number != NOBODY:
            path.append(self.states[number])
            number = self.parents[number]
        model, goal = self.model, path.pop()
        state = next(s for s in model.starts() if model.canonical(s) == goal)
        yield f"    {'start':<58} {model.describe(state)}"
        for place, goal in enumerate(reversed(path), 1):
            steps = model.steps(state)
            text, state = next((t, s) for t, s, _ in steps if model.canonical(s) == goal)
            yield f"{place:>3} {text:<58} {model.describe(state)}"
