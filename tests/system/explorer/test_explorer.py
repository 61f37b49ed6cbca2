"""The protocol of delivery holds in every interleaving explored, and would not without its rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pytest

from tests.system.explorer import __main__ as command
from tests.system.explorer import mutants
from tests.system.explorer.endpoint import RunGuards
from tests.system.explorer.explore import TooManyStates, explore
from tests.system.explorer.mirror import Guards
from tests.system.explorer.scenarios import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_interleaving_breaks_an_invariant(name: str) -> None:
    model = SCENARIOS[name]
    result = explore(model)
    print(f"\n{name}: {result}")
    assert not result.broken, str(result)
    assert result.states > 500
    assert all(model.canonical(start) == start for start in model.starts())


@pytest.mark.parametrize("name", mutants.NAMES)
def test_every_rule_is_needed(name: str) -> None:
    result = mutants.explore_mutant(name)
    print(f"\nwithout {name}: {result}")
    assert result.broken == mutants.expected(name)
    assert len(result.trace.splitlines()) > 1


def test_every_rule_has_a_mutant() -> None:
    rules = [field.name for guards in (Guards, RunGuards) for field in fields(guards)]
    assert list(mutants.NAMES) == rules


class Counter:
    """A counter from 0 to 4; it rests at 4, and never comes back from `trap`."""

    rest = "comes to rest"

    def __init__(self, *, trap: int = -1, wrong: int = -1) -> None:
        self.trap = trap
        self.wrong = wrong

    def starts(self) -> list[int]:
        return [0]

    def steps(self, state: int) -> Iterator[tuple[str, int, bool]]:
        if state != self.trap:
            yield "one", min(state + 1, 4), True
            yield "two", min(state + 2, 4), True
        yield "back", max(state - 1, 0), False

    def canonical(self, state: int) -> int:
        return state

    def broken(self, state: int) -> str:
        return "wrong" if state == self.wrong else ""

    def rests(self, state: int) -> bool:
        return state == 4

    def describe(self, state: int) -> str:
        return str(state)


def test_the_explorer_sees_every_state_once() -> None:
    result = explore(Counter())
    assert (result.states, result.steps, result.broken) == (5, 15, "")


def test_the_explorer_tells_the_shortest_way_to_a_wrong_state() -> None:
    result = explore(Counter(wrong=3))
    assert result.broken == "wrong"
    assert [line.split() for line in result.trace.splitlines()] == [
        ["start", "0"],
        ["1", "one", "1"],
        ["2", "two", "3"],
    ]


def test_the_explorer_finds_what_only_an_unfair_step_leaves() -> None:
    result = explore(Counter(trap=2))
    assert result.broken == "comes to rest"
    assert result.trace.splitlines()[1].split() == ["1", "two", "2"]


def test_the_explorer_stops_at_its_limit() -> None:
    with pytest.raises(TooManyStates, match="more than 3 states"):
        explore(Counter(), limit=3)


def test_the_command_explores_what_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--changes", "1", "--workers", "1"]) == 0
    assert command.main(["--runs", "--changes", "1", "--workers", "1"]) == 0
    assert command.main(["--changes", "1", "--limit", "9"]) == 2
    assert command.main(["--without", "hand_over_compares_folds"]) == 1
    out = capsys.readouterr().out
    assert out.count(" states, ") == 3
    assert "more than 9 states" in out
    assert "I3 at rest" in out
    assert "hands the page over" in out
